"""Messages between a program and its worker: a JSON header and float32 arrays, nothing that could run code.

A message is the header's length (4 bytes, big endian), the header, then the arrays' bytes in the header's order.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resonance_engine.store.records import EMBEDDING, Analysis, Embedding, Windows

Arrays = dict[str, NDArray[np.float32]]

HEADER_LIMIT = 1 << 20  # bytes; a longer header means that something else wrote into the stream
PREFIX = 4  # bytes of a header's length
BROKEN_OFF = "the other side closed the connection"
WINDOWS, FACET = "windows", "facet:"  # arrays of an embedding


@dataclass(frozen=True)
class Message:
    """`header` holds plain JSON values; `arrays` are float32."""

    header: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)


class Readable(Protocol):
    """A stream whose `read` returns fewer bytes than requested only at its end."""

    def read(self, count: int, /) -> bytes: ...


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message; raises OSError when the stream is closed, ValueError, before any write, for invalid values."""
    shapes = {name: array.shape for name, array in message.arrays.items()}
    header = json.dumps({**message.header, "arrays": shapes}, allow_nan=False).encode()
    parts = [len(header).to_bytes(PREFIX, "big"), header]
    parts += [np.ascontiguousarray(array, "<f4").tobytes() for array in message.arrays.values()]
    stream.write(b"".join(parts))
    stream.flush()


def receive(stream: Readable) -> Message:
    """Read the next message; raises EOFError where the stream ends, even within it, ValueError for anything else."""
    prefix = stream.read(PREFIX)
    size = int.from_bytes(prefix, "big")
    if size > HEADER_LIMIT:
        raise ValueError(f"a header of {size} bytes is none")
    content = stream.read(size)
    if len(prefix) < PREFIX or len(content) < size:
        raise EOFError(BROKEN_OFF)
    try:
        header = json.loads(content)
        shapes = header.pop("arrays")
        if not all(type(length) is int and length >= 0 for shape in shapes.values() for length in shape):
            raise ValueError("the shape of an array is whole numbers")
        sizes = [math.prod(shape) for shape in shapes.values()]
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("the header of a message names its arrays") from error
    if not sizes:
        return Message(header)
    numbers = stream.read(4 * sum(sizes))
    if len(numbers) < 4 * sum(sizes):
        raise EOFError(BROKEN_OFF)
    parts = np.split(np.frombuffer(numbers, "<f4").astype(np.float32), np.cumsum(sizes)[:-1])
    arrays = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
    return Message(header, arrays)


def encode(message: Message) -> bytes:
    """Return a message as bytes; raises ValueError for invalid values."""
    stream = BytesIO()
    send(stream, message)
    return stream.getvalue()


def decode(content: bytes) -> Message:
    """Return the message that bytes hold; raises EOFError or ValueError where they hold none."""
    return receive(BytesIO(content))


def analysis_message(embedding: Embedding, analysis: Analysis) -> Message:
    """Return the message that carries a recording's embedding, with its windows, and attributes."""
    assert embedding.windows is not None, "an encoder embeds windows"
    header = {"gates": embedding.gates, "tags": embedding.tags, "starts": embedding.windows.starts}
    header |= {"attributes": analysis.attributes, "extractor": analysis.extractor_version}
    facets = {FACET + name: vector for name, vector in embedding.facets.items()}
    return Message(header, {EMBEDDING: embedding.vector, WINDOWS: embedding.windows.vectors, **facets})


def read_analysis(message: Message) -> tuple[Embedding, Analysis]:
    """Return what `analysis_message` was made of."""
    header, arrays = message.header, message.arrays
    embedding = Embedding(
        vector=arrays[EMBEDDING],
        facets={name: arrays[FACET + name] for name in header["gates"]},
        gates=header["gates"],
        windows=Windows(tuple(header["starts"]), arrays[WINDOWS]),
        tags=header["tags"],
    )
    return embedding, Analysis(header["extractor"], header["attributes"])
