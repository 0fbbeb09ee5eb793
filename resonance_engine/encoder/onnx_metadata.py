"""Metadata of ONNX files without the package onnx: entries are read by onnxruntime, and written here.

A message of protobuf is a sequence of fields in any order, and a repeated field goes on wherever it comes up again: an
entry of `metadata_props` that is appended to a file is one of the model's.
"""

from __future__ import annotations

from resonance_engine.encoder.onnx_check import BYTES, VARINT, field_bounds, read_varint

METADATA_PROPS = 14  # of a model, by onnx.proto
KEY, VALUE = 1, 2  # of an entry


def add_metadata(content: bytes, key: str, value: str) -> bytes:
    """Return an ONNX file with a metadata entry, in place of those with that key; ValueError for what is no ONNX file.

    The other bytes stay as they are, in their order.
    """
    return b"".join([*strip_metadata(content, key), metadata_entry(key, value)])


def strip_metadata(content: bytes, key: str) -> list[memoryview]:
    """Return the parts of an ONNX file between its metadata entries with a key; ValueError for what is no ONNX file."""
    view, parts = memoryview(content), []
    kept = at = 0
    while at < len(content):
        field, start = at, at
        number_and_kind, at = read_varint(content, at, len(content))
        number, kind = number_and_kind >> 3, number_and_kind & 7
        if kind == VARINT:
            _, at = read_varint(content, at, len(content))
        else:
            start, at = field_bounds(content, at, len(content), kind)
        if number == METADATA_PROPS and kind == BYTES and entry_key(content, start, at) == key:
            parts.append(view[kept:field])
            kept = at
    return [*parts, view[kept:]]


def entry_key(content: bytes, at: int, end: int) -> str:
    """Return the key of the metadata entry between two offsets, "" without one."""
    key = ""
    while at < end:
        number_and_kind, at = read_varint(content, at, end)
        kind = number_and_kind & 7
        if kind == VARINT:
            _, at = read_varint(content, at, end)
            continue
        start, at = field_bounds(content, at, end, kind)
        if number_and_kind >> 3 == KEY:
            key = content[start:at].decode("utf-8", "replace")
    return key


def metadata_entry(key: str, value: str) -> bytes:
    """Return a metadata entry as a field of a model."""
    entry = b"".join(text_field(number, text) for number, text in ((KEY, key), (VALUE, value)))
    return write_varint(METADATA_PROPS << 3 | BYTES) + write_varint(len(entry)) + entry


def text_field(number: int, text: str) -> bytes:
    encoded = text.encode()
    return write_varint(number << 3 | BYTES) + write_varint(len(encoded)) + encoded


def write_varint(value: int) -> bytes:
    """Write a whole number, 0 or more, seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
