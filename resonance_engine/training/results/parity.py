"""Check an exported model: errors and speed against its weights, and its card with inputs, evaluation and licence."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from resonance_engine.features.spec import FRONT_END_VERSION
from resonance_engine.network.export import Parity, compute_parity, example_inputs
from resonance_engine.training.data.cache import SqliteCache

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.encoder.backends import Backend
    from resonance_engine.encoder.manifest import Manifest

CARD_TITLE = "# Model card: "
UNKNOWN = "-"
Inputs = Mapping[str, NDArray[np.float32]]
SONGS = 16  # of the cache, whose windows are compared
WINDOWS = 64  # random ones, where there is no cache
WARM_UP = 3


def is_card(path: Path) -> bool:
    """Return whether a file is a card of a model, as `format_card` begins it."""
    with path.open("rb") as file:
        return file.read(len(CARD_TITLE)) == CARD_TITLE.encode()


def format_card(manifest: Manifest, parity: Parity, evaluation: Mapping[str, Any] | None = None) -> str:
    """Format the card in Markdown; `evaluation` is the content of `evaluate`'s JSON file about this model."""
    decoding = manifest.spec.decoding
    lines = [
        f"{CARD_TITLE}{manifest.name} {manifest.version}",
        "",
        f"Model id `{manifest.id}`. Licence: {manifest.licence}.",
        "",
        f"It takes {decoding.windows} windows of {decoding.seconds:g} s of a track at {decoding.rate} Hz, by "
        f"{', '.join(manifest.modalities)}, and gives {manifest.dimensions} numbers (fusion {manifest.fusion}), so "
        "that tracks that sound alike have a high cosine. `model.onnx` runs; further training starts from "
        "`model.safetensors`, which holds the same weights.",
        "",
        f"The exported file gives PyTorch's numbers: mean error {parity.mae:.1e}, largest {parity.maximum:.1e}, mean "
        f"squared {parity.mse:.1e}, lowest cosine {parity.cosine:.7f}.",
        "",
        "## How good it is",
        "",
        *(
            format_evaluation(evaluation)
            if evaluation
            else ["It was not evaluated; `evaluate`, then `export`, adds numbers here."]
        ),
    ]
    return "\n".join(lines) + "\n"


def format_evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Format the tasks that had queries as a table, with the other numbers below it."""
    yield (
        f"On {evaluation['songs']} held-out songs of {evaluation['albums']} albums; 95 % intervals over albums, and "
        "what a random ranking gives."
    )
    yield ""
    tasks = [task for task in evaluation["tasks"] if task["queries"]]
    if tasks:
        names = list(tasks[0]["metrics"])
        yield f"| task | queries | {' | '.join(names)} |"
        yield "|---|---|" + "---|" * len(names)
        for task in tasks:
            cells = " | ".join(format_estimate(task["metrics"][name]) for name in names)
            yield f"| {task['name']} | {task['queries']} | {cells} |"
        yield ""
    yield f"Segment recall@1: {format_estimate(evaluation['segment_recall'])}."
    yield f"Hub skewness at 10 of raw similarity: {format_number(evaluation['hub_skewness'])}."


def format_estimate(value: Mapping[str, Any]) -> str:
    text = f"{format_number(value['value'])} ({format_number(value['low'])} to {format_number(value['high'])})"
    return text if value.get("chance") is None else f"{text}, chance {format_number(value['chance'])}"


def format_number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def load_windows(folder: Path, manifest: Manifest) -> tuple[str, Inputs]:
    """Return the origin and windows to compare on: all of some cached songs where there are any, else random ones."""
    songs = []
    if (folder / f"features-v{FRONT_END_VERSION}-{manifest.spec.digest()}.db").exists():  # opening would create it
        with closing(SqliteCache(folder, manifest.spec)) as cache:
            songs = [cache.read(key) for key in sorted(cache.keys())[:SONGS]]
    if not songs:
        values = (x.numpy() for x in example_inputs(manifest, WINDOWS))
        return "of random numbers", dict(zip(manifest.modalities, values, strict=True))
    return "from the feature cache", {
        name: np.concatenate([song[name] for song in songs]).astype(np.float32) for name in manifest.modalities
    }


def compare_outputs(exported: Backend, original: Backend, inputs: Inputs, batch: int) -> Parity:
    """Compute the errors of the exported model's outputs against the original's, over all these windows."""
    count = len(next(iter(inputs.values())))
    batches = [{name: values[at : at + batch] for name, values in inputs.items()} for at in range(0, count, batch)]
    sides = [
        [np.concatenate(part) for part in zip(*(backend.run(each) for each in batches), strict=True)]
        for backend in (exported, original)
    ]
    return compute_parity(*sides)


def time_backends(first: Backend, second: Backend, inputs: Inputs, batch: int, runs: int) -> tuple[float, float]:
    """Return the median seconds of a batch in each, run in turns, so that other load of the machine slows both."""
    count = len(next(iter(inputs.values())))
    windows = {name: values[np.arange(batch) % count] for name, values in inputs.items()}
    seconds: tuple[list[float], list[float]] = ([], [])
    with one_thread():
        for turn in range(WARM_UP + runs):
            for backend, kept in zip((first, second), seconds, strict=True):
                began = time.perf_counter()
                backend.run(windows)
                if turn >= WARM_UP:
                    kept.append(time.perf_counter() - began)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread, as onnxruntime is run here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
