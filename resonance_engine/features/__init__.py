"""From windows of samples to what the encoder hears: timbre, harmony and rhythm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.features.registry import EXTRACTORS
from resonance_engine.features.spectrum import Spectra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec, Framing

# Part of a model's identity: rises whenever the same spec gives other numbers.
FRONT_END_VERSION = 1


class FrontEnd:
    """Measures windows of samples as `spec` says; the same numbers for a window alone and among others."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec

    def __call__(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Features by modality, (n, *shape) each, of n windows (n, samples) of finite float32 samples."""
        self._check(windows)
        modalities = self.spec.modalities
        shapes = {name: spec.shape(self.spec.decoding) for name, spec in modalities.items()}
        features = {name: np.empty((len(windows), *shape), np.float32) for name, shape in shapes.items()}
        for row, samples in enumerate(windows):
            spectra: dict[Framing, Spectra] = {}
            for name, spec in modalities.items():
                if spec.framing not in spectra:
                    spectra[spec.framing] = Spectra(samples, spec.framing, self.spec.hpss)
                features[name][row] = EXTRACTORS[type(spec)](spectra[spec.framing], spec)
        return features

    def _check(self, windows: NDArray[Any]) -> None:
        samples = self.spec.decoding.samples
        if windows.ndim != 2 or windows.shape[1] != samples:
            raise ValueError(f"expected windows of the shape (n, {samples}), got {windows.shape}")
        if windows.dtype != np.float32:
            raise ValueError(f"expected float32 samples, got {windows.dtype}")
        if not np.isfinite(windows).all():
            raise ValueError("expected finite samples, got NaN or infinity")
