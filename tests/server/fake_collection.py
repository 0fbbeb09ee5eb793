"""A collection of five tracks, one of them with a file and a cover, that keeps the queries it was sent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import AudioError, KilledWorkerError, ResonanceError, StoreError, WorkerStartError
from resonance_engine.server.collection import (
    CollectionStatus,
    ListQuery,
    MapPoints,
    Match,
    MatchList,
    Playlist,
    QueryOption,
    RequestError,
    TrackDetails,
    TrackPage,
    TrackRecord,
    UnavailableError,
    UnknownTrackError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
HOSTILE = "<img src=x onerror=alert(1)></script>\u202egpj"
TRACKS = tuple(
    TrackRecord(number, f"Song {number}", f"Artist {number % 2}", "Album", "rock", 1990, 60.0) for number in range(1, 5)
)
ODD = TrackRecord(5, HOSTILE)
SLOW_SECONDS = 20.0  # longer than a server waits for requests when it ends
INFINITE = float("inf")
KILLED = "decoding it got the decoder killed (SIGKILL), as happens where memory runs out"
ERRORS: dict[str, ResonanceError] = {
    "nothing": RequestError("No track matches nothing."),
    "locked": StoreError("The database is locked."),
    "killed": KilledWorkerError(Path("/tmp/sent"), KILLED),  # noqa: S108 - of an error, never opened
    "crashed": AudioError(Path("/tmp/sent"), "decoding it crashed the decoder (SIGSEGV)"),  # noqa: S108 - as above
    "unstarted": WorkerStartError("The process that runs a model does not start: not within 60 s."),
}
OPTIONS = (
    QueryOption("count", "count", int, "how many", 20, (1, 100)),
    QueryOption("from", "among", str, "only these"),
    QueryOption("via", "via", list, "through these"),
    QueryOption("versions", "versions", bool, "others, too"),
    QueryOption("min_score", "min_score", float, "at least", None, (-1, 1)),
    QueryOption("per_artist", "per_artist", int, "at most", 3, (0, INFINITE)),
    QueryOption("rerank", "rerank", str, "how", None, choices=("none", "mmr")),
)


@dataclass
class FakeCollection:
    """`audio` is the file of track 1. `from` may be `slow`, or `mistake` or a word of ERRORS, which raise errors."""

    audio: Path
    similar_options: tuple[QueryOption, ...] = OPTIONS
    playlist_options: tuple[QueryOption, ...] = OPTIONS
    queries: list[ListQuery] = field(default_factory=list)
    saved: dict[str, ListQuery] = field(default_factory=dict)
    listed: dict[str, list[int]] = field(default_factory=dict)
    uploads: list[bytes] = field(default_factory=list)

    def status(self) -> CollectionStatus:
        return CollectionStatus(5, 4, 0, "fake 1", ("timbre",), "1")

    def search(self, text: str, offset: int, limit: int) -> TrackPage:
        matches = [track for track in (*TRACKS, ODD) if text in track.title]
        return TrackPage(len(matches), offset, tuple(matches[offset : offset + limit]))

    def tracks(self, ids: Sequence[int]) -> list[TrackRecord]:
        known = {track.id: track for track in (*TRACKS, ODD)}
        return [known[each] for each in ids if each in known]

    def details(self, track_id: int) -> TrackDetails:
        return TrackDetails(self._track(track_id), True, "FLAC", {"tempo": 120.0, "key": "C major"}, ("piano",))

    def similar(self, query: ListQuery) -> MatchList:
        self._note(query)
        if query.audio is not None:
            self.uploads.append(query.audio.read_bytes())
        shares = {"timbre": 1.0} if query.explain else {}
        return MatchList(
            tuple(Match(track, 0.5, shares) for track in TRACKS), tuple(self.tracks(query.seeds)), ("short",)
        )

    def analyse(self, audio: Path) -> bytes:
        content = audio.read_bytes()
        self.uploads.append(content)
        return content

    def playlist(self, query: ListQuery) -> Playlist:
        self._note(query)
        return Playlist(TRACKS)

    def path(self, stops: Sequence[int], count: int) -> Playlist:
        return Playlist(tuple(map(self._track, stops))[:count])

    def map_points(self) -> MapPoints:
        raise UnavailableError("There is no map yet.")

    def file(self, track_id: int) -> Path:
        self._track(track_id)
        return self.audio if track_id == 1 else self.audio.with_name("gone.flac")

    def cover(self, track_id: int) -> tuple[bytes, str]:
        if track_id != 1:
            raise UnknownTrackError("This track has no cover.")
        return PNG, "image/png"

    def save_recipe(self, name: str, query: ListQuery, tracks: Sequence[int] = ()) -> str:
        self.saved[name] = query
        self.listed[name] = [*tracks]
        return f"{name}.m3u8"

    def _track(self, track_id: int) -> TrackRecord:
        for track in self.tracks([track_id]):
            return track
        raise UnknownTrackError(f"There is no track {track_id}.")

    def _note(self, query: ListQuery) -> None:
        self.queries.append(query)
        among = query.options.get("among")
        if among in ERRORS:
            raise ERRORS[among]
        if among == "slow":
            time.sleep(SLOW_SECONDS)
        if among == "mistake":
            raise ZeroDivisionError("a mistake of the program")
