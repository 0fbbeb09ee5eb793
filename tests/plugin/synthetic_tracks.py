"""Sixty tracks of which is known how each sounds and what is tagged, and by brute force what a search has to find."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WIDTH = 16
FACETS = ("timbre", "harmony", "rhythm", "semantic")
TAGS = ("rock", "pop", "jazz", "happy", "guitar", "instrumental", "electronic", "ambient")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in ("C", "G", "D", "A", "E", "Bb", "F"))

BARE: dict[str, Any] = {"hubness": "none", "versions": True, "per_artist": 0, "per_album": 0, "max_length": 0.0}
EVERY: dict[str, Any] = {**BARE, "count": 59}

SOUNDS = 60  # tracks that are analysed, each with a sound of its own; their ids are 1 to 60
OF_AN_ARTIST = 5
TWIN, NEW, STALE = 61, 62, 63  # the sound of 5 in another file; not analysed; a row that means another item
NO_TEXT = b"/music/\xff\xfe.mp3"  # the path of TWIN
LONG, CHRISTMAS = 30, frozenset((31, 32, 33))
SAME = (13, 14)  # sound like 1; 13 is as long as it, too
VERSIONS = frozenset(frozenset(pair) for pair in ((1, 2), (1, 7), (1, 8), (1, 13), (21, 22)))
TAGGED: dict[int, dict[str, Any]] = {
    1: {"mb_trackid": "recording", "mb_workid": "work"},
    2: {"title": "Song 1 (Live at Home)"},
    7: {"mb_trackid": "recording"},
    8: {"mb_workid": "work"},
    13: {"length": 189.0},
    22: {"title": "Song 21 - Remastered 2011"},
    LONG: {"length": 1500.0},
    **{number: {"genres": ["Christmas"]} for number in CHRISTMAS},
    TWIN: {"path": NO_TEXT, "title": "Twin", "artist": "Twin", "albumartist": "Twin", "album": "Twins"},
}


@dataclass(frozen=True, eq=False)
class SyntheticTracks:
    """What is heard in the tracks, in order of id: the rows of all arrays belong to the ids 1 to 60."""

    vectors: Array
    facets: dict[str, Array]
    gates: Array
    tempo: list[float | None]
    key: list[str | None]
    tags: Array

    @cached_property
    def cosines(self) -> Array:
        return self.vectors @ self.vectors.T


def make_tracks(seed: int = 7) -> SyntheticTracks:
    """Artists sound like themselves; 13 and 14 sound like 1."""
    random = np.random.default_rng(seed)
    facets = {}
    for number, name in enumerate(FACETS):
        artists = np.repeat(unit_vectors(SOUNDS // OF_AN_ARTIST, WIDTH, seed + number), OF_AN_ARTIST, axis=0)
        facets[name] = unit(artists + 0.9 * unit_vectors(SOUNDS, WIDTH, seed + 10 + number))
    gates = random.dirichlet((4, 2, 2, 4), SOUNDS)
    for copy in SAME:
        gates[copy - 1] = gates[0]
        for number, vectors in enumerate(facets.values()):
            vectors[copy - 1] = unit(vectors[0] + 0.03 * unit_vectors(1, WIDTH, copy + number)[0])
    vectors = unit(sum(gate[:, None] * vectors for gate, vectors in zip(gates.T, facets.values(), strict=True)))
    return SyntheticTracks(
        round_as_stored(vectors),
        {name: round_as_stored(each) for name, each in facets.items()},
        gates,
        [None if number % 10 == 0 else float(tempo) for number, tempo in enumerate(random.uniform(60, 180, SOUNDS), 1)],
        [None if number % 12 == 0 else str(each) for number, each in enumerate(random.choice(KEYS, SOUNDS), 1)],
        round_as_stored(random.uniform(0.01, 0.99, (SOUNDS, len(TAGS)))),
    )


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def round_as_stored(values: Any) -> Any:
    """As the store gives them back."""
    return stored(values.astype(np.float32)).astype(np.float64)


def tags_of(number: int) -> dict[str, Any]:
    """What is tagged of an item. Artists are A to L; the last one's tracks are guests on a compilation."""
    artist = f"Artist {'ABCDEFGHIJKLM'[(number - 1) // OF_AN_ARTIST]}"
    usual = {
        "title": f"Song {number}",
        "artist": artist,
        "albumartist": artist,
        "album": "First" if (number - 1) % OF_AN_ARTIST < 3 else "Second",
        "length": 180.0 + 7 * number,
        "year": 1960 + number,
        "genres": ["Jazz"] if number % 4 == 0 else ["Rock"],
        "path": f"/music/{number}.mp3".encode(),
        "added": 1000.0 + number,
        "mb_trackid": "",
        "mb_workid": "",
    }
    if number > SOUNDS - OF_AN_ARTIST and number <= SOUNDS:
        usual |= {"artist": f"Guest {number}", "albumartist": "Various Artists", "album": "Hits", "comp": True}
    return usual | TAGGED.get(number, {})


def artist(item_id: int) -> str:
    """Whom a track counts for: on the compilation its own artist."""
    said = tags_of(item_id)
    return str(said["artist"] if "comp" in said else said["albumartist"])


def album(item_id: int) -> str:
    """Which record a track is on."""
    said = tags_of(item_id)
    return f"{'' if 'comp' in said else said['albumartist']} / {said['album']}"


def expected_list(
    order: Sequence[int], count: int, seeds: Sequence[int] = (), per_artist: int = 0, per_album: int = 0
) -> list[int]:
    """The first `count` of an order that the caps let through, and no two of which are versions of one song."""
    chosen: list[int] = []
    for each in order:
        if (
            len(chosen) < count
            and within_caps(each, chosen, per_artist, per_album)
            and not is_version(each, (*chosen, *seeds))
        ):
            chosen.append(each)
    return chosen


def within_caps(item_id: int, others: Sequence[int], per_artist: int, per_album: int) -> bool:
    """Whether the caps let a list take a track in; 0 is none."""
    artists = [artist(each) for each in others].count(artist(item_id))
    albums = [album(each) for each in others].count(album(item_id))
    return not ((per_artist and artists >= per_artist) or (per_album and albums >= per_album))


def is_version(item_id: int, others: Sequence[int]) -> bool:
    """Whether a track is a version of another."""
    return any(frozenset((item_id, other)) in VERSIONS for other in others)


def rank(scores: Array, without: Sequence[int] = ()) -> list[int]:
    """Ids 1 to 60, the highest score first."""
    order = (np.argsort(-scores, kind="stable") + 1).tolist()
    return [each for each in order if each not in without]
