"""The tour: a music library, the real `beet` in a folder of the demo, and its results (`python -m demo.run`)."""

from __future__ import annotations

import argparse
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
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tqdm import tqdm

from demo.library import make_library
from demo.styles import STYLES
from resonance_engine.catalog import music_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

MARK = "MADE-BY-THE-RESONANCE-DEMO.txt"
MARK_TEXT = "This folder was made by the demo of Resonance. It may be deleted at any time.\n"
POLL_SECONDS = 0.2
SEEDS = 4


class DemoError(Exception):
    """The demo cannot go on; `str()` is a whole sentence."""


@dataclass(frozen=True)
class LibraryTrack:
    """A track in beets' library; `genre` is empty where it has none."""

    title: str
    artist: str
    genre: str


@dataclass(frozen=True)
class DemoBeets:
    """A beets of the demo's own: nothing of the user's configuration or library is read or changed."""

    home: Path

    def run(self, *arguments: str) -> None:
        """Print a command as it would be typed, and run it with its output on the terminal.

        Raises DemoError when the command fails.
        """
        self._wait(self._start(arguments), arguments)

    def import_music(self, folder: Path, tracks: int) -> None:
        """Run `beet import`, on a terminal with a progress bar of the analysed tracks below its output."""
        arguments = ("import", "-q", "-A", str(folder))
        start = time.perf_counter()
        with tqdm(desc="analysed", total=tracks, unit=" tracks", disable=None) as bar:
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
        try:
            with closing(sqlite3.connect(f"{(self.home / 'resonance.db').as_uri()}?mode=ro", uri=True)) as sidecar:
                count: int = sidecar.execute("SELECT count(*) FROM analysis").fetchone()[0]
        except sqlite3.OperationalError:  # not there yet
            return 0
        return count

    def tracks(self) -> list[LibraryTrack]:
        """Return all tracks of the library in the order of import."""
        from beets.library import Library

        library = Library(str(self.home / "library.db"), str(self.home / "library"))
        return [LibraryTrack(item.title, item.artist, (item.genres or [""])[0]) for item in library.items()]

    def write_wrapper(self, path: Path) -> None:
        """Write a script that runs this beets, to be typed in place of `beet`."""
        command = shlex.join([sys.executable, "-m", "beets"])
        path.write_text(f'#!/bin/sh\nBEETSDIR={shlex.quote(str(self.home))} exec {command} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def _start(self, arguments: Sequence[str], stderr: int | None = None) -> subprocess.Popen[str]:
        print(f"\n$ {shlex.join(['beet', *arguments])}", flush=True)
        environment = {**os.environ, "BEETSDIR": str(self.home)}
        return subprocess.Popen([sys.executable, "-m", "beets", *arguments], env=environment, stderr=stderr, text=True)

    def _wait(self, process: subprocess.Popen[str], arguments: Sequence[str]) -> None:
        if process.wait():
            raise DemoError(f"`beet {arguments[0]}` failed (exit status {process.returncode}); see above.")


def copy_lines(lines: Iterable[str], bar: tqdm[NoReturn]) -> None:
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
        "ui": {"color": False},
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def run_tour(work: Path, music: Path | None) -> None:
    """Import the music (by default a synthesised library), and run queries and a playlist on it."""
    work = claim_folder(work.resolve())
    beets = fresh_beets(work)
    folder = synthesise(work / "music") if music is None else music.resolve()
    beets.import_music(folder, len(music_files(folder)))
    beets.run("resonance", "status")
    tracks = beets.tracks()
    seeds = [title_query(track, tracks) for track in select_seeds(tracks)]
    for seed in seeds:
        beets.run("similar", *seed, "-n", "5")
    if not seeds:
        return
    beets.run("playlist", *seeds[0], "-n", "8")
    wrapper = work / "beet"
    beets.write_wrapper(wrapper)
    print("\nTo go on in this library, type:\n")
    for command in next_commands(seeds):
        print(f"  {shlex.join([typed(wrapper), *command])}")


def synthesise(root: Path) -> Path:
    """Write the synthesised library and print how long it took."""
    print(f"Making a music library in {len(STYLES)} styles, synthesised on the spot ...", flush=True)
    start = time.perf_counter()
    paths = make_library(root)
    print(f"{len(paths)} tracks, FLAC and MP3, in {root} ({time.perf_counter() - start:.0f} s).")
    return root


def select_seeds(tracks: Sequence[LibraryTrack]) -> list[LibraryTrack]:
    """Select the first track of each of several genres, or tracks spread over a library without genres."""
    first = {track.genre: track for track in reversed(tracks) if track.genre}
    pool = sorted(first.values(), key=lambda track: track.genre) if len(first) >= SEEDS else list(tracks)
    step = max(1, len(pool) // SEEDS)
    return pool[::step][:SEEDS]


def title_query(track: LibraryTrack, tracks: Sequence[LibraryTrack]) -> list[str]:
    """Return the beets query for a track: its title, with its artist where others have a title that holds it."""
    namesakes = [other for other in tracks if track.title.lower() in other.title.lower()]
    words = [f"title:{track.title}"]
    return words if len(namesakes) == 1 else [*words, f"artist:{track.artist}"]


def next_commands(seeds: Sequence[list[str]]) -> list[list[str]]:
    """Return commands to try next: reasons, a search in words, and a path from the first seed to the last."""
    first, last = seeds[0], " ".join(quote_word(word) for word in seeds[-1])
    return [
        ["similar", *first, "-n", "5", "--explain"],
        ["similar", "--text", "electronic, no guitar", "-n", "5"],
        ["playlist", *first, "--to", last, "-n", "8"],
    ]


def quote_word(word: str) -> str:
    """Quote a word of a query that is given as one text."""
    return shlex.quote(word) if '"' in word else f'"{word}"'


def typed(path: Path) -> str:
    """Return a path as it is typed in the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith(os.pardir) else os.path.join(os.curdir, relative)  # noqa: PTH118 - Path drops the dot


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description="A tour of Resonance.")
    parser.add_argument("--music", type=Path, metavar="DIR", help="your own music, left as it is")
    parser.add_argument("--work", type=Path, metavar="DIR", default=Path(".demo"), help="made by the demo")
    options = parser.parse_args(arguments)
    if options.music is not None and not options.music.is_dir():
        parser.error(f"there is no folder {options.music}; give --music the folder that your music is in")
    try:
        run_tour(options.work, options.music)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
