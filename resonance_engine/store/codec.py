"""Vectors and probabilities as little-endian float16 bytes, and the rules that they have to keep.

Values are stored rounded and are read back as stored, not normalised again: an index over float16 then holds
them without loss and every reader computes the same score. Rounding moves the length of a 512-wide vector by
about 1e-4, so that its product with itself still reads 1.000.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.store.models import Model
    from resonance_engine.store.records import Embedding, Matrix, Vector

LENGTH_TOLERANCE = 1e-3
# A vector just inside the tolerance may leave it when it is rounded: half a unit in the last of float16's 11
# bits.
STORED_TOLERANCE = LENGTH_TOLERANCE + 2.0**-11

FLOAT16 = np.dtype("<f2")  # of what is stored


def decode(data: bytes, width: int) -> Vector:
    """Return a stored vector, shape (width,); ValueError for what can be none."""
    out = np.empty((1, width), np.float32)
    decode_rows([data], out)
    vector: Vector = out[0]
    return vector


def decode_rows(rows: Sequence[bytes], out: Matrix) -> None:
    """Fill `out`, shape (len(rows), width), with stored vectors; ValueError for a row of another width or kind."""
    if set(map(type, rows)) - {bytes}:
        raise ValueError("a stored vector is no bytes")
    size = out.shape[1] * FLOAT16.itemsize
    if set(map(len, rows)) - {size}:
        raise ValueError(f"expected {out.shape[1]} numbers in each stored vector")
    out[:] = np.frombuffer(b"".join(rows), FLOAT16).reshape(out.shape)


def vector_defect(vector: Vector, width: int, tolerance: float = LENGTH_TOLERANCE) -> str | None:
    """Return what is wrong with a vector, as the end of a sentence; None when it can be stored."""
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.shape != (width,):
        actual = f"{vector.dtype} {vector.shape}" if isinstance(vector, np.ndarray) else type(vector).__name__
        return f"should be float32 ({width},) and is {actual}"
    if not np.isfinite(vector).all():
        return "holds values that are not finite"
    length = float(np.linalg.norm(vector))
    if abs(length - 1.0) > tolerance:
        return f"should have length 1 and has {length:.4f}"
    return None


def stored_vector_defect(data: object, width: int) -> str | None:
    """Return what is wrong with a stored vector, as the end of a sentence; None if nothing is."""
    if not isinstance(data, bytes):
        return f"should be bytes and is {type(data).__name__}"
    if len(data) != width * FLOAT16.itemsize:
        return f"should take {width * FLOAT16.itemsize} bytes and takes {len(data)}"
    return vector_defect(decode(data, width), width, STORED_TOLERANCE)


def stored_tags_defect(data: object, count: int) -> str | None:
    """Return what is wrong with the stored probabilities of `count` tags, as the end of a sentence, or None."""
    if not isinstance(data, bytes):
        return f"should be bytes and are {type(data).__name__}"
    if len(data) != FLOAT16.itemsize * count:
        return f"should take {FLOAT16.itemsize * count} bytes and take {len(data)}"
    probabilities = decode(data, count)
    return None if ((probabilities >= 0) & (probabilities <= 1)).all() else "should lie between 0 and 1 and do not"


def verify(embedding: Embedding, model: Model) -> None:
    """Raise ValueError for what in `embedding` the model can't have given."""
    widths = model.widths()
    unknown = sorted((set(embedding.facets) | set(embedding.gates)) - set(model.modalities))
    if unknown:
        known = ", ".join(model.modalities) or "none"
        raise ValueError(f"The model {model.name} has no facet {unknown[0]!r}; its facets: {known}.")
    named = [("embedding", embedding.vector, model.dimensions)]
    named += [(f"{kind} facet", facet, widths[kind]) for kind, facet in embedding.facets.items()]
    if embedding.windows:
        starts, vectors = embedding.windows.starts, embedding.windows.vectors
        if len(starts) != len(vectors):
            raise ValueError(f"There are {len(vectors)} windows and {len(starts)} starting times; give one to each.")
        named += [(f"window at {start:g} s", row, model.dimensions) for start, row in zip(starts, vectors, strict=True)]
    for name, vector, width in named:
        reason = vector_defect(vector, width)
        if reason:
            raise ValueError(f"The {name} {reason}.")
    for kind, gate in embedding.gates.items():
        if not math.isfinite(gate):
            raise ValueError(f"The gate of the {kind} facet should be a finite number and is {gate}.")
    verify_tags(embedding, model)


def verify_tags(embedding: Embedding, model: Model) -> None:
    """Raise ValueError where tags are given that are not all of the model's, or no probabilities."""
    if not embedding.tags:
        return
    odd = sorted(set(embedding.tags) ^ set(model.tags))
    if odd:
        raise ValueError(f"The {len(model.tags)} tags of {model.name} come all at once; {odd[0]!r} is the odd one.")
    for name, probability in embedding.tags.items():
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"The tag {name!r} should have a probability of 0 to 1 and has {probability}.")
