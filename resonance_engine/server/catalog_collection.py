"""A catalog of files as the collection of the server: search, similar tracks, audio; a library offers more."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.catalog_files import META, read_catalog
from resonance_engine.errors import CatalogError, ModelError
from resonance_engine.search.explain import common_attributes
from resonance_engine.search.ranking import HUBNESS, RERANKS, Ranking, query, rank_by_similarity, refine
from resonance_engine.search.selection import select
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
from resonance_engine.server.kept_uploads import GONE
from resonance_engine.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.catalog_files import Catalog, CatalogEntry

LARGEST_COUNT = 1_000
NOT_OFFERED = "A catalog of files has no {}; a beets library that is served does."
OPTIONS = (
    QueryOption("count", "count", int, "how many tracks", 20, (1, LARGEST_COUNT)),
    QueryOption("prf", "prf", int, "let the first hits sharpen what is looked for", 0, (0, LARGEST_COUNT)),
    QueryOption("rerank", "rerank", str, "`mmr` trades likeness for variety", "none", choices=RERANKS),
    QueryOption("lambda_div", "lambda_div", float, "for mmr: 0 is similarity alone, 1 is diversity", 0.3, (0, 1)),
    QueryOption("hubness", "hubness", str, "corrects for tracks close to all", HUBNESS[0], choices=HUBNESS),
    QueryOption("min_score", "min_score", float, "only tracks with at least this score", None, (-1, 1)),
)


class CatalogCollection:
    """The tracks of a catalog, read again when its files change; see `Collection`. `model` embeds files that are sent.

    A playlist is its seeds and what is similar to them.
    """

    similar_options: tuple[QueryOption, ...] = OPTIONS
    playlist_options: tuple[QueryOption, ...] = OPTIONS

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self._turn = threading.Lock()
        self._read: tuple[str, Catalog] | None = None
        self._catalog()

    def status(self) -> CollectionStatus:
        catalog = self._catalog()
        count = len(catalog.entries)
        return CollectionStatus(count, count, 0, catalog.model_id, (), self._version())

    def search(self, text: str, offset: int, limit: int) -> TrackPage:
        words = text.casefold().split()
        entries = sorted(self._catalog().entries.values(), key=lambda entry: (entry.label.casefold(), entry.id))
        folder = common_folder(entries)
        matches = [entry for entry in entries if all(word in searched_text(entry, folder) for word in words)]
        return TrackPage(len(matches), offset, tuple(map(to_track, matches[offset : offset + limit])))

    def tracks(self, ids: Sequence[int]) -> list[TrackRecord]:
        entries = self._catalog().entries
        return [to_track(entries[each]) for each in ids if each in entries]

    def details(self, track_id: int) -> TrackDetails:
        entry = self._entry(track_id)
        return TrackDetails(to_track(entry), True, Path(entry.path).suffix[1:].upper(), entry.attributes)

    def similar(self, query: ListQuery) -> MatchList:
        catalog = self._catalog()
        entries = [self._entry(each) for each in query.seeds]
        seeds = catalog.index.vectors(list(query.seeds)) if entries else np.empty((0, catalog.index.dimensions))
        attributes: Mapping[str, Any] = entries[0].attributes if entries else {}
        if query.audio is not None:
            vector, attributes = self._embed(query.audio, catalog)
            seeds = np.concatenate([seeds, vector[None, :]])
        if query.analysed is not None:
            model_id, vector, attributes = query.analysed
            if model_id != catalog.model_id:
                raise UnknownTrackError(GONE)
            seeds = np.concatenate([seeds, vector[None, :]])
        if not len(seeds):
            raise RequestError("Name a track to start from, with id.")
        neighbours = find_matches(catalog, seeds.astype(np.float32), query)
        matches = []
        for track_id, score in neighbours:
            entry = catalog.entries[track_id]
            traits = tuple(common_attributes(attributes, entry.attributes)) if query.explain else ()
            matches.append(Match(to_track(entry), round(score, 4), traits=traits))
        return MatchList(tuple(matches), tuple(map(to_track, entries)))

    def analyse(self, audio: Path) -> tuple[str, NDArray[np.float32], Mapping[str, Any]]:
        catalog = self._catalog()
        return catalog.model_id, *self._embed(audio, catalog)

    def playlist(self, query: ListQuery) -> Playlist:
        result = self.similar(query)
        count = query.options.get("count", OPTIONS[0].default)
        return Playlist((*result.seeds, *(match.track for match in result.matches))[:count])

    def path(self, stops: Sequence[int], count: int) -> Playlist:
        del stops, count
        raise UnavailableError(NOT_OFFERED.format("paths"))

    def map_points(self) -> MapPoints:
        raise UnavailableError(NOT_OFFERED.format("map"))

    def file(self, track_id: int) -> Path:
        return Path(self._entry(track_id).path)

    def cover(self, track_id: int) -> tuple[bytes, str]:
        self._entry(track_id)
        raise UnknownTrackError(NOT_OFFERED.format("covers"))

    def save_recipe(self, name: str, query: ListQuery, tracks: Sequence[int] = ()) -> str:
        del name, query, tracks
        raise UnavailableError(NOT_OFFERED.format("recipes"))

    def _entry(self, track_id: int) -> CatalogEntry:
        entry = self._catalog().entries.get(track_id)
        if entry is None:
            raise UnknownTrackError(f"There is no track {track_id} in the catalog.")
        return entry

    def _catalog(self) -> Catalog:
        """Return the catalog; one that is being written serves as it was before."""
        with self._turn:
            version = self._version()
            if self._read is None or self._read[0] != version:
                try:
                    self._read = version, read_catalog(self.folder)
                except CatalogError:
                    if self._read is None:
                        raise
            return self._read[1]

    def _version(self) -> str:
        try:
            stat = (self.folder / META).stat()
        except OSError:
            return ""
        return f"{stat.st_size}-{stat.st_mtime_ns}"

    def _embed(self, path: Path, catalog: Catalog) -> tuple[NDArray[np.float32], Mapping[str, Any]]:
        """Return the embedding and the attributes of a file, which a worker process analyses."""
        with closing(Worker(self.model)) as worker:
            if worker.description().id != catalog.model_id:
                raise ModelError("The catalog was made with another model; start the server with --load MODEL.")
            analysed = worker.analyse(path)
        assert analysed.embedding is not None, "no key counts as known"
        return analysed.embedding.vector, analysed.analysis.attributes if analysed.analysis else {}


def common_folder(entries: Iterable[CatalogEntry]) -> str:
    """Return the folder that all tracks are below, whose name tells none from another; empty where there is none."""
    try:
        return os.path.commonpath([os.path.dirname(entry.path) for entry in entries])  # noqa: PTH120 - texts
    except ValueError:
        return ""


def searched_text(entry: CatalogEntry, folder: str) -> str:
    """Return what a search for words looks at: artist, title and the path below a folder, in one case."""
    return f"{entry.artist} {entry.title} {entry.path.removeprefix(folder)}".casefold()


def to_track(entry: CatalogEntry) -> TrackRecord:
    return TrackRecord(entry.id, entry.title or entry.label, entry.artist)


def find_matches(catalog: Catalog, seeds: NDArray[np.float32], wanted: ListQuery) -> list[tuple[int, float]]:
    """Return ids and scores of the tracks nearest to seeds (n, d), by the options of a query."""
    try:
        ranking = Ranking(**wanted.options)
    except ValueError as error:
        raise RequestError(f"{str(error).capitalize()}.") from error
    avoided = [each for each in wanted.avoided if each in catalog.entries]
    avoid = catalog.index.vectors(avoided) if avoided else None
    exclude = {*wanted.seeds, *avoided, *(each for each in wanted.excluded if each in catalog.entries)}
    ready = refine(query(catalog.index, seeds, exclude, avoid=avoid), ranking)
    hits = select(lambda size: rank_by_similarity(ready, ranking, size), ranking).hits
    return [(hit.id, hit.score) for hit in hits]
