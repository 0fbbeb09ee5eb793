"""Retrieval tasks (same album, artist, genre, each filtered and unfiltered), and folds for cross-validation.

Recordings of one artist, or of one album, share a studio and a mastering, and a model of those alone would score
well. So the same album is searched among other artists' tracks, the same artist on other albums, and the genre among
other artists' tracks on other albums. Next to each stands the unfiltered task.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.evaluation.metrics import Relevance, same_label
from resonance_engine.search.names import is_artist, normalise_artist, normalise_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

UNFILTERED = ", unfiltered"
FOLDS = 5


class Labelled(Protocol):
    """A track's metadata; an empty text where unknown.

    `record` is the normalised name of the album, `artists` the normalised names of actual artists (not "Various
    Artists").
    """

    @property
    def path(self) -> Path: ...
    @property
    def artist(self) -> str: ...
    @property
    def artists(self) -> set[str]: ...
    @property
    def record(self) -> str: ...
    @property
    def albumartist(self) -> str: ...
    @property
    def genre(self) -> str: ...
    @property
    def identity(self) -> str: ...


def tasks(songs: Sequence[Labelled]) -> dict[str, Relevance]:
    """Return the relevance of each task with every song as a query, by the task's name.

    "album" filters out the query's artist, "artist" its album, "genre" both; "album, unfiltered" and so on filter
    nothing but the query itself. Songs without an artist pass an artist filter. Where songs have the identity of a
    pair, the task "pair" retrieves those.
    """
    albums, artists = [album_label(song) for song in songs], [artist_label(song) for song in songs]
    album, artist = same_label(albums), same_label(artists)
    genre = same_label([normalise_name(song.genre) for song in songs])
    pairs = [song.identity for song in songs]
    relevances = {
        "album": album.without(artists),
        "album" + UNFILTERED: album,
        "artist": artist.without(albums),
        "artist" + UNFILTERED: artist,
        "genre": genre.without(artists).without(albums),
        "genre" + UNFILTERED: genre,
    }
    return relevances | {"pair": same_label(pairs)} if any(pairs) else relevances


def album_label(song: Labelled) -> str:
    """Return the album with its album artist or else its folder, since many albums are "Greatest Hits"; or empty."""
    return f"{song.record}\n{normalise_artist(song.albumartist) or song.path.parent}" if song.record else ""


def artist_label(song: Labelled) -> str:
    """Return the normalised name of the song's artist; empty for "Various Artists" and similar."""
    return normalise_artist(song.artist) if is_artist(song.artist) else ""


def album_groups(songs: Sequence[Labelled]) -> list[str]:
    """Return the group that a bootstrap draws as a whole: the song's album, or the song itself where it has none."""
    return [album_label(song) or f"\n{place}" for place, song in enumerate(songs)]


def select_albums(songs: Sequence[Labelled], most: int) -> list[int]:
    """Select the songs to evaluate, by position: all, or whole albums, always the same ones, up to `most`."""
    if len(songs) <= most:
        return list(range(len(songs)))
    groups = album_groups(songs)
    rank = {name: place for place, name in enumerate(np.random.default_rng(0).permutation(sorted(set(groups))))}
    return sorted(sorted(range(len(songs)), key=lambda place: rank[groups[place]])[:most])


def assign_folds(groups: Sequence[str], folds: int = FOLDS) -> NDArray[np.intp]:
    """Return the fold (0 to folds - 1) of each track, split by whole groups (soundtracks, albums).

    The largest group comes first, into the fold with the fewest tracks. Of groups of one size, the first by name comes
    first; of folds of one size, the first takes it.
    """
    sizes = [0] * folds
    fold = {}
    for name, count in sorted(Counter(groups).items(), key=lambda item: (-item[1], item[0])):
        fold[name] = sizes.index(min(sizes))
        sizes[fold[name]] += count
    return np.array([fold[name] for name in groups])
