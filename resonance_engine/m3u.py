"""Playlist entries -> an extended M3U file, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resonance_engine.atomic import write_bytes


@dataclass(frozen=True)
class Entry:
    """One track of a playlist: the absolute path of its file as bytes, its length in seconds and what to show."""

    path: bytes
    seconds: float
    artist: str
    title: str


def content(entries: Sequence[Entry], folder: bytes) -> bytes:
    """The playlist as a file in `folder` would hold it: UTF-8 titles, paths relative to the folder, byte for byte."""
    lines = [b"#EXTM3U"]
    for entry in entries:
        shown = " ".join(f"{entry.artist} - {entry.title}".split())
        lines.append(f"#EXTINF:{round(entry.seconds)},{shown}".encode("utf-8", "replace"))
        relative = os.path.relpath(entry.path, folder)
        # A name that begins with # would read as a comment.
        lines.append(b"./" + relative if relative.startswith(b"#") else relative)
    return b"\n".join(lines) + b"\n"


def expressible(entry: Entry) -> bool:
    """Whether the format can hold this path: a line cannot hold a line break."""
    return not set(entry.path) & set(b"\r\n")


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Write or replace the playlist at `path` in one step; raises OSError where that is impossible."""
    folder = os.fsencode(os.path.abspath(path.parent))  # noqa: PTH100 - bytes, and links are left as they are
    write_bytes(path, content([entry for entry in entries if expressible(entry)], folder))
