"""Read and write extended M3U files; a file is written whole or not at all."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from resonance_engine.errors import PlaylistError, neutralise, printable
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


SUFFIXES = (".m3u8", ".m3u")
UNKNOWN = -1  # the format's length of a track of unknown length
HEADER = b"#EXTM3U\n"
RECIPE = b"#RESONANCE:"
INFO = b"#EXTINF:"
LARGEST = 64 * 2**20  # bytes; a larger file is none
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

LINE_END = re.compile(rb"\r\n?|\n")
FILE_SCHEMES = ("file", "smb", "cifs", "nfs", "afp", "sftp", "dav", "davs")  # the others are those of streams

_INFO = re.compile(r"\s*(-?\d{1,9}(?:\.\d{0,9})?)?[^,]*,?\s*(.*)", re.DOTALL)
_ADDRESS = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True)
class M3uEntry:
    """One track of a playlist: absolute path of its file, length in seconds (0: unknown), artist and title to show.

    `line` is how the file that it was read from names it.
    """

    path: bytes
    seconds: float
    artist: str
    title: str
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True)
class M3uPlaylist:
    """The content of a playlist file: its tracks and its recipe, if it has one."""

    entries: tuple[M3uEntry, ...]
    recipe: str | None = None


def format_playlist(
    entries: Sequence[M3uEntry], folder: bytes, recipe: str | None = None, absolute: bool = False
) -> bytes:
    """Return the content of a playlist file in `folder`: UTF-8 titles and the paths byte for byte.

    Paths are relative to the folder, unless `absolute`. The recipe is one line of text.
    """
    lines = [b"#EXTM3U"]
    if recipe is not None:
        if len(recipe.splitlines()) != 1:
            raise ValueError("Expected a recipe of one line.")
        lines.append(RECIPE + recipe.encode())
    for entry in entries:
        shown = " ".join(neutralise(" - ".join(filter(None, (entry.artist, entry.title)))).split())
        seconds = round(entry.seconds) if entry.seconds > 0 else UNKNOWN
        lines.append(INFO + f"{seconds},{shown}".encode("utf-8", "replace"))
        path = entry.path if absolute else os.path.relpath(entry.path, folder)
        # A name that begins with # would read as a comment, one of spaces alone as an empty line.
        lines.append(b"./" + path if path.startswith(b"#") or not path.strip() else path)
    return b"\n".join(lines) + b"\n"


def write_playlist(path: Path, entries: Sequence[M3uEntry], recipe: str | None = None, absolute: bool = False) -> int:
    """Write or replace the playlist at `path` in one step, and return how many of the entries it holds.

    Those whose paths have a line break are left out: a line cannot hold it. Raises OSError where the file cannot be
    written.
    """
    kept = [entry for entry in entries if not set(entry.path) & set(b"\r\n")]
    write_bytes(path, format_playlist(kept, base_folder(path), recipe, absolute))
    return len(kept)


def append_entries(path: Path, entries: Sequence[M3uEntry]) -> int:
    """Add tracks at the end of the playlist at `path`, which is made where there is none, and return how many are new.

    What the file holds stays as it is, byte for byte, and a track that it has is not added again. Raises PlaylistError
    where it cannot be read, OSError where it cannot be written.
    """
    old = read_content(path) if path.exists() else b""
    folder = base_folder(path)
    known = {entry.path for entry in parse_playlist(old, folder).entries}
    new = {entry.path: entry for entry in entries if entry.path not in known and not set(entry.path) & set(b"\r\n")}
    lines = format_playlist([*new.values()], folder)
    if old:
        lines = (b"" if old.endswith(b"\n") else b"\n") + lines.removeprefix(HEADER)
    if new:
        write_bytes(path, old + lines)
    return len(new)


def read_playlist(path: Path) -> M3uPlaylist:
    """Read a playlist file, ours or another program's.

    Entries that are no files (addresses of streams) are skipped; titles may be unknown. Raises
    PlaylistError where the file cannot be read or is too large to be a playlist.
    """
    return parse_playlist(read_content(path), base_folder(path))


def read_content(path: Path) -> bytes:
    """Return the content of a playlist file; raises PlaylistError where it cannot be read or is too large to be one."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PlaylistError(f"The playlist {printable(path)} cannot be read: {reason}.") from error
    if len(content) > LARGEST:
        raise PlaylistError(f"{printable(path)} is no playlist: it is larger than {LARGEST // 2**20} MB.")
    return content


def parse_playlist(content: bytes, folder: bytes) -> M3uPlaylist:
    """Parse the content of a playlist file in `folder`, whatever it is."""
    entries = []
    recipe = None
    info = b""
    for line in LINE_END.split(decode_wide(content).removeprefix(BYTE_ORDER_MARK)):
        if line.startswith(RECIPE):
            recipe = recipe or line.removeprefix(RECIPE).decode("utf-8", "replace")
        elif line.startswith(INFO):
            info = line.removeprefix(INFO)
        elif line.strip() and not line.startswith(b"#"):
            target = resolve_line(line, folder)
            if target is not None:
                entries.append(replace(parse_entry(target, info), line=line))
            info = b""
    return M3uPlaylist(tuple(entries), recipe)


def decode_wide(content: bytes) -> bytes:
    """Return content in UTF-16 with a byte order mark, as some programs of Windows write it, as UTF-8."""
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content
    return content.decode("utf-16", "replace").encode("utf-8", "replace")


def resolve_line(line: bytes, folder: bytes) -> bytes | None:
    """Return the absolute path of the file that a line names; None for an address that is no file."""
    address = _ADDRESS.match(line)
    if address is not None and address[1].lower().decode() not in FILE_SCHEMES:
        return None
    if address is not None and address[1].lower() == b"file":
        line = b"/" + unquote_to_bytes(line[address.end() :]).partition(b"/")[2]
    # No file has a name with a zero byte, and asking the system for one is an error.
    return None if b"\0" in line else os.path.normpath(os.path.join(folder, line))  # noqa: PTH118 # paths are bytes


def parse_entry(path: bytes, info: bytes) -> M3uEntry:
    """Parse the line before a file, such as "61,Can - Vitamin C", to its entry."""
    match = _INFO.fullmatch(info.decode("utf-8", "replace"))
    assert match is not None, "each part of the pattern may be missing, and the last takes all that is left"
    artist, _, title = match[2].rpartition(" - ") if match[2].count(" - ") == 1 else ("", "", match[2])
    return M3uEntry(path, max(float(match[1] or 0), 0.0), artist, title)


def base_folder(path: Path) -> bytes:
    """Return the folder that the relative paths of a playlist start from."""
    # Where a folder is a link, `..` leads out of what it points to: only its real path can be left by that way.
    return os.fsencode(os.path.realpath(path.parent))
