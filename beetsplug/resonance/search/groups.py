"""Albums and artists as groups of tracks, and those whose tracks are most similar to the seeds' as sets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.items import matching_ids, metadata_of, no_match
from beetsplug.resonance.library.track_rows import all_current_rows
from resonance_engine.search.names import normalise_artist
from resonance_engine.search.vector_sets import representatives, set_similarity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from beets.library import Library

    from beetsplug.resonance.search.session import SearchSession

    Albums = dict[int, list[int]]
    Artists = dict[str, list[int]]

Name = TypeVar("Name", int, str)

TRACKS_AT_A_TIME = 10_000


def tracks_by_album(library: Library, query: Sequence[str]) -> Albums:
    """Return the ids of the items on albums that a query matches, by album id; an empty query matches all."""
    albums = {album.id for album in library.albums(query)} if query else None
    with library.transaction() as transaction:
        rows = transaction.query("SELECT id, album_id FROM items WHERE album_id IS NOT NULL ORDER BY album_id, id")
    tracks: Albums = {}
    for row in rows:
        if albums is None or row["album_id"] in albums:
            tracks.setdefault(row["album_id"], []).append(row["id"])
    return tracks


def require_matches(library: Library, groups: Albums | Artists, noun: str, query: Sequence[str], command: str) -> None:
    """Raise UserError where a query matches no album or artist."""
    if not groups:
        raise no_match(library, command, query, noun)


def tracks_by_artist(library: Library, query: Sequence[str]) -> Artists:
    """Return the ids of the items that a query matches, by the artist that they count for; an empty query matches all.

    That is the album artist, on a compilation the track's own; tracks of various artists are left out. Names that
    differ by case, accents, punctuation, guests or a leading "The" are one artist, named as most of the tracks do.
    """
    spellings: dict[str, Counter[str]] = {}
    tracks: Artists = {}
    for item_id, track in sorted(metadata_of(library, matching_ids(library, query)).items()):
        if track.artist:
            name = normalise_artist(track.artist)
            spellings.setdefault(name, Counter())[track.artist] += 1
            tracks.setdefault(name, []).append(item_id)
    return {min(spelt, key=lambda each: (-spelt[each], each)): tracks[name] for name, spelt in spellings.items()}


def nearest_groups(
    session: SearchSession, seeds: Mapping[Name, list[int]], candidates: Mapping[Name, list[int]], count: int
) -> dict[Name, float]:
    """Return the `count` albums or artists whose sets of tracks are closest to that of all seeds, best first.

    With scores; see `set_similarity`. The seeds themselves, however artists are spelt, do not come up, and those of
    which most is spoken only beside spoken seeds. Tracks that are not analysed are left out. Raises UserError where no
    track of a seed is analysed.
    """
    own = {normalise_artist(name) if isinstance(name, str) else name for name in seeds}
    vector_ids = all_vector_ids(session)
    seed_ids = [vector_ids[each] for tracks in seeds.values() for each in tracks if each in vector_ids]
    if not seed_ids:
        raise UserError("none of the tracks to start from is analysed yet; run `beet resonance analyze`")
    vectors = session.index.vectors(seed_ids)
    vectors = vectors[representatives(vectors)]
    groups = {
        name: [vector_ids[each] for each in tracks if each in vector_ids]
        for name, tracks in candidates.items()
        if (normalise_artist(name) if isinstance(name, str) else name) not in own
    }
    scores: dict[Name, float] = {}
    for names in batches(groups):
        owners = np.repeat(np.arange(len(names)), [len(groups[name]) for name in names])
        members = session.index.vectors([vector_id for name in names for vector_id in groups[name]])
        places, similarities = set_similarity(vectors, members, owners)
        scores |= {names[place]: score for place, score in zip(places.tolist(), similarities.tolist(), strict=True)}
    best: list[Name] = []
    voices = session.voices
    allows_spoken = bool(voices.spoken(seed_ids))
    for name in sorted(scores, key=lambda name: (-scores[name], name)):
        if len(best) == count:
            break
        # As a track that is spoken does not come up beside music, an album of such tracks does not.
        if allows_spoken or 2 * len(voices.spoken(groups[name])) <= len(groups[name]):
            best.append(name)
    return {name: min(scores[name], 1.0) for name in best}


def batches(groups: Mapping[Name, list[int]]) -> Iterator[list[Name]]:
    """Yield the names of all groups in batches of so few tracks that their vectors fit into memory at once."""
    names: list[Name] = []
    tracks = 0
    for name, members in groups.items():
        names.append(name)
        tracks += len(members)
        if tracks >= TRACKS_AT_A_TIME:
            yield names
            names, tracks = [], 0
    if names:
        yield names


def all_vector_ids(session: SearchSession) -> dict[int, int]:
    """Return the vector ids of all items of the library, by item id."""
    sidecar = session.sidecar
    vector_ids = session.store.tracks.vector_ids(sidecar.id, all_current_rows(sidecar), session.model.id)
    in_index = session.index.has(vector_ids.values())
    return {item_id: each for (item_id, each), is_known in zip(vector_ids.items(), in_index, strict=True) if is_known}
