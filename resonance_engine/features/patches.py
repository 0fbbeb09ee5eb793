"""From windows of samples to the patches that a network of any origin takes, beside the features of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.front_end import FrontEnd, resample
from resonance_engine.features.mel_bands import mel_bands
from resonance_engine.features.network_input import LogMelInput, WaveformInput
from resonance_engine.features.resampling import resample_by_soxr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.features.mel_framing import MelFraming
    from resonance_engine.features.network_input import Logarithm, NetworkInput
    from resonance_engine.features.resampling import Resampler
    from resonance_engine.features.spec import Decoding, FeatureSpec

    Array = NDArray[np.float32]

NETWORK = "network"  # the name of the patches among the features
FAINT = 1e-7  # added to the variance of a patch of silence


class PatchFrontEnd(FrontEnd):
    """The features of `spec`, and under "network" the patches of each window, (n, patches, *patch_shape)."""

    def __init__(self, spec: FeatureSpec, network: NetworkInput, resampler: Resampler = resample_by_soxr) -> None:
        super().__init__(spec, resampler)
        self.network = network

    def __call__(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        features = super().__call__(windows)
        patches = [cut_patches(window, self.spec.decoding, self.network, self.resampler) for window in windows]
        shape = (0, self.network.count_patches(self.spec.decoding.seconds), *self.network.patch_shape)
        return {**features, NETWORK: np.stack(patches) if patches else np.empty(shape, np.float32)}


def cut_patches(
    window: Array, decoding: Decoding, network: NetworkInput, resampler: Resampler = resample_by_soxr
) -> Array:
    """Cut the patches of a window of samples at the decoding's rate, (patches, *patch_shape).

    Frames are computed over the whole window: those at a patch's ends see what lies beside it. What is left at the
    window's end is dropped.
    """
    rate = network.sample_rate
    samples = window if rate == decoding.rate else resample(window, decoding, rate, resampler)
    if isinstance(network, LogMelInput):
        steps = compress(mel_bands(samples, network.mel), network.logarithm, network.mel).T
    else:
        steps = samples
    starts = network.patch_hop * np.arange(network.count_patches(decoding.seconds))
    patches: Array = steps[starts[:, np.newaxis] + np.arange(network.patch)]
    if isinstance(network, WaveformInput) and network.standardise:
        deviation = np.sqrt(patches.var(axis=1, keepdims=True) + FAINT)
        patches = (patches - patches.mean(axis=1, keepdims=True)) / deviation
    return patches


def compress(bands: Array, logarithm: Logarithm, framing: MelFraming) -> Array:
    """Compute the logarithm of mel bands as a network takes it."""
    values = bands * np.float32(logarithm.scale) + np.float32(logarithm.offset)
    np.maximum(values, np.float32(logarithm.floor), out=values)
    if logarithm.kind == "ln":
        values = np.log(values)
    elif logarithm.kind != "none":
        factor = 1 if logarithm.kind == "log10" else 10 if framing.spectrum == "power" else 20
        values = np.float32(factor) * np.log10(values)
    return (values - np.float32(logarithm.mean)) / np.float32(logarithm.deviation)
