"""The values that go into the store and come out of it, without database objects; vectors as little-endian float16.

Values are stored rounded and are read back as stored, not normalised again: an index over float16 then holds
them without loss and every reader computes the same score. Rounding moves the length of a 512-wide vector by
about 1e-4, so that its product with itself still reads 1.000.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

EMBEDDING = "embedding"
FLOAT16 = np.dtype("<f2")  # of what is stored


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Embeddings of stretches of a recording, shape (n, dimensions), and where each starts, in seconds."""

    starts: tuple[float, ...]
    vectors: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Output of one model for one recording; every vector is float32 of unit length.

    `gates` are the weights of the facets in the embedding, by modality; `tags` the probabilities, 0 to 1, of all the
    tags that the model names, or nothing.
    """

    vector: Vector
    facets: Mapping[str, Vector] = field(default_factory=dict)
    gates: Mapping[str, float] = field(default_factory=dict)
    windows: Windows | None = None
    tags: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class DenseWindows:
    """Embeddings of windows at equal distances, shape (n, dimensions); window i starts at i * hop seconds.

    Of unit length, or zeros for a silent window, which is similar to nothing.
    """

    hop: float
    length: float
    vectors: Matrix


class LibraryRow(NamedTuple):
    """A library of a store: the id that its rows have there, and what tells it from the others, to programs and people.

    The columns of its table, in their order.
    """

    id: int
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class TrackRow:
    """An item of a library, the state of its file when it was last examined, and the content key of its audio."""

    item_id: int
    added: float
    size: int
    mtime_ns: int
    content_key: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be analysed; `last_tried` in seconds since the epoch."""

    path: bytes
    size: int
    mtime_ns: int
    reason: str
    tries: int
    last_tried: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Attributes of a recording (tempo, key, energy, brightness), and the version of the extractor."""

    extractor_version: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The difference of a model's vectors to an earlier generation; added ids may replace known ones."""

    generation: int
    added_ids: Ids
    added_vectors: Matrix
    removed_ids: Ids

    def __len__(self) -> int:
        return len(self.added_ids) + len(self.removed_ids)


@dataclass(frozen=True, slots=True)
class Counts:
    """Progress of the analysis of a library, in tracks and files."""

    linked: int
    embedded: int
    failed: int


def decode(data: bytes, width: int) -> Vector:
    """Return a stored vector, shape (width,); ValueError for what can be none."""
    out = np.empty((1, width), np.float32)
    decode_rows([data], out)
    vector: Vector = out[0]
    return vector


def decode_rows(rows: Sequence[bytes], out: Matrix | Halves) -> None:
    """Fill `out`, shape (len(rows), width), with stored vectors; ValueError for a row of another width or kind."""
    if set(map(type, rows)) - {bytes}:
        raise ValueError("a stored vector is no bytes")
    size = out.shape[1] * FLOAT16.itemsize
    if set(map(len, rows)) - {size}:
        raise ValueError(f"expected {out.shape[1]} numbers in each stored vector")
    out[:] = np.frombuffer(b"".join(rows), FLOAT16).reshape(out.shape)
