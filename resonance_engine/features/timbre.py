"""Timbre, and the input of semantic: the log-mel spectrogram of the full signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from resonance_engine.features.filters import Array
    from resonance_engine.features.spec import LogMelSpec
    from resonance_engine.features.spectrum import Spectra

# Power of -100 dB, which stands for silence.
SILENCE = np.float32(1e-10)


def log_mel(spectra: Spectra, _: LogMelSpec) -> Array:
    """Compute the log-mel spectrogram (mel bands, frames) in dB, at least -100.

    The reference is fixed, so that louder music stays louder.
    """
    return 10 * np.log10(np.maximum(spectra.mel, SILENCE)).T
