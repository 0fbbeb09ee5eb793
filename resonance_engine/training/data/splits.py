"""Split songs into training and held-out ones, so that no artist, album or identity is on both sides."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError
from resonance_engine.search.names import normalise_artist
from resonance_engine.training.data.songs import connected_components

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence, Set
    from pathlib import Path

    from resonance_engine.training.data.songs import Song

log = logging.getLogger(__name__)

FEWEST = 2
"""Songs that either side must have."""

HELD_OUT, SEED = 0.25, 0
"""Share of the songs that judge a fine-tuned model, and the order in which they are drawn."""

FAR_BELOW = 0.75
"""Part of the requested share below which the shortfall is logged."""


def split_songs(songs: Sequence[Song], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return positions of the songs to train on and of those held out, about `share` of all.

    No artist, album or identity is on both sides: songs that any of them links, directly or through others, go
    together. Such groups are taken in an order drawn from `seed`, each that still fits. The order depends on names, not
    on the order of `songs` nor on the folder that the music is in, so that machines agree, and new songs move few old
    ones. Where the groups are too large for the share, less is held out, with a warning; raises ConfigError where
    nothing can be.
    """
    if len(songs) < 2 * FEWEST:
        raise ConfigError(f"Nothing can be held out of {len(songs)} songs; training needs at least {2 * FEWEST}.")
    groups = order_groups(songs, share, seed)
    apart = set(choose_groups(groups, max(share * len(songs), FEWEST), len(songs) // 2))
    largest = max(map(len, groups))
    if len(apart) < FEWEST:
        raise ConfigError(
            f"Nothing can be held out: {largest} of {len(songs)} songs hang together by artist and album; add music "
            "of other artists."
        )
    if len(apart) < FAR_BELOW * share * len(songs):
        log.warning(
            "only %d of %d songs are held out: %d hang together by artist and album", len(apart), len(songs), largest
        )
    return [place for place in range(len(songs)) if place not in apart], sorted(apart)


def order_groups(songs: Sequence[Song], share: float, seed: int) -> list[list[int]]:
    """Return the positions of linked songs, group by group in an order drawn from `seed`."""
    return sorted(connected_components(link_keys(songs, share)), key=lambda group: group_rank(songs, group, seed))


def order_songs(songs: Sequence[Song]) -> list[int]:
    """Return the positions of songs in the order to fine-tune on a part of them: whole artists and albums."""
    return [place for group in order_groups(songs, HELD_OUT, SEED) for place in group]


def choose_groups(groups: Sequence[list[int]], target: float, most: int) -> list[int]:
    """Choose groups up to `target` songs in their order, and the smallest other one where that is nearer."""
    taken: list[int] = []
    left = []
    for group in groups:
        if len(taken) + len(group) <= target:
            taken += group
        else:
            left.append(group)
    smallest = min(left, key=len)  # not all fit, as the target is at most half
    size = len(taken) + len(smallest)
    nearer = abs(size - target) < abs(len(taken) - target) or len(taken) < FEWEST
    selected = taken + smallest if nearer and size <= most else taken
    if len(selected) < FEWEST:  # a song by itself came first, and no group fits beside it
        return min((group for group in groups if FEWEST <= len(group) <= most), key=len, default=selected)
    return selected


def link_keys(songs: Sequence[Song], share: float) -> list[list[Hashable]]:
    """Return the keys that link songs: artists, album, identity.

    An album is known by its artist and by its folder, as many are called "Greatest Hits", and as tracks of a
    compilation name no common artist. Songs without any names are tied by their folder, if it is small enough to be
    held out whole.
    """
    nameless = Counter(song.path.parent for song in songs if not song.artists and not song.record)
    small = {folder for folder, count in nameless.items() if count <= share * len(songs)}
    return [list(link_keys_of(song, small)) for song in songs]


def link_keys_of(song: Song, small: Set[Path]) -> Iterator[Hashable]:
    folder = song.path.parent
    for artist in song.artists:
        yield "artist", artist
    if song.identity:
        yield "identity", song.identity
    if song.record:
        yield "album", normalise_artist(song.albumartist) or normalise_artist(song.artist), song.record
        yield "album in", folder, song.record
    elif not song.artists and folder in small:
        yield "folder", folder


def group_rank(songs: Sequence[Song], group: Sequence[int], seed: int) -> tuple[bytes, str]:
    """Return the sort key of a group in the random order: a hash of its first name, the same on every machine."""
    members = [songs[place] for place in group]
    named = [(song.artist, song.album, song.title, song.path.parent.name, song.path.name) for song in members]
    name, path = min(("\0".join(names), str(song.path)) for names, song in zip(named, members, strict=True))
    return hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "surrogateescape")).digest(), path
