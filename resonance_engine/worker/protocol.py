"""Messages between a program and its worker: a JSON header and float32 arrays, nothing that could run code.

A message is the header's length (4 bytes, big endian), the header, then the arrays' bytes in the header's order.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resonance_engine.store.records import EMBEDDING, Analysis, Embedding, Windows

Arrays = dict[str, NDArray[np.float32]]

HEADER_LIMIT = 1 << 20  # bytes; a longer header means that something else wrote into the stream
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
    parts = [len(header).to_bytes(4, "big"), header]
    parts += [np.ascontiguousarray(array, "<f4").tobytes() for array in message.arrays.values()]
    stream.write(b"".join(parts))
    stream.flush()


def receive(stream: Readable) -> Message:
    """Read the next message; raises EOFError where the stream ends, even within it, ValueError for anything else."""
    size = int.from_bytes(read_exactly(stream, 4), "big")
    if size > HEADER_LIMIT:
        raise ValueError(f"a header of {size} bytes is none")
    arrays = {}
    try:
        header = json.loads(read_exactly(stream, size))
        for name, shape in header.pop("arrays").items():
            if not all(type(length) is int and length >= 0 for length in shape):
                raise ValueError("the shape of an array is whole numbers")
            values = np.frombuffer(read_exactly(stream, 4 * math.prod(shape)), "<f4")
            arrays[name] = values.reshape(shape).astype(np.float32)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("the header of a message names its arrays") from error
    return Message(header, arrays)


def read_exactly(stream: Readable, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the other side closed the connection")
    return content


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
