"""Compare an exported model with its weights: errors and speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.network.export import Parity, compute_parity, example_inputs
from resonance_engine.training.data.sqlite_cache import SqliteCache

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.encoder.backends import Backend
    from resonance_engine.encoder.manifest import Manifest

Inputs = Mapping[str, NDArray[np.float32]]

SONGS = 16  # of the cache, whose windows are compared
WINDOWS = 64  # random ones, where there is no cache
WARM_UP = 3


class BackendTimes(NamedTuple):
    """Median seconds of a batch."""

    torch: float
    onnx: float


def read_cached_windows(folder: Path, manifest: Manifest) -> Inputs | None:
    """Read all windows of some cached songs with the model's features; None where there are none."""
    if not (folder / f"features-v{FRONT_END_VERSION}-{manifest.spec.digest()}.db").exists():
        return None  # opening it would create it
    cache = SqliteCache(folder, manifest.spec)
    try:
        songs = [cache.read(key) for key in sorted(cache.keys())[:SONGS]]
    finally:
        cache.close()
    if not songs:
        return None
    return {name: np.concatenate([song[name] for song in songs]).astype(np.float32) for name in manifest.modalities}


def draw_windows(manifest: Manifest) -> Inputs:
    values = (x.numpy() for x in example_inputs(manifest, WINDOWS))
    return dict(zip(manifest.modalities, values, strict=True))


def split_batches(inputs: Inputs, batch: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield the windows in batches; the last one may be smaller."""
    count = len(next(iter(inputs.values())))
    for at in range(0, count, batch):
        yield {name: values[at : at + batch] for name, values in inputs.items()}


def compare_outputs(exported: Backend, original: Backend, inputs: Inputs, batch: int) -> Parity:
    """Compute the errors of the exported model's outputs against the original's, over all these windows."""
    sides = [
        [
            np.concatenate(part)
            for part in zip(*(backend.run(each) for each in split_batches(inputs, batch)), strict=True)
        ]
        for backend in (exported, original)
    ]
    return compute_parity(*sides)


def time_backends(exported: Backend, original: Backend, inputs: Inputs, batch: int, runs: int) -> BackendTimes:
    """Time a batch in both models, in turns, so that other load of the machine slows both."""
    count = len(next(iter(inputs.values())))
    first = {name: values[np.arange(batch) % count] for name, values in inputs.items()}
    seconds: tuple[list[float], list[float]] = ([], [])
    with one_thread():
        for turn in range(WARM_UP + runs):
            for backend, kept in zip((original, exported), seconds, strict=True):
                started = time.perf_counter()
                backend.run(first)
                if turn >= WARM_UP:
                    kept.append(time.perf_counter() - started)
    return BackendTimes(*map(statistics.median, seconds))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread, as onnxruntime is run here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
