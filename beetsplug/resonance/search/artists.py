"""Artists as sets of tracks, and those that sound most like some."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from beetsplug.resonance.library.item_query import matching_ids
from beetsplug.resonance.library.metadata import metadata_of
from beetsplug.resonance.search.groups import nearest_sets
from resonance_engine.search.versions import artist_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Library

    from beetsplug.resonance.search.session import SearchSession

    Artists = dict[str, list[int]]


def tracks_by_artist(library: Library, query: Sequence[str]) -> Artists:
    """The ids of the items that a query matches, by the artist whom they count for; an empty query matches all.

    That is the album artist, on a compilation the track's own; tracks of nobody in particular are left out. Names that
    differ by case, accents, punctuation, guests or a leading "The" are one artist, named as most of the tracks do.
    """
    spellings: dict[str, Counter[str]] = {}
    tracks: Artists = {}
    for item_id, track in sorted(metadata_of(library, matching_ids(library, query)).items()):
        if track.artist:
            name = artist_name(track.artist)
            spellings.setdefault(name, Counter())[track.artist] += 1
            tracks.setdefault(name, []).append(item_id)
    return {min(spelt, key=lambda each: (-spelt[each], each)): tracks[name] for name, spelt in spellings.items()}


def nearest_artists(search: SearchSession, seeds: Artists, candidates: Artists, count: int) -> dict[str, float]:
    """The `count` candidates whose tracks are closest to those of all seeds, best first, with their similarity.

    Sets of tracks are compared, not their means; the seeds themselves, however they are spelt, do not come up. Tracks
    that are not analysed are left out. Raises UserError where no track of a seed is analysed.
    """
    mine = {artist_name(name) for name in seeds}
    others = {name: tracks for name, tracks in candidates.items() if artist_name(name) not in mine}
    return nearest_sets(search, [track for tracks in seeds.values() for track in tracks], others, count)
