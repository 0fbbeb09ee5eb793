"""The demo's own folder, and the real `beet` running in it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = "MADE-BY-THE-RESONANCE-DEMO.txt"
_MARK_TEXT = "This folder was made by the demo of Resonance. It may be deleted at any time.\n"


class DemoError(Exception):
    """The demo cannot go on; `str()` is a whole sentence."""


@dataclass(frozen=True)
class Track:
    """One track as beets knows it; `genre` is empty where it has none."""

    title: str
    artist: str
    genre: str
    path: Path


@dataclass(frozen=True)
class Beets:
    """A beets of the demo's own: nothing of the user's configuration or library is read or changed."""

    home: Path

    @property
    def sidecar(self) -> Path:
        """Where the plugin keeps what it heard: beside the library's database."""
        return self.home / "resonance.db"

    def run(self, *arguments: str) -> None:
        """Shows a command as it would be typed, and runs it; its output goes where the demo's goes.

        Raises DemoError when the command fails.
        """
        print(f"\n$ {shlex.join(['beet', *arguments])}", flush=True)
        finished = subprocess.run(
            [sys.executable, "-m", "beets", *arguments],
            env={**os.environ, "BEETSDIR": str(self.home)},
            check=False,
        )
        if finished.returncode:
            raise DemoError(f"`beet {arguments[0]}` failed (exit status {finished.returncode}); see above.")

    def tracks(self) -> list[Track]:
        """All tracks of the library, in the order of import."""
        from beets.library import Library

        library = Library(str(self.home / "library.db"), str(self.home / "library"))
        return [Track(item.title, item.artist, (item.genres or [""])[0], item.filepath) for item in library.items()]


def claimed(work: Path) -> Path:
    """The folder that the demo may do with as it likes; made, and marked, if it is not there.

    Raises DemoError for a folder with other things in it.
    """
    if work.exists() and not (work / MARK).exists() and (not work.is_dir() or any(work.iterdir())):
        raise DemoError(f"{work} was not made by the demo; name a new folder with --work.")
    work.mkdir(parents=True, exist_ok=True)
    (work / MARK).write_text(_MARK_TEXT, encoding="utf-8")
    return work


def fresh_beets(work: Path, copies: bool) -> Beets:
    """A beets with an empty library in the claimed folder, in place of the one from last time.

    With `copies`, imported files are copied into the library; without, they stay where they are, unchanged.
    """
    home = work / "beets"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir()
    (home / "config.yaml").write_text(configuration(home, copies), encoding="utf-8")
    return Beets(home)


def configuration(home: Path, copies: bool) -> str:
    """The config.yaml of such a beets; strings are quoted as JSON, which is YAML too."""
    settings = {
        "plugins": ["resonance"],
        "directory": str(home / "library"),
        "library": str(home / "library.db"),
        "create_backup_before_migrations": False,
        "import": {
            "copy": copies,
            "move": False,
            "write": False,
            "resume": False,
            "incremental": False,
            "duplicate_action": "keep",
        },
        "ui": {"color": False},
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def remove_strangers(root: Path, wanted: set[Path]) -> None:
    """Deletes what does not belong to a synthesised library, such as an older version's tracks."""
    for path in root.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
