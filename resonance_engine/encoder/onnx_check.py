"""An ONNX file from somebody else, looked through before onnxruntime gets to see it.

A tensor of a model may lie in a file of its own, which the model names: "../../secret.bin". Versions of onnxruntime
differ in which of these they open, and 1.20 opens any, also for a model that is given to it as bytes. So none is let
through. The few fields of the format that lead to tensors are followed here: the package onnx belongs to training.
"""

from __future__ import annotations

from enum import Enum, auto

LARGEST = 2**31 - 1  # bytes of a message, by the format that ONNX is written in

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # wire types of protobuf


class Part(Enum):
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
    Part.MODEL: {7: Part.GRAPH, 20: Part.TRAINING, 25: Part.FUNCTION},
    Part.GRAPH: {1: Part.NODE, 5: Part.TENSOR, 15: Part.SPARSE},
    Part.NODE: {5: Part.ATTRIBUTE},
    Part.ATTRIBUTE: {5: Part.TENSOR, 6: Part.GRAPH, 10: Part.TENSOR, 11: Part.GRAPH, 22: Part.SPARSE, 23: Part.SPARSE},
    Part.TENSOR: {},
    Part.SPARSE: {1: Part.TENSOR, 2: Part.TENSOR},
    Part.FUNCTION: {7: Part.NODE, 11: Part.ATTRIBUTE},
    Part.TRAINING: {1: Part.GRAPH, 2: Part.GRAPH},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor: where else its numbers are, and whether they are


def self_contained(content: bytes) -> bool:
    """Whether no tensor of a model says that its numbers are in another file; ValueError for what is no ONNX file."""
    open_parts = [(Part.MODEL, 0, len(content))]
    while open_parts:
        part, at, end = open_parts.pop()
        inside = INSIDE[part]
        while at < end:
            key, at = varint(content, at, end)
            number, kind = key >> 3, key & 7
            value = 0
            if kind == VARINT:
                value, at = varint(content, at, end)
                begin = at
            else:
                begin, at = payload(content, at, end, kind)
            if part is Part.TENSOR and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value)):
                return False
            if kind == BYTES and number in inside:
                open_parts.append((inside[number], begin, at))
    return True


def payload(content: bytes, at: int, end: int, kind: int) -> tuple[int, int]:
    """Where a field's bytes begin and end."""
    if kind == BYTES:
        size, at = varint(content, at, end)
    elif kind in (FIXED_64, FIXED_32):
        size = 8 if kind == FIXED_64 else 4
    else:
        raise ValueError("a field of a kind that ONNX does not have")
    if size > end - at:
        raise ValueError("a field that is longer than what it is in")
    return at, at + size


def varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """The number that begins at an offset, and where it ends."""
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
