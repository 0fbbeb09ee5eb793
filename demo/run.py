"""The tour: a music library, the real `beet`, and what it finds (`python -m demo.run`)."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.catalogue import STYLES
from demo.comparison import FIRST, compared, labelled, table
from demo.library import make_library
from demo.workplace import DemoError, Track, claimed, fresh_beets, remove_strangers

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS = 4


def tour(work: Path, music: Path | None) -> None:
    """Imports the music (by default a synthesised library), asks for similar tracks and a playlist."""
    work = claimed(work.resolve())
    beets = fresh_beets(work, copies=music is None)
    beets.run("import", "-q", "-A", str(synthesised(work / "music") if music is None else music.resolve()))
    beets.run("resonance", "status")
    tracks = beets.tracks()
    chosen = seeds(tracks)
    for track in chosen:
        beets.run("similar", *query(track, tracks), "-n", str(FIRST))
    for track in chosen[:1]:
        beets.run("playlist", *query(track, tracks), "-n", "10")
    judge(labelled(tracks), beets.sidecar)


def synthesised(root: Path) -> Path:
    """The synthesised library's folder; says how long it took to make."""
    print(f"Making a music library in {len(STYLES)} styles, synthesised on the spot ...", flush=True)
    began = time.perf_counter()
    paths = make_library(root)
    remove_strangers(root, set(paths))
    print(f"{len(paths)} tracks, FLAC and MP3, in {root} ({time.perf_counter() - began:.0f} s).")
    return root


def seeds(tracks: Sequence[Track]) -> list[Track]:
    """Tracks to ask about: the first of each of several genres, or from all over a library without genres."""
    first = {track.genre: track for track in reversed(tracks) if track.genre}
    pool = sorted(first.values(), key=lambda track: track.genre) if len(first) >= SEEDS else list(tracks)
    step = max(1, len(pool) // SEEDS)
    return pool[::step][:SEEDS]


def query(track: Track, tracks: Sequence[Track]) -> list[str]:
    """The beets query for a track: its title, with its artist where others have a title that holds it."""
    namesakes = [other for other in tracks if track.title.lower() in other.title.lower()]
    words = [f"title:{track.title}"]
    return words if len(namesakes) == 1 else [*words, f"artist:{track.artist}"]


def judge(tracks: Sequence[Track], sidecar: Path) -> None:
    """Prints how often neighbours share the seed's genre, or why that cannot be said."""
    if not tracks:
        print("\nFewer than half of the tracks have a genre, so the results cannot be compared with them.")
        return
    print(f"\nWith every track as a seed: the share of its own style among the first {FIRST}.", flush=True)
    rows = compared(tracks, sidecar)
    genres = len({track.genre for track in tracks})
    print(table(rows) if rows else "Too few tracks were analysed to say.")
    print(f"({len(tracks)} tracks, {genres} styles; tracks of the seed's artist count like any other.)")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
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
        tour(options.work, options.music)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
