"""Makes a small music library: `python -m demo.library DIR`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from functools import partial
from pathlib import Path

from demo.catalogue import STYLES, Track, composed, performed, planned
from demo.recording import Tags, write_recording

DEFAULT_SEED = 7
DEFAULT_TRACKS_PER_STYLE = 8
DEFAULT_SECONDS = 50.0


def make_library(
    root: Path,
    seed: int = DEFAULT_SEED,
    tracks_per_style: int = DEFAULT_TRACKS_PER_STYLE,
    seconds: float = DEFAULT_SECONDS,
    processes: int = 2,
) -> list[Path]:
    """Writes the library under `root`, leaving files that are there as they are; returns their paths."""
    tracks = planned(seed, tracks_per_style, seconds)
    if processes == 1:
        return [make_track(root, track) for track in tracks]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return list(pool.imap(partial(make_track, root), tracks))


def make_track(root: Path, track: Track) -> Path:
    """Composes, performs and writes one track unless its file is there; returns its path."""
    song, rng = composed(track)
    path = track.path(root, song)
    if not path.exists():
        tags = Tags(
            title=track.title(song),
            artist=track.artist.name,
            album=track.artist.album,
            genre=track.style.name,
            year=track.artist.year,
            track=track.number,
            tracktotal=track.tracks,
        )
        write_recording(path, performed(song, rng), tags)
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line; prints what was made and how long it took."""
    parser = argparse.ArgumentParser(prog="python -m demo.library", description="Make a small music library.")
    parser.add_argument("root", type=Path, metavar="DIR", help="the folder to make it in")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed is another library")
    parser.add_argument("--tracks-per-style", type=int, default=DEFAULT_TRACKS_PER_STYLE, metavar="N")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help="mean length of a track")
    options = parser.parse_args(arguments)
    if options.tracks_per_style < 1 or options.seconds < 1.0 or options.seed < 0:
        parser.error("expected at least one track per style, one second a track, and a seed that is not negative")
    began = time.perf_counter()
    paths = make_library(options.root, options.seed, options.tracks_per_style, options.seconds)
    elapsed = time.perf_counter() - began
    print(f"{len(paths)} tracks in {len(STYLES)} styles in {options.root}, made in {elapsed:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
