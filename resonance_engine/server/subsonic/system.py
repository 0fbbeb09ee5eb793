"""Methods of the OpenSubsonic API on the server, its users, and what it does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.server.subsonic.elements import format_moment
from resonance_engine.server.subsonic.errors import INVALID_KEY, NO_DATA, NOT_AUTHORIZED, SubsonicError

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.server.subsonic.responses import Payload
    from resonance_engine.server.subsonic.service import Call

EXTENSIONS = ("apiKeyAuthentication", "formPost", "sonicSimilarity", "topSongsByArtistId")
READ_ONLY = "The library is only read; this changes nothing."
ROLES_GIVEN = ("downloadRole", "streamRole")
ROLES_REFUSED = (
    "adminRole",
    "settingsRole",
    "uploadRole",
    "playlistRole",
    "coverArtRole",
    "commentRole",
    "podcastRole",
    "jukeboxRole",
    "shareRole",
    "videoConversionRole",
)


def ping(_: Call) -> Payload:
    return {}


def get_license(_: Call) -> Payload:
    return {"license": {"valid": True}}


def get_extensions(_: Call) -> Payload:
    return {"openSubsonicExtensions": [{"name": name, "versions": [1]} for name in EXTENSIONS]}


def get_token_info(call: Call) -> Payload:
    """Return whose an API key is."""
    if call.parameters.find("apiKey") is None:
        raise SubsonicError(INVALID_KEY, "There is no API key in this request.")
    return {"tokenInfo": {"username": call.user}}


def get_user(call: Call) -> Payload:
    """Return what the user may do: listen."""
    name = call.parameters.find("username") or call.user
    if name != call.user:
        raise SubsonicError(NOT_AUTHORIZED, "A user can see nothing of others.")
    roles = dict.fromkeys(ROLES_GIVEN, True) | dict.fromkeys(ROLES_REFUSED, False)
    return {"user": {"username": name, "scrobblingEnabled": False, **roles, "folder": [1]}}


def get_scan_status(call: Call) -> Payload:
    return {"scanStatus": {"scanning": False, "count": call.collection.status().tracks}}


def get_play_queue(call: Call) -> Payload:
    """Return a queue without tracks: none is kept."""
    return {"playQueue": {"username": call.user, "changed": format_moment(0.0), "changedBy": ""}}


def get_now_playing(_: Call) -> Payload:
    return {"nowPlaying": {"entry": []}}


def get_lyrics(_: Call) -> Payload:
    return {"lyrics": {"value": ""}}


def accept(_: Call) -> Payload:
    """Return success; what was sent is not kept."""
    return {}


def refuse_change(_: Call) -> Payload:
    raise SubsonicError(NOT_AUTHORIZED, READ_ONLY)


def refuse_missing(_: Call) -> Payload:
    raise SubsonicError(NO_DATA, "There is none.")


def answer_empty(name: str) -> Callable[[Call], Payload]:
    """Return a method whose answer is an element without content."""

    def answer(_: Call) -> Payload:
        return {name: {}}

    return answer
