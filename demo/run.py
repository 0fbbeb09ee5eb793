"""The tour: a music library, the real `beet`, and its results (`python -m demo.run`)."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.library import make_library
from demo.styles import STYLES
from demo.workplace import DemoError, LibraryTrack, claim_folder, fresh_beets, remove_strays
from resonance_engine.catalog import music_files

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS = 4


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
    for seed in seeds[:1]:
        beets.run("playlist", *seed, "-n", "8")
    wrapper = work / "beet"
    beets.write_wrapper(wrapper)
    commands = next_commands(seeds)
    if commands:
        print("\nTo go on in this library, type:\n")
    for command in commands:
        print(f"  {shlex.join([typed(wrapper), *command])}")


def synthesise(root: Path) -> Path:
    """Write the synthesised library and print how long it took."""
    print(f"Making a music library in {len(STYLES)} styles, synthesised on the spot ...", flush=True)
    start = time.perf_counter()
    paths = make_library(root)
    remove_strays(root, set(paths))
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
    if not seeds:
        return []
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
    parser.add_argument(
        "--music",
        type=Path,
        metavar="DIR",
        help="your own music, left as it is",
    )
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
