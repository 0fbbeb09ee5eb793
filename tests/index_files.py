"""Index files with other headers and contents than were written, whose checksums are right."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.index.sections import checksum, map_sections, padded, write_sections
from resonance_engine.index.vector_rows import row_sums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def change_header(content: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with a header that `change` turned into another."""
    magic, text, check, _ = content.split(b"\n", 3)
    start = padded(len(magic) + len(text) + len(check) + 3)
    text = json.dumps(change(json.loads(text))).encode()
    head = b"%s\n%s\n%08x\n" % (magic, text, zlib.crc32(text))
    return head + bytes(padded(len(head)) - len(head)) + content[start:]


def change_sections(path: Path, change: Callable[[dict[str, bytearray]], None]) -> None:
    """Write the file again with the bytes of its sections changed; checksums are those of the new ones."""
    mapped = map_sections(path)
    header, arrays = mapped.header, dict(mapped.arrays)
    contents = {name: bytearray(array.tobytes()) for name, array in arrays.items()}
    change(contents)
    arrays = {
        name: np.frombuffer(bytes(contents[name]), array.dtype).reshape(array.shape) for name, array in arrays.items()
    }
    arrays["row_sums"] = row_sums(arrays["vectors"])
    if "codes" in arrays and len(arrays["bounds"]) == 2:
        arrays["code_sums"] = np.array([checksum(arrays["codes"])], np.uint32)
    write_sections(path, {name: value for name, value in header.items() if name != "sections"}, arrays)
