"""The demo's folder, and a beets of its own in it: nothing of the user's configuration, library or music is changed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from beets.library import Library

MARK = "MADE-BY-THE-RESONANCE-DEMO.txt"
MARK_TEXT = "This folder was made by the demo of Resonance. It may be deleted at any time.\n"
POLL_SECONDS = 0.2


class DemoError(Exception):
    """The demo cannot go on; `str()` is a whole sentence."""


@dataclass(frozen=True)
class LibraryTrack:
    """A track in beets' library; `genre` is empty where it has none."""

    id: int
    title: str
    artist: str
    genre: str


@dataclass(frozen=True)
class DemoBeets:
    """A beets whose configuration and databases lie in `home`."""

    home: Path

    def run(self, *arguments: str) -> None:
        """Print a command as it would be typed, and run it with its output on the terminal.

        Raises DemoError when the command fails.
        """
        self._wait(self._start(arguments), arguments)

    def output(self, arguments: Sequence[str], folder: Path) -> list[str]:
        """Return the lines that a command prints without a terminal, run in a folder; DemoError where it fails."""
        done = subprocess.run(
            self._command(arguments),
            env=self._environment(),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"`{shlex.join(['beet', *arguments])}` failed:\n{done.stdout}")
        return done.stdout.splitlines()

    def import_music(self, folder: Path, tracks: int) -> None:
        """Run `beet import`, on a terminal with a progress bar of the analysed tracks below its output."""
        from resonance_engine.console import progress_bar

        arguments = ("import", "-q", "-A", str(folder))
        start = time.perf_counter()
        with progress_bar(tracks, desc="analysed") as bar:
            process = self._start(arguments, None if bar.disable else subprocess.PIPE)
            if process.stderr is not None:
                Thread(target=copy_lines, args=(process.stderr, bar)).start()
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                bar.update(self.analysed() - bar.n)
            bar.update(self.analysed() - bar.n)
        self._wait(process, arguments)
        print(f"{self.analysed()} tracks analysed ({time.perf_counter() - start:.0f} s).")

    def analysed(self) -> int:
        """Count the analysed recordings in the sidecar."""
        return len(self._select("SELECT content_key FROM analysis"))

    def tracks(self) -> list[LibraryTrack]:
        """Return the analysed tracks of the library in the order of import."""
        analysed = {item_id for (item_id,) in self._select("SELECT item_id FROM track")}
        return [
            LibraryTrack(item.id, item.title, item.artist, (item.genres or [""])[0])
            for item in self.library().items()
            if item.id in analysed
        ]

    def library(self) -> Library:
        from beets.library import Library

        return Library(str(self.home / "library.db"), str(self.home / "library"))

    def write_wrapper(self, path: Path) -> None:
        """Write a script that runs this beets, to be typed in place of `beet`."""
        command = shlex.join(self._command(()))
        path.write_text(f'#!/bin/sh\nBEETSDIR={shlex.quote(str(self.home))} exec {command} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def _select(self, statement: str) -> list[tuple[int | bytes]]:
        """Return the rows of the sidecar; none while there is no such file or table."""
        try:
            with closing(sqlite3.connect(f"{(self.home / 'resonance.db').as_uri()}?mode=ro", uri=True)) as sidecar:
                return list(sidecar.execute(statement))
        except sqlite3.OperationalError:
            return []

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "beets", *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "BEETSDIR": str(self.home)}

    def _start(self, arguments: Sequence[str], stderr: int | None = None) -> subprocess.Popen[str]:
        print(f"\n$ {shlex.join(['beet', *arguments])}", flush=True)
        return subprocess.Popen(self._command(arguments), env=self._environment(), stderr=stderr, text=True)

    def _wait(self, process: subprocess.Popen[str], arguments: Sequence[str]) -> None:
        if process.wait():
            raise DemoError(f"`beet {arguments[0]}` failed (exit status {process.returncode}); see above.")


def copy_lines(lines: IO[str], bar: Any) -> None:
    """Print lines above a progress bar as they come."""
    for line in lines:
        bar.write(line, file=sys.stderr, end="")


def claim_folder(work: Path) -> Path:
    """Create and mark the demo's folder; raises DemoError for a folder with other things in it."""
    if work.exists() and not (work / MARK).exists() and (not work.is_dir() or any(work.iterdir())):
        raise DemoError(f"{work} was not made by the demo; name a new folder with --work.")
    work.mkdir(parents=True, exist_ok=True)
    (work / MARK).write_text(MARK_TEXT, encoding="utf-8")
    return work


def fresh_beets(work: Path) -> DemoBeets:
    """Create a beets with an empty library in the claimed folder, in place of the last run's."""
    home = work / "beets"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir()
    (home / "config.yaml").write_text(configuration(home), encoding="utf-8")
    return DemoBeets(home)


def configuration(home: Path) -> str:
    """Return the config.yaml of a beets that leaves imported files where and as they are.

    Strings are quoted as JSON, which is YAML too.
    """
    settings = {
        "plugins": ["resonance"],
        "directory": str(home / "library"),
        "library": str(home / "library.db"),
        "create_backup_before_migrations": False,
        "import": {
            **dict.fromkeys(("copy", "move", "write", "resume", "incremental"), False),
            "duplicate_action": "keep",
        },
        "format_item": "%if{$title,$artist - $album - $title,$path}",  # beets' own, but for files without titles
        "resonance": {"auto": "import"},  # what comes next searches
        "ui": {"color": False},
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
