"""Checkpoints of TensorFlow, written here by the formats' descriptions and read back."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.default_model.tensor_bundle import read_variables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Entries = Iterable[tuple[bytes, bytes]]

FLOAT, INT64 = 1, 9
PER_BLOCK, PER_RESTART = 4, 3
MAGIC = bytes.fromhex("57fb808b247547db")
VALUES: dict[str, NDArray[np.float32]] = {
    "batch_normalization/beta": np.arange(3, dtype=np.float32),
    "batch_normalization/gamma": np.array([-0.5], np.float32),
    "batch_normalization_1/beta": np.linspace(-1, 1, 300, dtype=np.float32),
    "conv2d/bias": np.zeros(0, np.float32),
    "conv2d/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 1, 4),
    "dense/kernel": np.random.default_rng(0).standard_normal((200, 5), np.float32),
    "step": np.array(7, np.float32),
}


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol-buffer message; whole numbers of zero are not written."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def record(values: NDArray[np.float32], offset: int, kind: int = FLOAT) -> bytes:
    """BundleEntryProto: dtype, shape, offset, size and the checksum as four fixed bytes."""
    shape = b"".join(field(2, field(1, length)) for length in values.shape)
    checksum = varint(6 << 3 | 5) + b"\1\2\3\4"
    return field(1, kind) + field(2, shape) + field(4, offset) + field(5, values.nbytes) + checksum


def block(entries: Entries) -> bytes:
    """Keys without what they share with the one before, restarts, and five bytes: no compression, checksum."""
    content, restarts, before = b"", [], b""
    for place, (key, value) in enumerate(entries):
        if place % PER_RESTART == 0:
            restarts.append(len(content))
            before = b""
        shared = next(end for end in range(len(key), -1, -1) if before.startswith(key[:end]))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return content + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts)) + bytes(5)


def table(entries: Entries) -> bytes:
    """A LevelDB table of several blocks, an empty one of other things, an index of them, and the footer."""
    rows, content, index = list(entries), b"", []
    for start in range(0, len(rows), PER_BLOCK):
        part = rows[start : start + PER_BLOCK]
        made = block(part)
        index.append((part[-1][0], varint(len(content)) + varint(len(made) - 5)))
        content += made
    handles = b""
    for made in (block([]), block(index)):
        handles += varint(len(content)) + varint(len(made) - 5)
        content += made
    return content + handles.ljust(40, b"\0") + MAGIC


def bundle() -> tuple[bytes, bytes]:
    """Index and data of a checkpoint; beside VALUES it has a header, under no name, and a counter of another type."""
    entries, data = [(b"", field(1, 1))], b""
    for name, values in sorted(VALUES.items()):
        entries.append((name.encode(), record(values, len(data))))
        data += values.tobytes()
    entries.insert(-1, (b"global_step", record(np.zeros(2, np.float32), 0, INT64)))
    return table(sorted(entries)), data


def written(folder: Path, index: bytes, data: bytes, prefix: str = "m") -> Path:
    (folder / f"{prefix}.index").write_bytes(index)
    (folder / f"{prefix}.data-00000-of-00001").write_bytes(data)
    return folder


@pytest.mark.parametrize("prefix", ["m", ""])
def test_what_is_written_is_read(tmp_path: Path, prefix: str) -> None:
    found = read_variables(written(tmp_path, *bundle(), prefix), prefix)
    assert found.keys() == VALUES.keys()
    for name, values in VALUES.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], values, strict=True)


def test_the_writer_shares_prefixes_and_fills_several_blocks() -> None:
    index, _ = bundle()
    assert len(VALUES) + 2 > 2 * PER_BLOCK
    assert b"batch_normalization/gamma" not in index


@pytest.mark.parametrize(
    ("index", "data", "sentence"),
    [
        (b"", bundle()[1], "no table of TensorFlow's"),
        (b"model_checkpoint_path: 'm'\n" * 10, bundle()[1], "no table of TensorFlow's"),
        (bundle()[0][:-10], bundle()[1], "or only a part of one"),
        (bundle()[0][:100] + bundle()[0][-48:], bundle()[1], "is damaged"),
        (bundle()[0], bundle()[1][:-4], "step should be 4 bytes of the checkpoint's data, in the shape .*, and is 0"),
        (bundle()[0], b"", "batch_normalization/beta should be 12 bytes"),
        (table([(b"x", b"\x0b")]), b"", "a record of the unknown kind 3"),
        (table([(b"x", field(1, FLOAT) + field(2, 5))]), b"", "a number where a shape should be"),
        (table([(b"x", field(1, FLOAT) + field(4, b"5"))]), b"", "a text where a number should be"),
        (table([(b"\xff", field(1, FLOAT))]), b"", "is damaged"),
        (table([(b"x", field(1, FLOAT) + field(5, 8))]), bytes(8), r"x should be 8 bytes .* in the shape \[\]"),
    ],
    ids=["empty", "text", "cut", "hollow", "short data", "no data", "kind", "shape", "offset", "name", "size"],
)
def test_damaged_files_are_sentences(tmp_path: Path, index: bytes, data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_variables(written(tmp_path, index, data), "m")


def test_compression_is_not_guessed_at(tmp_path: Path) -> None:
    entries = [(b"x", record(VALUES["step"], 0))]
    index = bytearray(table(entries))
    index[len(block(entries)) - 5] = 1  # Snappy
    with pytest.raises(ValueError, match="index is compressed, which is not supported"):
        read_variables(written(tmp_path, bytes(index), bytes(4)), "m")


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_to_the_index_is_told_or_does_not_matter(tmp_path: Path, data: st.DataObject) -> None:
    """Other bytes in a few places never give any other error."""
    index, numbers = bundle()
    changed = bytearray(index)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(index) - 9))] = data.draw(st.integers(0, 255))
    try:
        found = read_variables(written(tmp_path, bytes(changed), numbers), "m")
    except ValueError as error:
        assert "checkpoint" in str(error)  # noqa: PT017 - it need not be raised
    else:
        assert all(values.dtype == np.float32 for values in found.values())
