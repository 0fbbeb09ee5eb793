"""Files that are either as they were or complete, whatever happens while they are written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step; raises OSError and leaves the old file where that is impossible."""
    temporary = path.with_name(f".{path.name[:40]}.{os.urandom(8).hex()}")
    try:
        # Not `tempfile`, which makes files that only their owner can read.
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
