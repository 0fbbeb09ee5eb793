"""The collection that a server answers about: what it has to offer, as a protocol, and the records it answers with.

The records are what the API sends, field by field. A beets library offers all of it, a catalog of files less.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - FastAPI reads the types of records
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class RequestError(ResonanceError):
    """A request that cannot be met as it is: an option that makes no sense, or a query that nothing matches."""


class UnknownTrackError(ResonanceError):
    """A track that is not in the collection, or a file or cover that it does not have."""


class UnavailableError(ResonanceError):
    """What the collection does not have now, such as a map before one was made."""


@dataclass(frozen=True)
class TrackRecord:
    """A track of the collection; `seconds` is its length, 0 where unknown, and `year` likewise."""

    id: int
    title: str
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TrackDetails:
    """A track with the format of its file, and what was measured: tempo, key, energy, brightness, vocals, tags.

    What is not known, as of a track that is not analysed, is left out.
    """

    track: TrackRecord
    is_analysed: bool
    format: str = ""
    attributes: Mapping[str, float | str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrackPage:
    """Tracks that a search matches, from `offset` on, and how many there are in all."""

    total: int
    offset: int
    tracks: tuple[TrackRecord, ...]


@dataclass(frozen=True)
class Match:
    """A track with its score, the shares of the facets in it, which sum to 1, and the traits in common, in words.

    `fits` is, for each phrase of a text, the share of the collection that fits it worse.
    """

    track: TrackRecord
    score: float
    shares: Mapping[str, float] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    fits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchList:
    """Matches, best first, their seeds, and remarks on them, such as why there are fewer than wanted."""

    matches: tuple[Match, ...]
    seeds: tuple[TrackRecord, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Playlist:
    """Tracks in the order of a playlist, and remarks on it."""

    tracks: tuple[TrackRecord, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MapPoints:
    """A map: position and cluster of each track, in arrays of one length; `clusters` index `names`."""

    ids: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    clusters: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class CollectionStatus:
    """How many tracks there are, how many of them are analysed and how many failed, and the model in use.

    `version` differs whenever an answer may. `has_taste` and `has_map` say that `taste` may be given, that a map was
    made; `words` is whether texts such as "calm piano" are understood.
    """

    tracks: int
    analysed: int
    failed: int
    model: str
    facets: tuple[str, ...]
    version: str
    has_taste: bool = False
    has_map: bool = False
    words: bool = False
    recipes: bool = False


@dataclass(frozen=True)
class QueryOption:
    """An option of `similar` or `playlist`, as the API takes it.

    `name` is that of its parameter, `key` what the collection knows it by; `type` is bool, int, float, str or list.
    """

    name: str
    key: str
    type: type
    help: str
    default: Any = None
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListQuery:
    """Seeds and options of a list: `seeds` and `avoided` are ids, `excluded` those of tracks that do not come up.

    `options` are values by the keys of the collection's options. `audio` is a file outside the collection to start
    from, `analysed` what `Collection.analyse` returned for one. With `explain`, matches have shares and traits.
    """

    seeds: tuple[int, ...] = ()
    avoided: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    explain: bool = False
    audio: Path | None = None
    analysed: Any = None


class Collection(Protocol):
    """A music collection; each method may be called from any thread.

    They raise RequestError, UnknownTrackError, UnavailableError, or another ResonanceError where the data cannot be
    read now.
    """

    similar_options: tuple[QueryOption, ...]
    playlist_options: tuple[QueryOption, ...]

    def status(self) -> CollectionStatus:
        """Return counts, the model and what is offered."""

    def search(self, text: str, offset: int, limit: int) -> TrackPage:
        """Return tracks that match a text, best first; all, in a steady order, for an empty one."""

    def tracks(self, ids: Sequence[int]) -> list[TrackRecord]:
        """Return the tracks of these ids, in their order, without those that are gone."""

    def details(self, track_id: int) -> TrackDetails:
        """Return what is known of a track."""

    def similar(self, query: ListQuery) -> MatchList:
        """Return the tracks that are most similar to the seeds."""

    def analyse(self, audio: Path) -> Any:
        """Return what searches by a file outside the collection need of it, without the file."""

    def playlist(self, query: ListQuery) -> Playlist:
        """Return a playlist that begins at the seeds."""

    def path(self, stops: Sequence[int], count: int) -> Playlist:
        """Return a list of `count` tracks that leads in even steps from the first of the stops through the others."""

    def map_points(self) -> MapPoints:
        """Return the map of the collection."""

    def file(self, track_id: int) -> Path:
        """Return the audio file of a track."""

    def cover(self, track_id: int) -> tuple[bytes, str]:
        """Return the cover of a track and its media type."""

    def save_recipe(self, name: str, query: ListQuery, tracks: Sequence[int] = ()) -> str:
        """Save a playlist under a name, with the recipe that gaps in it are filled by, and return its file's name.

        It has `tracks`, in their order, without those that are gone; where none are given, those that the query finds.
        """
