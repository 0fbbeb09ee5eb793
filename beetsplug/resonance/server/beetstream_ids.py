"""Ids of tracks in BeetstreamNext, another server of a beets library: from them to the library's items.

An id is `sg-m-` and a MusicBrainz id in base64, `sg-h-` and the beginning of the SHA-1 sum of a path below the music
folder for a track without one, or `sg-` and the number of the item. BeetstreamNext understands each of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING

from beets.dbcore.pathutils import expand_path_from_db

from resonance_engine.server.collection import UnknownTrackError

if TYPE_CHECKING:
    from beets.library import Library

MUSICBRAINZ, PATH, NUMBER = "sg-m-", "sg-h-", "sg-"
HASH_DIGITS = 16
MOST_DIGITS = 18
WITHOUT_MUSICBRAINZ = (
    "SELECT id, path FROM items WHERE COALESCE(mb_releasetrackid, '') = '' AND COALESCE(mb_trackid, '') = ''"
)


def find_item(library: Library, identifier: str) -> int:
    """Return the id of the item with an id of BeetstreamNext; UnknownTrackError where there is none."""
    item_id = None
    if identifier.startswith(MUSICBRAINZ):
        item_id = find_by_musicbrainz(library, decode_name(identifier.removeprefix(MUSICBRAINZ)))
    elif identifier.startswith(PATH):
        item_id = find_by_path(library, identifier.removeprefix(PATH))
    elif identifier.startswith(NUMBER):
        digits = identifier.removeprefix(NUMBER)
        if digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS:
            item_id = find_by_number(library, int(digits))
    if item_id is None:
        raise UnknownTrackError("There is no track with this id.")
    return item_id


def decode_name(text: str) -> str:
    """Return a text in base64, empty for what is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def find_by_musicbrainz(library: Library, name: str) -> int | None:
    """Return the first item whose release track or recording this is, None for none."""
    statement = "SELECT id FROM items WHERE mb_releasetrackid = ? OR mb_trackid = ? ORDER BY id LIMIT 1"
    with library.transaction() as transaction:
        rows = transaction.query(statement, (name, name)) if name else []
    return rows[0]["id"] if rows else None


def find_by_path(library: Library, digits: str) -> int | None:
    """Return the item without MusicBrainz ids that has a path with this sum, None for none."""
    with library.transaction() as transaction:
        rows = transaction.query(WITHOUT_MUSICBRAINZ)
    return next((row["id"] for row in rows if sum_path(library, bytes(row["path"])) == digits), None)


def sum_path(library: Library, stored: bytes) -> str:
    """Return the sum of a path as it is stored, below the library's folder where it is there."""
    path = os.fsdecode(expand_path_from_db(stored))
    folder = os.fsdecode(library.directory)
    inside = os.path.relpath(path, folder) if os.path.commonpath([path, folder]) == folder else path
    digest = hashlib.sha1(inside.encode("utf-8", "surrogateescape"), usedforsecurity=False)
    return digest.hexdigest()[:HASH_DIGITS]


def find_by_number(library: Library, number: int) -> int | None:
    with library.transaction() as transaction:
        rows = transaction.query("SELECT id FROM items WHERE id = ?", (number,))
    return rows[0]["id"] if rows else None
