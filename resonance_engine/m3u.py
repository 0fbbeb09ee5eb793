"""Playlist entries -> an extended M3U file, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


UNKNOWN = -1  # the format's length of a track whose length is not known


@dataclass(frozen=True)
class Entry:
    """One track of a playlist: absolute path of its file, length in seconds (0 where it is not known), what to show."""

    path: bytes
    seconds: float
    artist: str
    title: str


def content(entries: Sequence[Entry], folder: bytes) -> bytes:
    """The playlist as a file in `folder` would hold it: UTF-8 titles, paths relative to the folder, byte for byte."""
    lines = [b"#EXTM3U"]
    for entry in entries:
        shown = " ".join(" - ".join(filter(None, (entry.artist, entry.title))).split())
        seconds = round(entry.seconds) if entry.seconds > 0 else UNKNOWN
        lines.append(f"#EXTINF:{seconds},{shown}".encode("utf-8", "replace"))
        relative = os.path.relpath(entry.path, folder)
        # A name that begins with # would read as a comment.
        lines.append(b"./" + relative if relative.startswith(b"#") else relative)
    return b"\n".join(lines) + b"\n"


def expressible(entry: Entry) -> bool:
    """Whether the format can hold this path: a line cannot hold a line break."""
    return not set(entry.path) & set(b"\r\n")


def write(path: Path, entries: Sequence[Entry]) -> int:
    """Write or replace the playlist at `path` in one step, and say how many of the entries it holds.

    Those that are not `expressible` are left out. Raises OSError where the file cannot be written.
    """
    # Where a folder is a link, `..` leads out of what it points to: only its real path can be left by that way.
    folder = os.fsencode(os.path.realpath(path.parent))
    kept = [entry for entry in entries if expressible(entry)]
    write_bytes(path, content(kept, folder))
    return len(kept)
