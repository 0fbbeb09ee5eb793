"""What a player browses of a collection: artists, albums, tracks with all their tags, genres, saved playlists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonance_engine.server.collection import TrackRecord

AlbumOrder = Literal["random", "newest", "highest", "frequent", "recent", "title", "artist", "year", "year down"]
TrackOrder = Literal["album", "best", "random"]


@dataclass(frozen=True)
class Artist:
    """An artist with the number of their albums; `sort_name` is what they are ordered by."""

    name: str
    albums: int = 0
    sort_name: str = ""


@dataclass(frozen=True)
class Album:
    """An album; `added`, in seconds since the epoch, is when it came into the collection, `year` is 0 where unknown."""

    id: int
    title: str
    artist: str = ""
    year: int = 0
    genres: tuple[str, ...] = ()
    added: float = 0.0
    tracks: int = 0
    seconds: float = 0.0
    is_compilation: bool = False
    musicbrainz_id: str = ""


@dataclass(frozen=True)
class ListedTrack:
    """A track as players list it; numbers are 0 where unknown.

    `album` is the id of its album, None for a single track; `number` and `disc` are its place there. `bit_rate` is in
    kbit/s, `sample_rate` in Hz. `path` is relative to the folder of the music. `plays` counts how often it was played,
    `played` is when, like `added` in seconds since the epoch.
    """

    track: TrackRecord
    path: str = ""
    album: int | None = None
    album_artist: str = ""
    number: int = 0
    disc: int = 0
    genres: tuple[str, ...] = ()
    bit_rate: int = 0
    sample_rate: int = 0
    bit_depth: int = 0
    channels: int = 0
    tempo: int = 0
    musicbrainz_id: str = ""
    added: float = 0.0
    plays: int = 0
    played: float = 0.0


@dataclass(frozen=True)
class Genre:
    """A genre with the numbers of its tracks and albums."""

    name: str
    tracks: int
    albums: int


@dataclass(frozen=True)
class SavedPlaylist:
    """A playlist's file by its name, the ids of its tracks, and when it changed, in seconds since the epoch."""

    file: str
    tracks: tuple[int, ...]
    changed: float


@dataclass(frozen=True)
class AlbumQuery:
    """Which albums, in which order, from `offset` on; those that fit all that is given.

    Albums of an artist are also those of others with a track by them. `years` are the first and the last.
    """

    order: AlbumOrder = "title"
    offset: int = 0
    limit: int = 500
    ids: Sequence[int] | None = None
    artist: str | None = None
    genre: str | None = None
    years: tuple[int, int] | None = None
    text: str = ""


@dataclass(frozen=True)
class TrackQuery:
    """Which tracks, in which order, from `offset` on; those that fit all that is given.

    Of an `artist` are the tracks by them and those of their albums; with `singles`, tracks without an album alone.
    """

    order: TrackOrder = "album"
    offset: int = 0
    limit: int = 500
    album: int | None = None
    artist: str | None = None
    singles: bool = False
    genre: str | None = None
    years: tuple[int, int] | None = None
    text: str = ""


class Browser(Protocol):
    """A collection that can be browsed; each method may be called from any thread, with the errors of `Collection`."""

    def artists(self, text: str = "") -> list[Artist]:
        """Return the artists of albums and of single tracks, those with all words of a text in their names, sorted."""

    def albums(self, query: AlbumQuery) -> list[Album]:
        """Return the albums that a query is about."""

    def find_tracks(self, query: TrackQuery) -> list[ListedTrack]:
        """Return the tracks that a query is about."""

    def listed(self, ids: Sequence[int]) -> list[ListedTrack]:
        """Return the tracks of these ids, in their order, without those that are gone."""

    def top_tracks(self, artist: str, count: int) -> list[ListedTrack]:
        """Return an artist's tracks, those first that were played most, then those rated best."""

    def genres(self) -> list[Genre]:
        """Return the genres, sorted by name."""

    def playlists(self) -> list[SavedPlaylist]:
        """Return the saved playlists, sorted by name."""

    def similarities(self, track_id: int, others: Sequence[int]) -> Mapping[int, float]:
        """Return the cosine similarities of tracks to one; those that are not analysed are left out."""

    def resolve_id(self, identifier: str) -> int:
        """Return the id of the track that BeetstreamNext has under an id of its own; UnknownTrackError for none."""
