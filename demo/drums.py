"""Drums and noises: each function returns one drum, whose pitch and length the notes do not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from demo.instruments import RATE, Signal, Voice, fade, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def one_shot(sample: Signal) -> Voice:
    """Return the voice that plays one sample, louder or softer."""

    def voice(_hz: float, _seconds: float, strength: float) -> Signal:
        return np.float32(strength) * sample

    return voice


def kick(hz: float, decay: float, click: float) -> Voice:
    """A bass drum: a sine that falls to `hz`, dying at `decay` per second, with a click at its start."""
    time = _time(0.45)
    phase = 2.0 * np.pi * (hz * time + hz * 3.0 / 45.0 * (1.0 - np.exp(-45.0 * time)))
    body = np.sin(phase) * np.exp(-decay * time)
    attack = click * np.sin(2.0 * np.pi * 1800.0 * time) * np.exp(-700.0 * time)
    return one_shot(fade((body + attack).astype(np.float32), 0.001, 0.05))


def clap(rng: np.random.Generator) -> Voice:
    """Hands: three bursts of noise close together, then a tail."""
    time = _time(0.3)
    bursts = sum(np.exp(-180.0 * np.abs(time - at)) * (time >= at) for at in (0.0, 0.011, 0.022))
    envelope = bursts + 0.6 * np.exp(-18.0 * time) * (time >= 0.03)
    return one_shot(fade((_bright_noise(rng, len(time), 12) * envelope).astype(np.float32), 0.001, 0.05))


def cymbal(rng: np.random.Generator, decay: float, ring: float = 0.3) -> Voice:
    """A hi-hat when it decays fast (30 per second and more), a ride or a crash when slowly."""
    time = _time(min(2.5, 6.0 / decay))
    partial_hz = (3170.0, 4210.0, 5470.0, 6790.0, 8330.0, 10_030.0)
    metal = sum(np.sign(np.sin(2.0 * np.pi * hz * time)) for hz in partial_hz) / len(partial_hz)
    mixture = (1.0 - ring) * _bright_noise(rng, len(time), 2) + ring * np.asarray(metal)
    return one_shot(fade((mixture * np.exp(-decay * time)).astype(np.float32), 0.001, 0.02))


def wind(rng: np.random.Generator, dullness: int) -> Voice:
    """Noise that swells and sinks as long as its note; the more `dullness` (samples averaged), the lower."""

    def voice(_hz: float, seconds: float, strength: float) -> Signal:
        noise = uniform_filter1d(rng.standard_normal(samples(seconds)), dullness) * np.sqrt(dullness)
        return fade((0.3 * strength * noise).astype(np.float32), seconds / 2.0, seconds / 2.0)

    return voice


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(samples(seconds)) / RATE


def _bright_noise(rng: np.random.Generator, length: int, dullness: int) -> NDArray[np.float64]:
    """White noise less its own average over `dullness` samples: what is left are the highs."""
    noise = rng.standard_normal(length)
    return np.asarray(0.4 * (noise - uniform_filter1d(noise, dullness)))
