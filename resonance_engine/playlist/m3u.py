"""Playlist entries <-> an extended M3U file, which is written whole or not at all."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from resonance_engine.errors import PlaylistError, printable
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


UNKNOWN = -1  # the format's length of a track whose length is not known
RECIPE = b"#RESONANCE:"
INFO = b"#EXTINF:"
LARGEST = 64 * 2**20  # bytes; a larger file is none
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_INFO = re.compile(r"\s*(-?\d{1,9}(?:\.\d{0,9})?)?[^,]*,?\s*(.*)", re.DOTALL)
_ADDRESS = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class M3uEntry:
    """One track of a playlist: absolute path of its file, length in seconds (0 where it is not known), what to show."""

    path: bytes
    seconds: float
    artist: str
    title: str


@dataclass(frozen=True)
class M3uPlaylist:
    """What a playlist file holds: its tracks, and the recipe that it was made by, if it has one."""

    entries: tuple[M3uEntry, ...]
    recipe: str | None = None


def content(entries: Sequence[M3uEntry], folder: bytes, recipe: str | None = None, absolute: bool = False) -> bytes:
    """The playlist as a file in `folder` would hold it: UTF-8 titles and the paths byte for byte.

    Paths are relative to the folder, unless they are to be `absolute`. The recipe is one line of text.
    """
    lines = [b"#EXTM3U"]
    if recipe is not None:
        if len(recipe.splitlines()) != 1:
            raise ValueError("Expected a recipe of one line.")
        lines.append(RECIPE + recipe.encode())
    for entry in entries:
        shown = " ".join(" - ".join(filter(None, (entry.artist, entry.title))).split())
        seconds = round(entry.seconds) if entry.seconds > 0 else UNKNOWN
        lines.append(INFO + f"{seconds},{shown}".encode("utf-8", "replace"))
        path = entry.path if absolute else os.path.relpath(entry.path, folder)
        # A name that begins with # would read as a comment, one of spaces alone as an empty line.
        lines.append(b"./" + path if path.startswith(b"#") or not path.strip() else path)
    return b"\n".join(lines) + b"\n"


def expressible(entry: M3uEntry) -> bool:
    """Whether the format can hold this path: a line cannot hold a line break."""
    return not set(entry.path) & set(b"\r\n")


def write_playlist(path: Path, entries: Sequence[M3uEntry], recipe: str | None = None, absolute: bool = False) -> int:
    """Write or replace the playlist at `path` in one step, and say how many of the entries it holds.

    Those that are not `expressible` are left out. Raises OSError where the file cannot be written.
    """
    kept = [entry for entry in entries if expressible(entry)]
    write_bytes(path, content(kept, home(path), recipe, absolute))
    return len(kept)


def read_playlist(path: Path) -> M3uPlaylist:
    """The tracks and the recipe of a playlist file, ours or another program's.

    Entries that are no files (addresses of streams) are passed over; what a track is called may be unknown. Raises
    PlaylistError where the file cannot be read or is too large to be a playlist.
    """
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PlaylistError(f"The playlist {printable(path)} cannot be read: {reason}.") from error
    if len(found) > LARGEST:
        raise PlaylistError(f"{printable(path)} is no playlist: it is larger than {LARGEST // 2**20} MB.")
    return parsed(found, home(path))


def parsed(found: bytes, folder: bytes) -> M3uPlaylist:
    """What the content of a playlist file in `folder` says, whatever it is."""
    entries = []
    recipe = None
    info = b""
    for line in found.removeprefix(BYTE_ORDER_MARK).split(b"\n"):
        line = line.removesuffix(b"\r")
        if line.startswith(RECIPE):
            recipe = recipe or line.removeprefix(RECIPE).decode("utf-8", "replace")
        elif line.startswith(INFO):
            info = line.removeprefix(INFO)
        elif line.strip() and not line.startswith(b"#"):
            target = file_of(line, folder)
            if target is not None:
                entries.append(entry_of(target, info))
            info = b""
    return M3uPlaylist(tuple(entries), recipe)


def file_of(line: bytes, folder: bytes) -> bytes | None:
    """The absolute path of the file that a line names; None where it names none."""
    address = _ADDRESS.match(line)
    if address is not None and address[1].lower() != b"file":
        return None
    if address is not None:
        line = b"/" + unquote_to_bytes(line[address.end() :]).partition(b"/")[2]
    # No file has a name with a zero byte, and asking the system for one is an error.
    return None if b"\0" in line else os.path.normpath(os.path.join(folder, line))  # noqa: PTH118 # paths are bytes


def entry_of(path: bytes, info: bytes) -> M3uEntry:
    """The entry of a file from what stands before it: "61,Can - Vitamin C"."""
    found = _INFO.fullmatch(info.decode("utf-8", "replace"))
    assert found is not None, "each part of the pattern may be missing, and the last takes all that is left"
    artist, _, title = found[2].rpartition(" - ") if found[2].count(" - ") == 1 else ("", "", found[2])
    return M3uEntry(path, max(float(found[1] or 0), 0.0), artist, title)


def home(path: Path) -> bytes:
    """The folder that the relative paths of a playlist start from."""
    # Where a folder is a link, `..` leads out of what it points to: only its real path can be left by that way.
    return os.fsencode(os.path.realpath(path.parent))
