"""Time the shipped model by PyTorch and by onnxruntime, in float32 and INT8, and how far their numbers differ.

    python -m benchmarks.inference [--runs 15]

Milliseconds a window on one thread, in turns, medians, for batches of one window and of eight; then the errors of the
exported file against the weights, over 16 windows of made tunes. "bf16" is PyTorch's autocast to bfloat16, which
is what mixed precision is on a processor.
"""

from __future__ import annotations

import os

# One thread; the libraries read this when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.measure import median_times
from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.model_files import SHIPPED, locate_model
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.network.files import TorchBackend
from resonance_engine.training.results.parity import compare_outputs
from tests.audio_files import tune

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.encoder.backends import Features
    from resonance_engine.features.spec import Decoding

BATCHES = (1, 8)
WINDOWS = 16
INT8 = SHIPPED.parent.with_name(f"{SHIPPED.parent.name}-int8")


def run_mixed(backend: TorchBackend, features: Features) -> None:
    inputs = [torch.from_numpy(np.ascontiguousarray(features[name])) for name in backend.manifest.modalities]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        backend.network(*inputs)


def make_windows(decoding: Decoding) -> NDArray[np.float32]:
    """Return windows (n, samples) of tunes, each another."""
    tunes = [tune(decoding.seconds, decoding.rate, channels=1, seed=number)[0] for number in range(WINDOWS)]
    return np.stack(tunes)[:, : decoding.samples].astype(np.float32)


def first_windows(features: Features, count: int) -> Features:
    return {name: values[:count] for name, values in features.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description="Time the model's backends.")
    parser.add_argument("--runs", type=int, default=15, metavar="N")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    file = locate_model(SHIPPED, "onnx")[1]
    exported, quantised, original = OnnxBackend(file), OnnxBackend(locate_model(INT8, "onnx")[1]), TorchBackend(file)
    spec = exported.manifest.spec
    features = FrontEnd(spec)(make_windows(spec.decoding))
    actions: dict[tuple[str, int], Callable[[], object]] = {}
    for batch in BATCHES:
        part = first_windows(features, batch)
        actions["PyTorch, float32", batch] = partial(original.run, part)
        actions["PyTorch, bf16", batch] = partial(run_mixed, original, part)
        actions["onnxruntime, float32", batch] = partial(exported.run, part)
        actions["onnxruntime, INT8", batch] = partial(quantised.run, part)
    times = median_times(actions, runs, clock=time.process_time)
    print(f"{'CPU ms a window':<24}" + "".join(f"{f'batch of {batch}':>12}" for batch in BATCHES) + f"{'speed-up':>10}")
    for name in dict.fromkeys(name for name, _ in actions):
        cells = "".join(f"{times[name, batch] / batch:12.1f}" for batch in BATCHES)
        print(f"{name:<24}{cells}{times['PyTorch, float32', 1] / times[name, 1]:10.2f}")
    print(f"\n{'errors against PyTorch':<24}{'MAE':>12}{'largest':>12}{'MSE':>12}{'cosine':>12}")
    for name, backend in (("onnxruntime, float32", exported), ("onnxruntime, INT8", quantised)):
        parity = compare_outputs(backend, original, features, np.max(BATCHES).item())
        print(f"{name:<24}{parity.mae:12.1e}{parity.maximum:12.1e}{parity.mse:12.1e}{parity.cosine:12.7f}")


if __name__ == "__main__":
    main()
