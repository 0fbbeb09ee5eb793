"""What may differ between two hearings of the same music: equaliser, gaps in time and frequency, a little noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Augmentation:
    """How much to change; zero switches a change off.

    `tilt_db` is the largest slope of a random equaliser over the whole band, `curve_db` its random bumps;
    `band_mask` and `time_mask` are the largest share of bands and frames that is blanked (SpecAugment, Park et al.
    2019); `chroma_noise` and `rhythm_noise` are deviations of added noise.
    """

    tilt_db: float = 6.0
    curve_db: float = 3.0
    band_mask: float = 0.15
    time_mask: float = 0.15
    chroma_noise: float = 0.05
    rhythm_noise: float = 0.03


def augmented(features: Features, augmentation: Augmentation, rng: np.random.Generator) -> Features:
    """Changed copies of the features of some windows."""
    changed = dict(features)
    if "timbre" in changed:
        changed["timbre"] = masked(equalised(changed["timbre"], augmentation, rng), augmentation, rng)
    for name, deviation in (("harmony", augmentation.chroma_noise), ("rhythm", augmentation.rhythm_noise)):
        if name in changed and deviation > 0:
            noise = rng.standard_normal(changed[name].shape, dtype=np.float32)
            changed[name] = np.clip(changed[name] + deviation * noise, 0, 1)
    return changed


def equalised(mel: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Log-mel (windows, bands, frames) with a random tilt and random bumps over the bands, another for each window."""
    windows, bands, _ = mel.shape
    position = np.linspace(-0.5, 0.5, bands)
    tilt = rng.uniform(-augmentation.tilt_db, augmentation.tilt_db, (windows, 1)) * position
    knots = rng.uniform(-augmentation.curve_db, augmentation.curve_db, (windows, 8))
    places = np.linspace(-0.5, 0.5, knots.shape[1])
    curve = np.stack([np.interp(position, places, each) for each in knots])
    changed: NDArray[np.float32] = mel + (tilt + curve)[:, :, None].astype(np.float32)
    return changed


def masked(mel: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Log-mel with one range of bands and one of frames set to the window's mean."""
    mel = mel.copy()
    means = mel.mean(axis=(1, 2))
    for window, mean in zip(mel, means, strict=True):
        for axis, share in ((0, augmentation.band_mask), (1, augmentation.time_mask)):
            size = window.shape[axis]
            width = int(rng.uniform(0, share) * size)
            start = rng.integers(0, size - width + 1)
            (window if axis == 0 else window.T)[start : start + width] = mean
    return mel
