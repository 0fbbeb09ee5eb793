"""Tracks and pools to make lists from, and what the rules ask of a list, said a second time."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from resonance_engine.playlist.rules import SequenceRules, Track, TrackPool
from resonance_engine.search.constraints import Caps
from tests.embeddings import unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ARTISTS = ("", "Bach", "Björk", "Can", "Dylan")
ALBUMS = ("", "Homogenic", "Tago Mago")
WORKS = ("", "", "Partita", "Suite")


@st.composite
def track_lists(draw: st.DrawFn, least: int = 0, most: int = 30) -> list[Track]:
    """Tracks with ids from 1 on, of few artists, albums and works."""
    count = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [
        Track(
            number + 1,
            str(rng.choice(ARTISTS)),
            str(rng.choice(ALBUMS)),
            str(rng.choice(WORKS)),
            int(rng.integers(0, 5)),
            float(rng.integers(0, 400)),
            {"energy": float(rng.integers(-30, 0)), "tempo": float(rng.integers(60, 180))},
        )
        for number in range(count)
    ]


def rules(most: int = 30) -> st.SearchStrategy[SequenceRules]:
    caps = st.builds(Caps, st.integers(0, 4), st.integers(0, 4))
    ids = st.integers(1, max(most, 1))
    groups = st.frozensets(ids, max_size=6)
    return st.builds(
        SequenceRules,
        caps=caps,
        artist_spacing=st.integers(0, 3),
        album_spacing=st.integers(0, 3),
        works=st.sampled_from(["together", "avoid", "ignore"]),
        apart=st.frozensets(st.tuples(ids, ids), max_size=8),
        groups_apart=st.lists(st.tuples(groups, groups), max_size=2).map(tuple),
    )


def pool(tracks: Sequence[Track], seed: int = 0) -> TrackPool:
    vectors = unit_vectors(len(tracks), seed=seed)
    return TrackPool(tracks, vectors, vectors @ unit_vectors(1, seed=seed + 1)[0])


def circle_vectors(*degrees: float) -> NDArray[np.float32]:
    """Vectors in two dimensions, by their angles."""
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def broken_rules(tracks: Sequence[Track], requested: Sequence[Track], rules: SequenceRules) -> list[str]:
    """The rules, other than spacing, that a list breaks with more than the tracks that it was asked to hold."""
    broken = []
    ids = {track.id for track in tracks}
    wanted = {track.id for track in requested}
    if len(ids) != len(tracks):
        broken.append("a repeat")
    for most, name in ((rules.caps.per_artist, "artist"), (rules.caps.per_album, "album")):
        names = [getattr(track, name) for track in tracks if getattr(track, name)]
        allowed = {
            each: max(most or len(tracks), sum(getattr(track, name) == each for track in requested)) for each in names
        }
        broken += [f"{each} too often" for each in set(names) if names.count(each) > allowed[each]]
    broken += [
        f"{one} with {other}"
        for one, other in (*rules.apart, *(pair for groups in rules.groups_apart for pair in product(*groups)))
        if one != other and {one, other} <= ids and not {one, other} <= wanted
    ]
    if rules.works == "avoid":
        works = [track.work for track in tracks if track.work and track.id not in wanted]
        broken += ["a work twice" for work in works if [track.work for track in tracks].count(work) > 1]
    return broken


def spacing_violations(
    tracks: Sequence[Track], rules: SequenceRules, requested: frozenset[int] = frozenset()
) -> list[int]:
    """The places of tracks that come too soon after one of their artist or album; two that were asked for may."""
    return [
        place
        for place, track in enumerate(tracks)
        for name, spacing in (("artist", rules.artist_spacing), ("album", rules.album_spacing))
        if getattr(track, name)
        and any(
            getattr(track, name) == getattr(before, name) and not {track.id, before.id} <= requested
            for before in tracks[max(0, place - spacing) : place]
        )
    ]
