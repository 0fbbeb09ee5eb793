"""Ids of the OpenSubsonic API: a track's is its number, the others begin with what they are of."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

from resonance_engine.server.parameters import LARGEST_ID
from resonance_engine.server.subsonic.errors import NO_DATA, SubsonicError

MOST_DIGITS = 19
ARTIST, ALBUM, PLAYLIST = "ar-", "al-", "pl-"
Kind = Literal["track", "album", "artist", "playlist"]
NUMBERED: tuple[tuple[str, Kind], ...] = ((ALBUM, "album"), ("", "track"))
NAMED: tuple[tuple[str, Kind], ...] = ((ARTIST, "artist"), (PLAYLIST, "playlist"))


@dataclass(frozen=True)
class Reference:
    """What an id stands for: the `number` of a track or an album, the `name` of an artist or of a playlist's file."""

    kind: Kind
    number: int = 0
    name: str = ""


def album_id(number: int) -> str:
    return f"{ALBUM}{number}"


def artist_id(name: str) -> str:
    return ARTIST + encode_name(name)


def playlist_id(file: str) -> str:
    return PLAYLIST + encode_name(file)


def encode_name(name: str) -> str:
    """Return a name in characters that addresses have."""
    return base64.urlsafe_b64encode(name.encode("utf-8", "surrogateescape")).rstrip(b"=").decode()


def parse_id(text: str) -> Reference:
    """Return what an id stands for; SubsonicError for a text that is none."""
    for prefix, kind in NAMED:
        if text.startswith(prefix):
            encoded = text.removeprefix(prefix)
            try:
                name = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
                return Reference(kind, name=name.decode("utf-8", "surrogateescape"))
            except (binascii.Error, ValueError):
                break
    for prefix, kind in NUMBERED:
        digits = text.removeprefix(prefix)
        is_number = digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS
        if text.startswith(prefix) and is_number and 0 < int(digits) <= LARGEST_ID:
            return Reference(kind, number=int(digits))
    raise SubsonicError(NO_DATA, "There is nothing with this id.")


def parse_as(text: str, kind: Kind) -> Reference:
    """Return what an id stands for; SubsonicError for an id of another kind."""
    reference = parse_id(text)
    if reference.kind != kind:
        raise SubsonicError(NO_DATA, f"This is the id of {with_article(reference.kind)}, not {with_article(kind)}'s.")
    return reference


def with_article(kind: Kind) -> str:
    return f"{'an' if kind[0] == 'a' else 'a'} {kind}"
