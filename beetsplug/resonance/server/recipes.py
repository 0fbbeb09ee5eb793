"""Save playlists that the page makes, with their recipes, in one folder and nowhere else."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from beetsplug.resonance.library.items import select_items
from resonance_engine.errors import ResonanceError
from resonance_engine.playlist import m3u
from resonance_engine.playlist.recipe import write_recipe
from resonance_engine.server.collection import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from beets.library import Item, Library

    from beetsplug.resonance.playlist.request import PlaylistRequest

SUFFIX = ".m3u8"
LONGEST = 120  # bytes of a name, so that no file system refuses it
FORBIDDEN = frozenset('/\\:*?"<>|')


def file_name(name: str) -> str:
    """Return the name of a playlist's file; RequestError for a name that is none of a plain file."""
    plain = unicodedata.normalize("NFC", " ".join(name.split())).removesuffix(SUFFIX)
    is_plain = plain.isprintable() and not FORBIDDEN & set(plain)
    if not plain or not is_plain or plain.startswith(".") or len(plain.encode("utf-8", "replace")) > LONGEST:
        raise RequestError("A playlist's name has letters, digits, spaces and dashes, and does not begin with a dot.")
    return plain + SUFFIX


def select_listed(library: Library, ids: Sequence[int]) -> Sequence[Item]:
    """Return the items of a list of ids, in its order, without those that are gone or that no line can name."""
    items = {item.id: item for item in select_items(library, ids)}
    listed = [items[each] for each in ids if each in items]
    return [item for item in listed if not {*b"\r\n"} & {*item.path}]


def write_list(folder: Path, name: str, items: Sequence[Item], request: PlaylistRequest) -> str:
    """Write a playlist into a folder and return its file's name; RequestError where another list has that name."""
    target = folder / file_name(name)
    if not items:
        raise RequestError("The playlist has no tracks, so nothing was saved.")
    if target.exists() or target.is_symlink():
        raise RequestError(f"There is a playlist {target.name!r} already; choose another name.")
    entries = [m3u.M3uEntry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
    try:
        m3u.write_playlist(target, entries, write_recipe(request.recipe()), request.is_absolute)
    except OSError as error:
        raise ResonanceError(f"The playlist cannot be written: {error.strerror}.") from error
    return target.name
