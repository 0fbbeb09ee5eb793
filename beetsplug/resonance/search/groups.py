"""Sets of a library's tracks, such as albums or artists, and those that sound most like some."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from beets.exceptions import UserError

from resonance_engine.search.agreement import representatives
from resonance_engine.search.sets import set_similarity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from beetsplug.resonance.search.session import SearchSession

Name = TypeVar("Name", int, str)

TRACKS_AT_A_TIME = 10_000


def nearest_sets(
    search: SearchSession, seeds: Collection[int], candidates: Mapping[Name, list[int]], count: int
) -> dict[Name, float]:
    """The `count` candidates whose sets of tracks are closest to the set of seeds, best first, with their similarity.

    Tracks are ids of items; those that are not analysed are left out of their sets. Raises UserError where no seed is
    analysed.
    """
    known = vector_ids(search)
    wanted = [known[track] for track in seeds if track in known]
    if not wanted:
        raise UserError("none of the tracks to start from is analysed yet; run `beet resonance analyze`")
    vectors = search.index.vectors(wanted)
    vectors = vectors[representatives(vectors)]
    sets = {name: [known[track] for track in tracks if track in known] for name, tracks in candidates.items()}
    scores: dict[Name, float] = {}
    for part in parts(sets):
        owners = np.repeat(np.arange(len(part)), [len(sets[name]) for name in part])
        members = search.index.vectors([vector for name in part for vector in sets[name]])
        found, closeness = set_similarity(vectors, members, owners)
        scores |= {part[place]: score for place, score in zip(found.tolist(), closeness.tolist(), strict=True)}
    best = sorted(scores, key=lambda name: (-scores[name], name))[:count]
    return {name: min(scores[name], 1.0) for name in best}


def parts(sets: Mapping[Name, list[int]]) -> Iterator[list[Name]]:
    """The names of all sets in groups of so few tracks that their vectors fit into memory at once."""
    group: list[Name] = []
    tracks = 0
    for name, members in sets.items():
        group.append(name)
        tracks += len(members)
        if tracks >= TRACKS_AT_A_TIME:
            yield group
            group, tracks = [], 0
    if group:
        yield group


def vector_ids(search: SearchSession) -> dict[int, int]:
    """The embeddings of all items of the library, by item id."""
    sidecar = search.sidecar
    tracks = sidecar.store.tracks.all(sidecar.id)
    with sidecar.library.transaction() as transaction:
        added = {row["id"]: row["added"] for row in transaction.query("SELECT id, added FROM items")}
    # To look at each path costs seconds, and only where the date was changed is there a doubt.
    doubtful = {each for each, track in tracks.items() if each in added and track.added != added[each]}
    present = ((tracks.keys() & added.keys()) - doubtful) | search.current(sidecar.some_rows(doubtful))
    found = sidecar.store.tracks.vector_ids(sidecar.id, present, search.model.id)
    there = search.index.has(found.values())
    return {item_id: vector for (item_id, vector), is_there in zip(found.items(), there, strict=True) if is_there}
