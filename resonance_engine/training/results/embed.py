"""Embed windows of songs in batches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet

    Array = NDArray[np.float32]
    Outputs = tuple[Array, ...]

# Windows at a time. A processor's caches are small: with 64 it takes more than twice as long as with 8.
BATCH, PROCESSOR_BATCH = 64, 8


class Embeddings(NamedTuple):
    """Embeddings of songs.

    `tracks` (songs, d), `facets` (songs, modalities, d) and `windows` (windows, d) are of unit length, a song's being
    the normalised means over its windows; `gates` (songs, modalities) are means.
    """

    tracks: NDArray[np.float32]
    facets: NDArray[np.float32]
    gates: NDArray[np.float32]
    windows: NDArray[np.float32]


def embed_windows(network: ResonanceNetwork, windows: WindowSet, device: str | torch.device = "cpu") -> Embeddings:
    """Embed all windows without gradients on a device; the network is left there, in the mode that it was in."""
    network = network.to(device)

    def run(features: Mapping[str, Array]) -> Outputs:
        inputs = [torch.from_numpy(features[name]).to(device) for name in network.modalities]
        with torch.inference_mode():
            return tuple(each.float().cpu().numpy() for each in network(*inputs))

    with evaluation_mode(network):
        return embed_with(run, windows, PROCESSOR_BATCH if torch.device(device).type == "cpu" else BATCH)


def embed_with(
    run: Callable[[Mapping[str, Array]], Outputs], windows: WindowSet, batch: int = PROCESSOR_BATCH
) -> Embeddings:
    """Embed all windows with a function whose first outputs are embeddings, facets and gates."""
    count = len(windows.song)
    parts = [run(windows.rows(np.arange(at, min(at + batch, count)))) for at in range(0, count, batch)]
    embedding, facets, gates, *_ = (np.concatenate(part) for part in zip(*parts, strict=True))
    starts = windows.first[:-1]
    lengths = np.diff(windows.first)[:, None].astype(np.float32)
    return Embeddings(
        tracks=normalise(np.add.reduceat(embedding, starts, axis=0)),
        facets=normalise(np.add.reduceat(facets, starts, axis=0)),
        gates=np.asarray(np.add.reduceat(gates, starts, axis=0) / lengths, np.float32),
        windows=embedding,
    )


@contextmanager
def evaluation_mode(network: ResonanceNetwork) -> Iterator[None]:
    """Set evaluation mode within the context."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def normalise(vectors: Array) -> Array:
    """Normalise vectors (..., d) to length one; zero vectors stay zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)
