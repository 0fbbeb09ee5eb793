"""Methods of the OpenSubsonic API that send files: audio as it is, without transcoding, and covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response

from resonance_engine.server.browsing import AlbumQuery, TrackQuery
from resonance_engine.server.media import COVER_AGE, audio_type, existing_file
from resonance_engine.server.subsonic.errors import NO_DATA, SubsonicError
from resonance_engine.server.subsonic.ids import parse_as, parse_id

if TYPE_CHECKING:
    from resonance_engine.server.subsonic.ids import Reference
    from resonance_engine.server.subsonic.service import Call


def stream(call: Call) -> Response:
    """Return the audio file of a track, or the ranges of it that are wanted; a format or bit rate is ignored."""
    path = existing_file(call.collection, parse_as(call.parameters.require("id"), "track").number)
    return FileResponse(path, media_type=audio_type(path), content_disposition_type="inline")


def download(call: Call) -> Response:
    """Return the audio file of a track, to be saved."""
    path = existing_file(call.collection, parse_as(call.parameters.require("id"), "track").number)
    return FileResponse(path, media_type=audio_type(path), filename=path.name)


def get_cover_art(call: Call) -> Response:
    """Return the cover of a track, an album, an artist or a playlist in its own size."""
    track = find_covered_track(call, parse_id(call.parameters.require("id")))
    content, media_type = call.collection.cover(track)
    return Response(content, media_type=media_type, headers={"Cache-Control": f"private, max-age={COVER_AGE}"})


def find_covered_track(call: Call, reference: Reference) -> int:
    """Return the track whose cover stands for something; SubsonicError where there is none."""
    tracks: list[int] = []
    if reference.kind == "track":
        tracks = [reference.number]
    elif reference.kind == "playlist":
        tracks = [each for list_ in call.browser.playlists() if list_.file == reference.name for each in list_.tracks]
    else:
        albums = [reference.number]
        if reference.kind == "artist":
            albums = [album.id for album in call.browser.albums(AlbumQuery("year", artist=reference.name, limit=1))]
        queries = [TrackQuery(album=album, limit=1) for album in albums]
        tracks = [track.track.id for query in queries for track in call.browser.find_tracks(query)]
    if not tracks:
        raise SubsonicError(NO_DATA, "There is no cover.")
    return tracks[0]
