"""Check an ONNX file of unknown origin before onnxruntime loads it.

A tensor of a model may lie in a file of its own, which the model names: "../../secret.bin". Versions of onnxruntime
differ in which of these they open, and 1.20 opens any, also for a model that is given to it as bytes. So none is let
through. The few fields of the format that lead to tensors are followed here: the package onnx belongs to training.
"""

from __future__ import annotations

from enum import Enum, auto

LARGEST = 2**31 - 1  # bytes of a message, by the format that ONNX is written in

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # wire types of protobuf


class OnnxMessage(Enum):
    """The messages of ONNX on the way to tensors."""

    MODEL = auto()
    GRAPH = auto()
    NODE = auto()
    ATTRIBUTE = auto()
    TENSOR = auto()
    SPARSE = auto()
    FUNCTION = auto()
    TRAINING = auto()


# Fields by number, of onnx.proto.
INSIDE = {
    OnnxMessage.MODEL: {7: OnnxMessage.GRAPH, 20: OnnxMessage.TRAINING, 25: OnnxMessage.FUNCTION},
    OnnxMessage.GRAPH: {1: OnnxMessage.NODE, 5: OnnxMessage.TENSOR, 15: OnnxMessage.SPARSE},
    OnnxMessage.NODE: {5: OnnxMessage.ATTRIBUTE},
    OnnxMessage.ATTRIBUTE: {
        5: OnnxMessage.TENSOR,
        6: OnnxMessage.GRAPH,
        10: OnnxMessage.TENSOR,
        11: OnnxMessage.GRAPH,
        22: OnnxMessage.SPARSE,
        23: OnnxMessage.SPARSE,
    },
    OnnxMessage.TENSOR: {},
    OnnxMessage.SPARSE: {1: OnnxMessage.TENSOR, 2: OnnxMessage.TENSOR},
    OnnxMessage.FUNCTION: {7: OnnxMessage.NODE, 11: OnnxMessage.ATTRIBUTE},
    OnnxMessage.TRAINING: {1: OnnxMessage.GRAPH, 2: OnnxMessage.GRAPH},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor: where else its numbers are, and whether they are


def is_self_contained(content: bytes) -> bool:
    """Whether all tensors of a model are within the file; ValueError for what is no ONNX file."""
    open_parts = [(OnnxMessage.MODEL, 0, len(content))]
    while open_parts:
        part, at, end = open_parts.pop()
        inside = INSIDE[part]
        while at < end:
            key, at = read_varint(content, at, end)
            number, kind = key >> 3, key & 7
            value = 0
            if kind == VARINT:
                value, at = read_varint(content, at, end)
                begin = at
            else:
                begin, at = field_bounds(content, at, end, kind)
            if part is OnnxMessage.TENSOR and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value)):
                return False
            if kind == BYTES and number in inside:
                open_parts.append((inside[number], begin, at))
    return True


def field_bounds(content: bytes, at: int, end: int, kind: int) -> tuple[int, int]:
    """Return the offsets at which a field's bytes begin and end."""
    if kind == BYTES:
        size, at = read_varint(content, at, end)
    elif kind in (FIXED_64, FIXED_32):
        size = 8 if kind == FIXED_64 else 4
    else:
        raise ValueError("a field of a kind that ONNX does not have")
    if size > end - at:
        raise ValueError("a field that is longer than what it is in")
    return at, at + size


def read_varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Read the number that begins at an offset; return it and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("a number that breaks off")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that is too long")
