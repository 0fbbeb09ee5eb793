"""The OpenSubsonic API at /rest/: its methods by name, and the request that each is called with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from resonance_engine.errors import ResonanceError
from resonance_engine.server.access import may_be_remote
from resonance_engine.server.subsonic import browse, lists, media, similar, system
from resonance_engine.server.subsonic.authentication import ANYONE
from resonance_engine.server.subsonic.errors import GENERIC, SubsonicError
from resonance_engine.server.subsonic.parameters import read_parameters
from resonance_engine.server.subsonic.responses import check_format, make_failure, make_response
from resonance_engine.server.subsonic.service import Call, to_subsonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.server.settings import ServerSettings
    from resonance_engine.server.subsonic.parameters import Parameters
    from resonance_engine.server.subsonic.responses import Payload
    from resonance_engine.server.subsonic.service import Service
    from resonance_engine.server.work import WorkQueue

    Method = Callable[[Call], Payload | Response]

PUBLIC = "getOpenSubsonicExtensions"  # needs no password
METHODS: dict[str, Method] = {
    "ping": system.ping,
    "getLicense": system.get_license,
    PUBLIC: system.get_extensions,
    "tokenInfo": system.get_token_info,
    "getUser": system.get_user,
    "getScanStatus": system.get_scan_status,
    "getMusicFolders": browse.get_music_folders,
    "getIndexes": browse.get_indexes,
    "getMusicDirectory": browse.get_music_directory,
    "getArtists": browse.get_artists,
    "getArtist": browse.get_artist,
    "getAlbum": browse.get_album,
    "getSong": browse.get_song,
    "getGenres": browse.get_genres,
    "getArtistInfo": browse.get_artist_info,
    "getArtistInfo2": browse.get_artist_info2,
    "getAlbumInfo": browse.get_album_info,
    "getAlbumInfo2": browse.get_album_info,
    "getAlbumList": lists.get_album_list,
    "getAlbumList2": lists.get_album_list2,
    "getRandomSongs": lists.get_random_songs,
    "getSongsByGenre": lists.get_songs_by_genre,
    "search2": lists.search2,
    "search3": lists.search3,
    "getPlaylists": lists.get_playlists,
    "getPlaylist": lists.get_playlist,
    "getSimilarSongs": similar.get_similar_songs,
    "getSimilarSongs2": similar.get_similar_songs2,
    "getSonicSimilarTracks": similar.get_sonic_similar_tracks,
    "findSonicPath": similar.find_sonic_path,
    "getTopSongs": similar.get_top_songs,
    "stream": media.stream,
    "download": media.download,
    "getCoverArt": media.get_cover_art,
    "getAvatar": system.refuse_missing,
    "scrobble": system.accept,
    "getPlayQueue": system.get_play_queue,
    "getNowPlaying": system.get_now_playing,
    "getLyrics": system.get_lyrics,
    **{
        f"get{name}": system.answer_empty(element)
        for name, element in {
            "Starred": "starred",
            "Starred2": "starred2",
            "Bookmarks": "bookmarks",
            "Podcasts": "podcasts",
            "NewestPodcasts": "newestPodcasts",
            "InternetRadioStations": "internetRadioStations",
            "Shares": "shares",
            "Videos": "videos",
        }.items()
    },
    **dict.fromkeys(
        (
            "star",
            "unstar",
            "setRating",
            "createPlaylist",
            "updatePlaylist",
            "deletePlaylist",
            "savePlayQueue",
            "createBookmark",
            "deleteBookmark",
            "createShare",
            "startScan",
            "changePassword",
            "createUser",
            "updateUser",
            "deleteUser",
            "getUsers",
        ),
        system.refuse_change,
    ),
}


def make_subsonic_routes(service: Service, settings: ServerSettings, queue: WorkQueue) -> APIRouter:
    """Return the routes of the API."""
    router = APIRouter(prefix="/rest", include_in_schema=False)

    @router.api_route("/{name}", methods=["GET", "HEAD", "POST"], response_class=Response)
    async def call_method(request: Request, name: str) -> Response:
        parameters = await read_parameters(request)
        is_needed = may_be_remote(settings, request.headers)
        kind, status = "xml", 200
        try:
            kind = check_format(parameters.find("f"))
            method = METHODS.get(name.removesuffix(".view"))
            if method is None:
                status = 404
                raise SubsonicError(GENERIC, "There is no such method.")
            result = await queue.run(run_method, service, method, parameters, is_needed)
        except (ResonanceError, HTTPException) as error:
            return make_failure(to_subsonic(error), kind, status)
        return result if isinstance(result, Response) else make_response(result, kind)

    return router


def run_method(service: Service, method: Method, parameters: Parameters, is_needed: bool) -> Payload | Response:
    """Return what a method answers; SubsonicError where the user may not call it."""
    user = ANYONE if method is METHODS[PUBLIC] else service.authenticate(parameters, is_needed)
    return method(Call(service, parameters, user))
