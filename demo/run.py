"""The tour: a music library, the real `beet` in a folder of the demo, and its results (`python -m demo.run`)."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from demo.home import DemoBeets, DemoError, LibraryTrack, claim_folder, fresh_beets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Library

SEEDS = 4


def run_tour(work: Path, music: Path | None) -> None:
    """Import the music (by default a synthesised library), and run queries and a playlist on it."""
    work = claim_folder(work.resolve())
    beets = import_library(work, music)
    beets.run("resonance", "status")
    tracks = beets.tracks()
    if len(tracks) < 2:
        raise DemoError(f"Similar tracks take two, and {len(tracks)} of this folder could be analysed; see above.")
    matches = partial(matching_ids, beets.library())
    seeds = [track_query(track, matches) for track in select_seeds(tracks)]
    for seed in seeds:
        beets.run("similar", *seed, "-n", "5")
    beets.run("playlist", *seeds[0], "-n", "8")
    wrapper = work / "beet"
    beets.write_wrapper(wrapper)
    print("\nTo go on in this library, type:\n")
    for command in next_commands(seeds):
        print(f"  {shlex.join([typed(wrapper), *command])}")


def import_library(work: Path, music: Path | None) -> DemoBeets:
    """Import the music, by default a synthesised library, into a fresh beets in the claimed folder."""
    beets = fresh_beets(work)
    if music is None:
        print("Making a small music library, synthesised on the spot ...", flush=True)
        folder = synthesise(work / "music")
    else:
        print(f"Looking for music in {music} ...", flush=True)
        folder = music.resolve()
    from resonance_engine.audio.music_files import find_music

    files = find_music(folder).paths
    if not files:
        raise DemoError(f"There is no music in {folder}; give --music the folder that your music is in.")
    beets.import_music(folder, len(files))
    return beets


def synthesise(root: Path) -> Path:
    """Write the synthesised library and print how long it took."""
    from demo.library import make_library

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


def matching_ids(library: Library, words: list[str]) -> list[int]:
    """Return the ids of the items that match a query."""
    return [item.id for item in library.items(words) if item.id is not None]


def track_query(track: LibraryTrack, matches: Callable[[list[str]], list[int]]) -> list[str]:
    """Return the beets query for a track: its title, with its artist where that matches others, or else its id."""
    title, artist = f"title:{track.title}", f"artist:{track.artist}"
    plain = "\\" not in track.title + track.artist
    readable = [[title], [title, artist]] if plain else []
    return next((words for words in readable if matches(words) == [track.id]), [f"id:{track.id}"])


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
