"""The API's requests that read: status, tracks, lists, playlists, paths, the map."""

# Annotations are read when a route is added: some types are made of the collection's table of options.
from dataclasses import asdict
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import TypeAdapter

from resonance_engine.playlist.m3u import M3uEntry, format_playlist
from resonance_engine.server.collection import (
    Collection,
    CollectionStatus,
    MapPoints,
    MatchList,
    Playlist,
    QueryOption,
    TrackDetails,
    TrackPage,
    TrackRecord,
)
from resonance_engine.server.kept_uploads import KeptUploads
from resonance_engine.server.parameters import (
    LARGEST_ID,
    MOST_IDS,
    Id,
    SearchParameters,
    Text,
    make_parameters,
    to_query,
)
from resonance_engine.server.work import WorkQueue

LARGEST_PAGE = 500
LARGEST_OFFSET = 10_000_000
MOST_STOPS = 20
LONGEST_PATH = 500
LIST_MEDIA_TYPE = "application/vnd.apple.mpegurl"
TrackId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


def make_routes(collection: Collection, queue: WorkQueue, uploads: KeptUploads) -> APIRouter:
    """Return the routes that answer from a collection."""
    router = APIRouter(prefix="/api")
    similar_parameters = make_parameters("SimilarParameters", collection.similar_options, SearchParameters)
    playlist_parameters = make_parameters("PlaylistParameters", collection.playlist_options)

    @router.get("/status", tags=["collection"], response_model=CollectionStatus)
    async def read_status() -> Response:
        """Return how many tracks there are, how many are analysed, the model, and what is offered."""
        return to_json(await queue.run(collection.status))

    @router.get("/options", tags=["collection"])
    async def read_options() -> dict[str, list[dict[str, Any]]]:
        """Return the options of `similar` and `playlist`: the parameters that these take."""
        lists = {"similar": collection.similar_options, "playlist": collection.playlist_options}
        return {name: [describe_option(option) for option in options] for name, options in lists.items()}

    @router.get("/tracks", tags=["tracks"], response_model=TrackPage)
    async def search_tracks(
        text: Annotated[Text, Query(description="words of title, artist or album, or a query of the library")] = "",
        offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 20,
    ) -> Response:
        """Return tracks that match a text, best first; all of them, in order, without one."""
        return to_json(await queue.run(collection.search, text, offset, limit))

    @router.get("/tracks/{track_id}", tags=["tracks"])
    async def read_track(track_id: TrackId) -> TrackDetails:
        """Return what is known of a track: its tags, and what was measured."""
        return await queue.run(collection.details, track_id)

    @router.get("/similar", tags=["lists"], response_model=MatchList)
    async def find_similar(
        parameters: Annotated[similar_parameters, Query()],  # type: ignore[valid-type] # a model made above
    ) -> Response:
        """Return the tracks that are most similar to the seeds, with all options of `beet similar`."""
        return to_json(await queue.run(collection.similar, to_query(parameters, uploads)))

    @router.get("/playlist", tags=["lists"], response_model=Playlist)
    async def make_playlist(
        parameters: Annotated[playlist_parameters, Query()],  # type: ignore[valid-type] # a model made above
    ) -> Response:
        """Return a playlist that begins at the seeds, with all options of `beet playlist`."""
        return to_json(await queue.run(collection.playlist, to_query(parameters)))

    @router.get("/path", tags=["lists"], response_model=Playlist)
    async def find_path(
        stop: Annotated[list[Id], Query(min_length=2, max_length=MOST_STOPS, description="two or more tracks")],
        count: Annotated[int, Query(ge=2, le=LONGEST_PATH)] = 12,
    ) -> Response:
        """Return a list that leads in even steps from the first track through the others."""
        return to_json(await queue.run(collection.path, stop, count))

    @router.get("/map", tags=["collection"], response_model=MapPoints)
    async def read_map() -> Response:
        """Return the map: a point and a cluster for each track."""
        return to_json(await queue.run(collection.map_points))

    @router.get("/m3u8", tags=["lists"], response_class=Response)
    async def export_list(
        track: Annotated[list[Id], Query(alias="id", min_length=1, max_length=MOST_IDS)],
    ) -> Response:
        """Return tracks as a playlist file with absolute paths."""
        content = await queue.run(format_list, collection, track)
        headers = {"Content-Disposition": 'attachment; filename="playlist.m3u8"'}
        return Response(content, headers=headers, media_type=LIST_MEDIA_TYPE)

    return router


@cache
def adapter_of(record: type) -> TypeAdapter[Any]:
    return TypeAdapter(record)


def to_json(record: object) -> Response:
    """Return a record of the collection as JSON; FastAPI would validate it first, which takes ten times as long."""
    adapter = adapter_of(type(record))  # type: ignore[arg-type] # types can be hashed
    return Response(adapter.dump_json(record), media_type="application/json")


def describe_option(option: QueryOption) -> dict[str, Any]:
    """Return an option as JSON has it, the type by name, without a bound that is infinite."""
    record = asdict(option)
    record.pop("key")
    record["type"] = option.type.__name__
    record["range"] = [None if bound == float("inf") else bound for bound in option.range] if option.range else None
    return record


def format_list(collection: Collection, ids: list[int]) -> bytes:
    """Return the content of a playlist file with tracks, without those that are gone."""
    entries = []
    for track in collection.tracks(ids):
        path = bytes(collection.file(track.id))
        if not set(path) & set(b"\r\n"):  # no line of the file can hold it
            entries.append(to_entry(track, path))
    return format_playlist(entries, b"/", absolute=True)


def to_entry(track: TrackRecord, path: bytes) -> M3uEntry:
    return M3uEntry(path, track.seconds, track.artist, track.title)
