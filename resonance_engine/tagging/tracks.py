"""The tracks of a library as arrays: embeddings, whose they are, and their labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.duplicates import SOUND_RULES
from resonance_engine.search.names import is_album, normalise_artist, normalise_name
from resonance_engine.search.same_sound import scale_threshold, spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Codes = NDArray[np.int64]
    Mask = NDArray[np.bool_]

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class LabelledTracks:
    """n tracks: unit `vectors` (n, d), codes of `recordings`, `artists` and `albums` (n,), and labels.

    Codes are UNKNOWN where a name is, which equals no other. Tracks of one recording have the same sound. `labels` are
    the L different labels, and `has_label` (n, L) those that each track carries.
    """

    vectors: Vectors
    recordings: Codes
    artists: Codes
    albums: Codes
    labels: tuple[str, ...]
    has_label: Mask

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def labelled(self) -> Codes:
        """The places of the tracks with a label, ascending."""
        return np.flatnonzero(self.has_label.any(axis=1))

    @cached_property
    def spread(self) -> float:
        """1 less the mean similarity of two tracks, which differs by network."""
        count, total = len(self), self.vectors.sum(axis=0, dtype=np.float64)
        squares = float(np.einsum("nd,nd->", self.vectors, self.vectors, dtype=np.float64))
        return spread_of((float(total @ total) - squares) / max(count * (count - 1), 1), count)

    @property
    def copy_cosine(self) -> float:
        """The least cosine at which two tracks may be copies of one recording, as for duplicates."""
        return scale_threshold(SOUND_RULES[0].cosine, self.spread)


def build_table(
    vectors: Vectors,
    recordings: Sequence[int],
    artists: Sequence[str],
    albums: Sequence[str],
    labels: Sequence[Sequence[str]],
) -> LabelledTracks:
    """Return a table of n tracks by the names that they are tagged with, empty where unknown.

    Raises ValueError for vectors that are not finite, and where the lengths differ.
    """
    if not np.isfinite(vectors).all():
        raise ValueError("Expected vectors of finite numbers.")
    count = len(vectors)
    for column in (recordings, artists, albums, labels):
        if len(column) != count:
            raise ValueError(f"Expected {count} values a column, got {len(column)}.")
    names, has_label = encode_labels(labels)
    return LabelledTracks(
        vectors,
        np.asarray(recordings, np.int64),
        encode([normalise_artist(name) for name in artists]),
        encode([normalise_name(name) if is_album(name) else "" for name in albums]),
        names,
        has_label,
    )


def encode(names: Sequence[str]) -> Codes:
    """Return a code (n,) for each name, equal for equal names; UNKNOWN for an empty one."""
    codes: dict[str, int] = {"": UNKNOWN}
    for name in names:
        codes.setdefault(name, len(codes) - 1)
    return np.array([codes[name] for name in names], np.int64)


def encode_labels(labels: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], Mask]:
    """Return the different labels, by name, and which of them each of n tracks carries, (n, labels).

    Labels that differ by case, accents or punctuation are one, spelt as most tracks do.
    """
    spellings: dict[str, Counter[str]] = {}
    rows = [[label.strip() for label in row if label.strip()] for row in labels]
    for row in rows:
        for label in row:
            spellings.setdefault(normalise_name(label), Counter())[label] += 1
    columns = {name: column for column, name in enumerate(sorted(spellings))}
    has_label = np.zeros((len(rows), len(columns)), np.bool_)
    for place, row in enumerate(rows):
        has_label[place, [columns[normalise_name(label)] for label in row]] = True
    return tuple(min(spelt, key=lambda each: (-spelt[each], each)) for _, spelt in sorted(spellings.items())), has_label
