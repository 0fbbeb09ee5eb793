"""Content keys of files by path, so that unchanged files need not be read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME = "files.json"
FORMAT = 1


class KnownFiles:
    """Content keys by path, for files that have kept their size and time of change; in a folder, or in memory.

    A table that cannot be read or written costs time and nothing else.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = folder / NAME if folder else None
        self.entries = read_entries(self.path) if self.path else {}

    def keys(self, paths: Iterable[Path]) -> dict[Path, bytes]:
        """Return the keys of those files that have not changed."""
        known = {}
        for path in paths:
            entry = self.entries.get(str(path))
            if entry is not None and entry[:2] == file_state(path):
                known[path] = entry[2]
        return known

    def add(self, keys: Mapping[Path, bytes]) -> None:
        """Add the keys of files and write the table."""
        added = {str(path): (*now, key) for path, key in keys.items() if (now := file_state(path))}
        if added.items() <= self.entries.items():
            return
        self.entries |= added
        if self.path is None:
            return
        files = {path: [size, time, key.hex()] for path, (size, time, key) in self.entries.items()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, json.dumps({"format": FORMAT, "files": files}).encode())
        except OSError:
            return


def read_entries(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """Read size, time of change and content key by path; empty where there is no such table."""
    try:
        document = json.loads(path.read_bytes())
        files = document["files"] if document["format"] == FORMAT else {}
        return {str(name): (int(size), int(time), bytes.fromhex(key)) for name, (size, time, key) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def file_state(path: Path) -> tuple[int, int] | None:
    """Return size in bytes and time of change in nanoseconds; None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
