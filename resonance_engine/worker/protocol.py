"""Messages between a program and its worker: a JSON header and arrays of numbers, and nothing that could run code.

A message is the header's length (4 bytes, big endian), the header, then the arrays' bytes in the header's order.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]

HEADER_LIMIT = 1 << 20  # bytes; a longer header means that something else wrote into the stream


@dataclass(frozen=True)
class Message:
    """`header` holds plain JSON values; `arrays` are float32."""

    header: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)


class Readable(Protocol):
    """A stream whose `read` gives fewer bytes than asked for only where it ends."""

    def read(self, count: int, /) -> bytes: ...


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message; raises OSError when nobody listens, ValueError, before anything is written, when it is none."""
    shapes = {name: array.shape for name, array in message.arrays.items()}
    header = json.dumps({**message.header, "arrays": shapes}, allow_nan=False).encode()
    parts = [len(header).to_bytes(4, "big"), header]
    parts += [np.ascontiguousarray(array, "<f4").tobytes() for array in message.arrays.values()]
    stream.write(b"".join(parts))
    stream.flush()


def receive(stream: Readable) -> Message:
    """The next message; raises EOFError when the other side is gone, even in the middle, ValueError for no message."""
    size = int.from_bytes(exactly(stream, 4), "big")
    if size > HEADER_LIMIT:
        raise ValueError(f"a header of {size} bytes is none")
    arrays = {}
    try:
        header = json.loads(exactly(stream, size))
        for name, shape in header.pop("arrays").items():
            if not all(type(length) is int and length >= 0 for length in shape):
                raise ValueError("the shape of an array is whole numbers")
            values = np.frombuffer(exactly(stream, 4 * math.prod(shape)), "<f4")
            arrays[name] = values.reshape(shape).astype(np.float32)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("the header of a message names its arrays") from error
    return Message(header, arrays)


def exactly(stream: Readable, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the other side closed the connection")
    return content
