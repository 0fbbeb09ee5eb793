"""From windows of samples to the features of all modalities: timbre, harmony, rhythm, semantic, instrumentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.features.harmony import chroma
from resonance_engine.features.instrumentation import mel_decibels
from resonance_engine.features.mel_framing import MelFraming
from resonance_engine.features.resampling import resample_by_soxr
from resonance_engine.features.rhythm import tempo_envelope
from resonance_engine.features.spec import (
    HarmonySpec,
    InstrumentationSpec,
    ModalitySpec,
    RhythmSpec,
    SemanticSpec,
    TimbreSpec,
)
from resonance_engine.features.spectrum import Spectra
from resonance_engine.features.timbre import log_mel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.features.filters import Array
    from resonance_engine.features.resampling import Resampler
    from resonance_engine.features.spec import Decoding, FeatureSpec, Framing

EXTRACTORS: dict[type[ModalitySpec], Callable[[Spectra, Any], Array]] = {
    TimbreSpec: log_mel,
    HarmonySpec: chroma,
    RhythmSpec: tempo_envelope,
    SemanticSpec: log_mel,
}
"""The extractor of each kind of spec with a `Framing`, from spectrograms that modalities share."""

SAMPLE_EXTRACTORS: dict[type[ModalitySpec], Callable[[Array, Any], Array]] = {InstrumentationSpec: mel_decibels}
"""The extractor of each kind of spec with a `MelFraming`, from samples at its rate."""


class FrontEnd:
    """Computes the features that `spec` describes; the same numbers for a window alone and among others."""

    def __init__(self, spec: FeatureSpec, resampler: Resampler = resample_by_soxr) -> None:
        self.spec = spec
        self.resampler = resampler

    def __call__(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return features by modality, (n, *shape) each, of n windows (n, samples) of finite float32 samples."""
        self._check(windows)
        modalities = self.spec.modalities
        shapes = {name: spec.shape(self.spec.decoding) for name, spec in modalities.items()}
        features = {name: np.empty((len(windows), *shape), np.float32) for name, shape in shapes.items()}
        for row, samples in enumerate(windows):
            signals = {self.spec.decoding.rate: samples}
            spectra: dict[Framing, Spectra] = {}
            for name, spec in modalities.items():
                framing = spec.framing
                if framing.rate not in signals:
                    signals[framing.rate] = resample(samples, self.spec.decoding, framing.rate, self.resampler)
                if isinstance(framing, MelFraming):
                    features[name][row] = SAMPLE_EXTRACTORS[type(spec)](signals[framing.rate], spec)
                    continue
                if framing not in spectra:
                    spectra[framing] = Spectra(signals[framing.rate], framing, self.spec.hpss)
                features[name][row] = EXTRACTORS[type(spec)](spectra[framing], spec)
        return features

    def _check(self, windows: NDArray[Any]) -> None:
        samples = self.spec.decoding.samples
        if windows.ndim != 2 or windows.shape[1] != samples:
            raise ValueError(f"expected windows of the shape (n, {samples}), got {windows.shape}")
        if windows.dtype != np.float32:
            raise ValueError(f"expected float32 samples, got {windows.dtype}")
        if not np.isfinite(windows).all():
            raise ValueError("expected finite samples, got NaN or infinity")


def resample(window: Array, decoding: Decoding, rate: int, resampler: Resampler = resample_by_soxr) -> Array:
    """Resample a window from the decoding's rate to another; to `decoding.samples_at` that rate."""
    samples = resampler(window, decoding.rate, rate)
    count = decoding.samples_at(rate)
    # The resampler may round the length the other way.
    return np.pad(samples, (0, max(0, count - len(samples))))[:count]
