"""Instrumentation: the mel spectrogram of a network that classifies sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.mel_bands import mel_bands
from resonance_engine.features.timbre import SILENCE

if TYPE_CHECKING:
    from resonance_engine.features.filters import Array
    from resonance_engine.features.spec import InstrumentationSpec

SOFTEST = np.float32(SILENCE**0.5)  # magnitude


def mel_decibels(samples: Array, spec: InstrumentationSpec) -> Array:
    """Compute the mel spectrogram (mel bands, frames) in dB, at least -100, of samples at the spec's rate."""
    decibels: Array = 20 * np.log10(np.maximum(mel_bands(samples, spec.framing), SOFTEST))
    return decibels
