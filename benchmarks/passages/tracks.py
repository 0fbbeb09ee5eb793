"""The tracks that are compared, in halves of whole soundtracks, and their dense windows."""

from __future__ import annotations

import csv
import random
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.audio.decoding import open_audio
from resonance_engine.console import progress_bar
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.worker.worker import WorkerPool

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TIMEOUT = 1800.0
LONGEST_SECONDS = 306.0  # of a track: 72 windows
SEED = 1


class ComparedTrack(NamedTuple):
    """A file of the corpus; `half` is 0 for those that thresholds are chosen on."""

    path: str
    soundtrack: str
    half: int


def choose_tracks(root: Path, count: int) -> list[ComparedTrack]:
    """Return so many tracks of a folder's manifest, from each soundtrack in turn; every other soundtrack is a half."""
    with (root / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = sorted({row["soundtrack"] for row in rows})
    waiting = {name: [row["path"] for row in rows if row["soundtrack"] == name] for name in names}
    rng = random.Random(SEED)  # noqa: S311 - not for cryptography
    for name in names:
        rng.shuffle(waiting[name])
    chosen: list[ComparedTrack] = []
    while len(chosen) < count and any(waiting.values()):
        chosen += [
            ComparedTrack(waiting[name].pop(), name, number % 2) for number, name in enumerate(names) if waiting[name]
        ]
    return chosen[:count]


def embed_tracks(root: Path, tracks: list[ComparedTrack], cache: Path) -> dict[str, NDArray[np.float32]]:
    """Return the dense windows of tracks by path, from a cache file as far as it has them.

    What fails, or is longer than `LONGEST_SECONDS`, is left out.
    """
    known = {}
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as arrays:
            known = {name.replace("|", "/"): arrays[name] for name in arrays.files}
    paths = [root / track.path for track in tracks if track.path not in known]
    paths = [path for path in paths if measure_length(path) < LONGEST_SECONDS]
    with closing(WorkerPool(SHIPPED, 1, TIMEOUT)) as pool, progress_bar(len(paths)) as bar:
        for result in pool.embed_dense(paths) if paths else ():
            if result is None:
                continue
            path, outcome = result
            bar.update()
            if not isinstance(outcome, AudioError) and outcome.windows is not None:
                known[str(path.relative_to(root))] = outcome.windows.vectors
    np.savez(cache, allow_pickle=False, **{name.replace("/", "|"): vectors for name, vectors in known.items()})
    return {track.path: known[track.path] for track in tracks if track.path in known}


def measure_length(path: Path) -> float:
    """Return the length of a file in seconds, as its container says; 0 where it does not."""
    with open_audio(path) as source:
        return source.duration or 0.0
