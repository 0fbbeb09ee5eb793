"""How much memory a process of its own gains by doing something many times.

    python -m tests.memory_growth queries|training TIMES

prints two numbers of bytes: the gain when what is done is forgotten, and when a quarter as much is kept. The second
shows that the first would be seen: a fresh process has no freed memory for a leak to hide in.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATM = Path("/proc/self/statm")
MEGABYTE = 2**20


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def queries() -> Iterator[object]:
    """Queries with and without feedback and diversity, without end; gives what was found."""
    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.search.ranking import Ranking
    from resonance_engine.search.selection import find_neighbours
    from tests.embeddings import stored, unit_vectors

    tracks = 600
    vectors = stored(unit_vectors(tracks, 64))
    index = VectorIndex(np.arange(tracks, dtype=np.int64), vectors)
    number = 0
    while True:
        number += 1
        ranking = Ranking(10, prf=number % 2 * 3, rerank=("none", "mmr")[number % 4 // 2])
        found = find_neighbours(index, vectors[number % tracks][None], ranking, exclude={number})
        # Four times over, so that what is kept cannot hide in memory that searching has freed.
        yield index.vectors(4 * [each.id for each in found])


def training() -> Iterator[object]:
    """Steps of training, without end; gives their batches, with a copy of the features."""
    import torch

    from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
    from resonance_engine.training.learning.device import Precision, World
    from resonance_engine.training.learning.steps import OptimizerSteps
    from tests.tiny_networks import tiny_network
    from tests.training.window_sets import make_window_set

    torch.set_num_threads(1)
    steps = OptimizerSteps(
        tiny_network().train(), TrainSettings(batch_identities=6, views_per_song=2), Precision("cpu"), World()
    )
    windows, epoch = make_window_set(), 0
    while True:
        epoch += 1
        for batch in windows.epoch(6, 2, 30, AugmentSettings(), 0, epoch):
            steps.accumulate(batch)
            # Twice over, so that what is kept cannot hide in memory that training has freed.
            yield batch, [values.clone() for values in batch.features.values()]


ACTIVITIES: dict[str, Callable[[], Iterator[object]]] = {"queries": queries, "training": training}


def growth(activity: str, times: int) -> tuple[int, int]:
    """Bytes that a fresh process gains by so many rounds, forgotten, and by a quarter as many, kept."""
    if not STATM.exists():
        pytest.skip("needs /proc")
    command = [sys.executable, "-m", "tests.memory_growth", activity, str(times)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    forgotten, kept = map(int, done.stdout.split())
    return forgotten, kept


if __name__ == "__main__":
    rounds, count = ACTIVITIES[sys.argv[1]](), int(sys.argv[2])
    for _ in range(count // 5):
        next(rounds)
    sizes = [resident()]
    for _ in range(count):
        next(rounds)
    sizes.append(resident())
    _kept = [next(rounds) for _ in range(count // 4)]
    sizes.append(resident())
    sys.stdout.write(" ".join(map(str, np.diff(sizes).tolist())))
