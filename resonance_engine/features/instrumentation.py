"""Instrumentation: the mel spectrogram of a network that classifies sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.mel_bands import mel_bands

if TYPE_CHECKING:
    from resonance_engine.features.filters import Array
    from resonance_engine.features.spec import InstrumentationSpec

# Magnitude of -100 dB, which stands for silence.
SILENCE = np.float32(1e-5)


def mel_decibels(samples: Array, spec: InstrumentationSpec) -> Array:
    """Compute the mel spectrogram (mel bands, frames) in dB of magnitude, at least -100, of samples at the spec's rate."""
    return 20 * np.log10(np.maximum(mel_bands(samples, spec.framing), SILENCE))
