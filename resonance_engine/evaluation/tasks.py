"""Three questions to a space of tracks: same album, same artist, same genre, each also without the easy answers.

Recordings of one artist, or of one album, share a studio and a mastering, and a model that hears only those looks
good. So the same album is looked for among other artists' tracks, the same artist on other albums, and the genre
among other artists' tracks on other albums. Next to each stands the unfiltered task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from resonance_engine.evaluation.retrieval import Relevance, same_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

UNFILTERED = ", unfiltered"


class Labelled(Protocol):
    """A track's metadata; an empty text where nothing is known.

    `record` is the name of the album as it is compared, `artists` the names that stand for somebody, likewise.
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
    """What is relevant and what is allowed for every song as a query, by name of the task.

    "album" leaves the query's artist out, "artist" its album, "genre" both; "album, unfiltered" and so on leave
    nothing out but the query itself. Songs without an artist stay in, for nothing is known to leave them out by.
    Where songs belong together by name of a pair, "pair" asks for those.
    """
    albums, artists = [album_label(song) for song in songs], [artist_label(song) for song in songs]
    album, artist = same_label(albums), same_label(artists)
    genre = same_label([named(song.genre) for song in songs])
    pairs = [song.identity for song in songs]
    found = {
        "album": album.without(artists),
        "album" + UNFILTERED: album,
        "artist": artist.without(albums),
        "artist" + UNFILTERED: artist,
        "genre": genre.without(artists).without(albums),
        "genre" + UNFILTERED: genre,
    }
    return found | {"pair": same_label(pairs)} if any(pairs) else found


def named(name: str) -> str:
    """A name as it is compared: case and spaces don't count."""
    return " ".join(name.casefold().split())


def album_label(song: Labelled) -> str:
    """The album with its album artist or, where there is none, with its folder: many albums are "Greatest Hits"."""
    return f"{song.record}\n{named(song.albumartist) or song.path.parent}" if song.record else ""


def artist_label(song: Labelled) -> str:
    """Who made the song itself; empty for "Various Artists" and their like."""
    name = named(song.artist)
    return name if name in song.artists else ""


def album_groups(songs: Sequence[Labelled]) -> list[str]:
    """What intervals draw as a whole: the song's album, or the song itself where it has none."""
    return [album_label(song) or f"\n{place}" for place, song in enumerate(songs)]
