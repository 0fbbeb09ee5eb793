"""Harmony: chromagram of the sustained part of the signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.filters import Array, chroma_filters

if TYPE_CHECKING:
    from resonance_engine.features.spec import HarmonySpec
    from resonance_engine.features.spectrum import Spectra


def chroma(spectra: Spectra, spec: HarmonySpec) -> Array:
    """Compute the chromagram (pitch classes, frames), each frame divided by its maximum; zeros in silence."""
    energy: Array = spectra.harmonic @ chroma_filters(spec.framing, spec.bins)
    peaks = energy.max(axis=1, keepdims=True)
    audible = peaks > np.finfo(np.float32).tiny
    chromagram: Array = np.divide(energy, peaks, out=np.zeros_like(energy), where=audible)
    return chromagram.T
