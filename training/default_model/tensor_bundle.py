"""Read a checkpoint of TensorFlow's, a tensor bundle, without TensorFlow.

The `.index` file is a LevelDB table from variable names to protocol-buffer records (type, shape, offset, size); the
`.data-00000-of-00001` file holds the numbers. Formats: tensorflow/core/util/tensor_bundle and leveldb's
doc/table_format.md.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FOOTER = 48  # bytes at the end of a table: where its own index lies, and eight that all tables end with
MAGIC = 0xDB4775248B80FB57
DT_FLOAT = 1
TYPE, SHAPE, OFFSET, SIZE = 1, 2, 4, 5  # fields of a variable's record
DIMENSION, LENGTH = 2, 1  # fields of its shape, and of a dimension
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def read_variables(folder: Path, prefix: str = "") -> dict[str, NDArray[np.float32]]:
    """Read the float32 variables of a checkpoint of one shard, by name; ValueError for other files."""
    table = (folder / f"{prefix}.index").read_bytes()
    numbers = (folder / f"{prefix}.data-00000-of-00001").read_bytes()
    try:
        records = [(name.decode(), dict(message_fields(record))) for name, record in table_entries(table) if name]
        return {name: read_values(name, record, numbers) for name, record in records if record.get(TYPE) == DT_FLOAT}
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("the checkpoint's index is damaged; copy or download it again") from error


def read_values(name: str, record: Mapping[int, int | bytes], numbers: bytes) -> NDArray[np.float32]:
    """Return a variable's numbers, in its shape."""
    shape = [
        require_number(dict(message_fields(require_bytes(dimension))).get(LENGTH, 0))
        for field, dimension in message_fields(require_bytes(record.get(SHAPE, b"")))
        if field == DIMENSION
    ]
    start, size = (require_number(record.get(field, 0)) for field in (OFFSET, SIZE))
    content = numbers[start : start + size]
    if not len(content) == size == 4 * math.prod(shape):
        raise ValueError(
            f"{name} should be {size} bytes of the checkpoint's data, in the shape {shape}, and is {len(content)}; "
            "copy or download both files again"
        )
    return np.frombuffer(content, np.float32).reshape(shape).copy()


def table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a LevelDB table whose blocks are not compressed, in order."""
    if len(table) < FOOTER or int.from_bytes(table[-8:], "little") != MAGIC:
        raise ValueError("the checkpoint's index is no table of TensorFlow's, or only a part of one")
    _, at = read_handle(table[-FOOTER:], 0)
    place, _ = read_handle(table[-FOOTER:], at)
    for _, value in block_entries(table, *place):
        yield from block_entries(table, *read_handle(value, 0)[0])


def read_handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return offset and size of a block, and where the handle ends."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def block_entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; a key is stored without the prefix that it shares with the one before."""
    if table[offset + size]:
        raise ValueError("the checkpoint's index is compressed, which is not supported")
    data = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", data[-4:])
    at, key = 0, b""
    while at < size - 4 * (restarts + 1):
        shared, at = read_varint(data, at)
        apart, at = read_varint(data, at)
        length, at = read_varint(data, at)
        key = key[:shared] + data[at : at + apart]
        at += apart
        yield key, data[at : at + length]
        at += length


def message_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field numbers and values of a protocol-buffer message."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        kind = tag & 7
        value: int | bytes
        if kind == VARINT:
            value, at = read_varint(message, at)
        elif kind in (BYTES, FIXED32, FIXED64):
            length, at = read_varint(message, at) if kind == BYTES else (4 if kind == FIXED32 else 8, at)
            value = message[at : at + length]
            at += length
        else:
            raise ValueError(f"the checkpoint's index has a record of the unknown kind {kind}")
        yield tag >> 3, value


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7


def require_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("the checkpoint's index has a number where a shape should be")
    return value


def require_number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("the checkpoint's index has a text where a number should be")
    return value
