"""Features of a track's windows -> its embedding, through a model file.

Two backends give the same numbers: `onnx` runs an exported model with onnxruntime, `torch` the weights of a training.
Only the second loads PyTorch. A network that was trained elsewhere is an ONNX file with a manifest of its own.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.encoder.model_files import SHIPPED, locate_model
from resonance_engine.encoder.network_backend import NetworkBackend, open_onnx
from resonance_engine.errors import TRAINING_EXTRA, ModelError, printable
from resonance_engine.store.records import Embedding, Windows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.encoder.backends import Backend, Features
    from resonance_engine.features.front_end import FrontEnd
    from resonance_engine.features.resampling import Resampler

BATCH = 8  # windows given to a backend at a time, which bounds the memory of a recording of many
TOLERANCE = 1e-3  # of unit vectors' lengths, and of probabilities


class Encoder:
    """A model, ready to embed tracks. `path` is a model file or its directory; the shipped model by default.

    Its front end resamples by soxr unless `resampler` is given.
    """

    def __init__(self, path: Path = SHIPPED, backend: str = "auto", resampler: Resampler | None = None) -> None:
        self.resampler = resampler
        kind, file = locate_model(path, backend)
        self.backend: Backend | NetworkBackend
        if kind == "onnx":
            self.backend = open_onnx(file)
        else:
            try:
                from resonance_engine.network.files import TorchBackend
            except ImportError as error:
                raise ModelError(
                    f"Running {printable(file)} needs PyTorch ({error}): {TRAINING_EXTRA}, "
                    "or export the model and use the .onnx file."
                ) from error
            self.backend = TorchBackend(file)
        self.manifest = self.backend.manifest

    @cached_property
    def front_end(self) -> FrontEnd:
        """The front end whose features of windows `embed` takes."""
        from resonance_engine.features.front_end import FrontEnd
        from resonance_engine.features.patches import PatchFrontEnd
        from resonance_engine.features.resampling import resample_by_soxr

        resampler = self.resampler or resample_by_soxr
        if isinstance(self.backend, NetworkBackend):
            return PatchFrontEnd(self.manifest.spec, self.backend.network.input, resampler)
        return FrontEnd(self.manifest.spec, resampler)

    def embed(self, features: Features, starts: tuple[float, ...] = ()) -> Embedding:
        """Return the embedding of a track from the front end's features of its windows, (n, ...) each, n >= 1.

        Vector and facets are the normalised means over the windows, gates and tags the means; `starts` are the windows'
        in seconds. Raises ModelError when the model gives anything but unit vectors, or tags that are no probabilities.
        """
        count = len(next(iter(features.values())))
        batches = [
            self.backend.run({name: features[name][at : at + BATCH] for name in self.manifest.inputs})
            for at in range(0, count, BATCH)
        ]
        windows, facets, gates, *tags = (np.concatenate(outputs) for outputs in zip(*batches, strict=True))
        names = self.manifest.modalities
        embedding = Embedding(
            vector=normalise(windows.mean(axis=0)),
            facets={name: normalise(facets[:, i].mean(axis=0)) for i, name in enumerate(names)},
            gates={name: float(gates[:, i].mean()) for i, name in enumerate(names)},
            windows=Windows(starts, windows),
            tags=self.probabilities(tags[0].mean(axis=0)) if tags else {},
        )
        lengths = np.linalg.norm([embedding.vector, *embedding.facets.values(), *windows], axis=1)
        if not (np.abs(lengths - 1) < TOLERANCE).all() or not np.isfinite(gates).all():
            raise ModelError(f"The model {self.manifest.name} gives no unit vectors; export or install it again.")
        return embedding

    def embed_windows(self, windows: Iterable[NDArray[np.float32] | None]) -> NDArray[np.float32]:
        """Return the embedding of each window of samples, (n, dimensions), zeros for None; `BATCH` are held at a time.

        Raises ModelError as `embed` does.
        """
        blocks = [np.empty((0, self.manifest.dimensions), np.float32)]
        rest = iter(windows)
        while batch := list(islice(rest, BATCH)):
            block = np.zeros((len(batch), self.manifest.dimensions), np.float32)
            places = [place for place, window in enumerate(batch) if window is not None]
            if places:
                embedding = self.embed(self.front_end(np.stack([window for window in batch if window is not None])))
                assert embedding.windows is not None, "an encoder embeds windows"
                block[places] = embedding.windows.vectors
            blocks.append(block)
        return np.concatenate(blocks)

    def probabilities(self, tags: NDArray[np.float32]) -> dict[str, float]:
        """Return tags (n,) by name, clipped to 0 to 1, which the roundings of a quantised model may leave."""
        if not (np.abs(tags - 0.5) < 0.5 + TOLERANCE).all():
            raise ModelError(
                f"The tags that the model {self.manifest.name} gives are no probabilities; export or install it again."
            )
        return dict(zip(self.manifest.tags, np.clip(tags, 0, 1).tolist(), strict=True))


def normalise(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a vector to length one; a zero vector has no direction and stays as it is."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 0 else vector
