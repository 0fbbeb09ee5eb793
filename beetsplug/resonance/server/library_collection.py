"""A beets library as the collection that the server answers about: searches, playlists, paths, the map."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import context
from beets.dbcore.db import DBAccessError
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.fields.analysis_cache import load_tags
from beetsplug.resonance.library.sidecar import describe_coverage
from beetsplug.resonance.playlist.builder import PlaylistBuilder
from beetsplug.resonance.playlist.request import PlaylistRequest
from beetsplug.resonance.search.explanations import Reason, explain_hits
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.library_map import POINTS, LibraryMap, array_name
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.taste import read_row
from beetsplug.resonance.server.library_tracks import TrackReader, find_cover, find_file
from beetsplug.resonance.server.map_points import read_points
from beetsplug.resonance.server.options import api_options, request_options
from beetsplug.resonance.server.sent_files import SentFile, analyse_sent, hide_paths, seeds_of
from resonance_engine.errors import AudioError, ConfigError, PlaylistError, ResonanceError, StoreError
from resonance_engine.server.collection import (
    CollectionStatus,
    MapPoints,
    Match,
    MatchList,
    Playlist,
    RequestError,
    TrackDetails,
    TrackRecord,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from beets.library import Library

    from beetsplug.resonance.library.sidecar import Coverage, Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.server.collection import ListQuery, TrackPage

SIMILAR, PLAYLIST = "similar", "playlist"
PREFIX = re.compile(r"^(similar|playlist|resonance): ")
LEFT_OUT = "left out by the request"
NO_SEED = "Name a track to start from, with id, query or text."


class KeptSession(NamedTuple):
    """What was read of a library in a version of it, for the requests that come while it stays that."""

    version: str
    session: SearchSession | None
    coverage: Coverage | None


class LibraryCollection:
    """The tracks of a beets library and what the sidecar knows of them; see `Collection`."""

    similar_options = api_options(SIMILAR)
    playlist_options = api_options(PLAYLIST)

    def __init__(self, sidecar: Sidecar, recipes: Path | None = None) -> None:
        self.sidecar = sidecar
        self.recipes = recipes
        self._kept = KeptSession("", None, None)
        self._tracks = TrackReader(sidecar.library)
        self._map: tuple[str, MapPoints] | None = None
        self._map_turn = threading.Lock()
        self._file = file_number(sidecar.library)
        self._file_turn = threading.Lock()

    def status(self) -> CollectionStatus:
        with self.reading():
            version = self._version()
            coverage = self._coverage(version)
            model = self.sidecar.model
            arrays = self.sidecar.store.arrays.names(self.sidecar.id) if model else []
            return CollectionStatus(
                coverage.total,
                coverage.embedded,
                coverage.failed,
                f"{model.name} {model.version}" if model else "",
                tuple(model.modalities) if model else (),
                version,
                has_taste=read_row(self.sidecar) is not None,
                has_map=model is not None and array_name(model.id, POINTS) in arrays,
                words=bool(model and model.tags),
                recipes=self.recipes is not None,
            )

    def search(self, text: str, offset: int, limit: int) -> TrackPage:
        with self.reading():
            return self._tracks.search(text, offset, limit)

    def tracks(self, ids: Sequence[int]) -> list[TrackRecord]:
        with self.reading():
            known = self._tracks.read(ids)
            return [known[each] for each in ids if each in known]

    def details(self, track_id: int) -> TrackDetails:
        with self.reading():
            file = find_file(self.sidecar.library, track_id)
            track = self._tracks.read([track_id])[track_id]
            attributes: dict[str, float | str] = {}
            tags: tuple[str, ...] = ()
            row = self.sidecar.store.tracks.get(self.sidecar.id, {track_id}) if self.sidecar.exists else {}
            if row:
                key = row[track_id].content_key
                analysis = self.sidecar.store.analyses.get({key}).get(key)
                stored = analysis.attributes if analysis else {}
                attributes = {name: value for name, value in stored.items() if not isinstance(value, bool)}
                known = load_tags(self.sidecar.store, {key}).get(key, {})
                tags = tuple(filter(None, str(known.get("tags", "")).split(", ")))
                attributes |= {name: known[name] for name in ("vocals",) if name in known}
            return TrackDetails(track, bool(row), file.format, attributes, tags)

    def similar(self, query: ListQuery) -> MatchList:
        with self._session() as session:
            request = SearchRequest(analysed=seeds_of(session, query), **self._options(query, SIMILAR))
            if request.is_seedless:
                raise RequestError(NO_SEED)
            finder = Finder(session, request, SIMILAR, left_out=dict.fromkeys(query.excluded, LEFT_OUT))
            result = finder.find()
            reasons = explain_hits(session, result) if query.explain else {}
            seeds = [item.id for item in result.seeds.items if item.id is not None]
            hits = {hit.item_id: hit for hit in result.hits}
            tracks = self._tracks.read([*hits, *seeds])
            matches = []
            for item_id, hit in hits.items():
                reason = reasons.get(hit.id, Reason())
                if item_id in tracks:
                    score = round(hit.score, 4)
                    matches.append(Match(tracks[item_id], score, reason.shares, reason.words, reason.fits))
            known = tuple(tracks[each] for each in seeds if each in tracks)
            return MatchList(tuple(matches), known, hide_paths(result.notes, query))

    def analyse(self, audio: Path) -> SentFile:
        with self._session() as session:
            return analyse_sent(session, audio)

    def playlist(self, query: ListQuery) -> Playlist:
        request = self._playlist_request(query)
        return self._build(request, dict.fromkeys(query.excluded, LEFT_OUT))

    def path(self, stops: Sequence[int], count: int) -> Playlist:
        first, *others = [f"id:{stop}" for stop in stops]
        options: dict[str, Any] = {"query": (first,), "to": others[-1], "count": count}
        if others[:-1]:
            options["via"] = tuple(others[:-1])
        with self.reading():
            request = PlaylistRequest(**options)
        return self._build(request)

    def map_points(self) -> MapPoints:
        with self._map_turn, self._session() as session:
            version = self._version()
            if self._map is None or self._map[0] != version:
                self._map = version, read_points(LibraryMap(session))
            return self._map[1]

    def similarities(self, track_id: int, others: Sequence[int]) -> dict[int, float]:
        """Return the cosine similarities of tracks to one; those that are not analysed are left out."""
        with self._session() as session:
            rows = session.store.tracks.vector_ids(self.sidecar.id, {track_id, *others}, session.model.id)
            if track_id not in rows:
                return {}
            known = [each for each in dict.fromkeys(others) if each in rows]
            cosines = session.index.vectors([rows[each] for each in known]) @ session.index.vectors([rows[track_id]])[0]
            return dict(zip(known, cosines.tolist(), strict=True))

    def file(self, track_id: int) -> Path:
        with self.reading():
            return find_file(self.sidecar.library, track_id).path

    def cover(self, track_id: int) -> tuple[bytes, str]:
        with self.reading():
            return find_cover(self.sidecar.library, track_id)

    def save_recipe(self, name: str, query: ListQuery, tracks: Sequence[int] = ()) -> str:
        from beetsplug.resonance.server.recipes import select_listed, write_list

        if self.recipes is None:
            raise UnavailableError("No folder for playlists is set; name one with --recipes FOLDER.")
        request = self._playlist_request(query)
        with self._session() as session:
            builder = PlaylistBuilder(session, request, in_lines=True)
            items = select_listed(self.sidecar.library, tracks) if tracks else builder.build().items
        return write_list(self.recipes, name, items, request)

    def _playlist_request(self, query: ListQuery) -> PlaylistRequest:
        with self.reading():
            request = PlaylistRequest(**self._options(query, PLAYLIST))
        if request.is_seedless:
            raise RequestError(NO_SEED)
        return request

    def _build(self, request: PlaylistRequest, left_out: dict[int, str] | None = None) -> Playlist:
        with self._session() as session:
            playlist = PlaylistBuilder(session, request, left_out=left_out).build()
            ids = [item.id for item in playlist.items if item.id is not None]
            tracks = self._tracks.read(ids)
            return Playlist(tuple(tracks[each] for each in ids if each in tracks), playlist.notes)

    def _options(self, query: ListQuery, command: str) -> dict[str, Any]:
        """Return the options of a request: those that were given, and queries with the seeds by id."""
        options = {"count": self.sidecar.settings.count, **request_options(query.options, command)}
        if command == PLAYLIST and "minutes" in query.options and "count" not in query.options:
            del options["count"]
        for name, ids in (("query", query.seeds), ("avoid", query.avoided)):
            words = [word for each in ids for word in (",", f"id:{each}")]
            given = options.get(name, [])
            if words:
                options[name] = [*given, *words] if given else words[1:]
        if query.audio is not None:
            options["file"] = [str(query.audio)]
        return options

    @contextmanager
    def _session(self) -> Iterator[SearchSession]:
        """Open the library as it is at one moment; UnavailableError where nothing can be searched yet."""
        with self.reading():
            version, kept = self._version(), self._kept
            coverage = self._coverage(version)
            if not coverage.embedded:
                raise UnavailableError(f"{describe_coverage(self.sidecar, coverage)}.".capitalize())
            if kept.session is not None and kept.version == version:
                with self.sidecar.store.read():
                    yield kept.session
                return
            with open_session(self.sidecar, kept.session) as session:
                self._kept = KeptSession(version, session, coverage)
                yield session

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let paths of the library be absolute, and errors be those of a collection."""
        try:
            self._follow_file()
            with context.music_dir(self.sidecar.library.directory):
                yield
        except (StoreError, AudioError):
            raise
        except (UserError, ConfigError, PlaylistError, ParsingError) as error:
            raise RequestError(to_sentence(str(error))) from error
        except (DBAccessError, sqlite3.Error, OSError) as error:
            reason = error.strerror or error if isinstance(error, OSError) else error
            raise ResonanceError(f"The library cannot be read now ({reason}).") from error

    def _follow_file(self) -> None:
        """Close beets' connections where another file took the place of the library's; OSError where there is none.

        Without a file, a new connection would make an empty one.
        """
        library = self.sidecar.library
        with self._file_turn:
            before, self._file = self._file, file_number(library)
            if before != self._file:
                with library._db_lock:  # no transaction runs meanwhile
                    library._close()

    def _coverage(self, version: str) -> Coverage:
        kept = self._kept
        return kept.coverage if kept.coverage and kept.version == version else self.sidecar.coverage()

    def _version(self) -> str:
        """Return a text that differs whenever an answer may."""
        return self.sidecar.data_version()


def file_number(library: Library) -> tuple[int, int]:
    """Return what tells the file of a library from another in its place; OSError where there is none."""
    stat = os.stat(os.fsdecode(library.path))  # noqa: PTH116 - a path that may not be text
    return stat.st_dev, stat.st_ino


def to_sentence(text: str) -> str:
    """Return the error of a command as a sentence of the API."""
    clause = PREFIX.sub("", text)
    return f"{clause[:1].upper()}{clause[1:]}{'' if clause.endswith(('.', '?')) else '.'}"
