"""From stretches of samples to the windows of a recording; opens no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.attributes import NEAR_SILENCE_DB, measure_energy
from resonance_engine.features.resampling import resample_by_soxr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from resonance_engine.features.resampling import Resampler
    from resonance_engine.features.spec import Decoding

RATES = range(1_000, 3_000_001)
"""Sample rates in Hz that are believed: from telephones to DSD512."""

OPENING = 180.0
"""Seconds from the beginning that windows come from where those spread over all of it give nothing."""

WHOLE = 0.95
"""Share of a window that the file must supply for the window to count."""

SILENCE = 1e-4
"""Peak at or below which a window is silent: -80 dB, three steps of 16 bits."""

NOTHING_LOUDER = f"none of its windows is louder than {NEAR_SILENCE_DB:g} dBFS on average"


@dataclass(frozen=True)
class Span:
    """A stretch of a recording: mono float32 within ±1 at the file's own rate.

    `start` is in seconds from the beginning of the track; `filled` is the share of the samples that the file
    supplied, the rest are zeros.
    """

    samples: NDArray[np.float32]
    rate: int
    start: float
    filled: float


@dataclass(frozen=True)
class Recording:
    """The windows of one recording.

    `windows` is float32 (n, samples), mono within ±1; `starts` and `duration` are seconds, the latter by the
    file's header unless all of it was decoded. `short` says that the recording is shorter than one window and was
    repeated to fill it.
    """

    windows: NDArray[np.float32]
    starts: tuple[float, ...]
    duration: float
    short: bool


def window_starts(duration: float, decoding: Decoding) -> tuple[float, ...]:
    """Return the seconds at which windows begin: the middles of equal parts of what one window leaves of the duration.

    So neither intro nor ending is included unless the track is hardly longer than a window.
    """
    slack = duration - decoding.seconds
    count = min(decoding.windows, 1 + int(slack // decoding.hop_seconds))
    return tuple((2 * i + 1) / (2 * count) * slack for i in range(count))


def place_windows(length: float, decoding: Decoding) -> tuple[bool, tuple[float, ...]]:
    """Return whether a length in seconds is shorter than a window, and where windows of it begin."""
    short = length < decoding.seconds
    return short, (0.0,) if short else window_starts(length, decoding)


def collect_windows(
    spans: Iterable[Span | None],
    decoding: Decoding,
    duration: float,
    short: bool,
    resampler: Resampler = resample_by_soxr,
) -> Recording | None:
    """Return the windows of the audible spans; None where not one of them is louder than near-silence.

    One that is keeps the others: a quiet beginning belongs to its piece.
    """
    audible = [span for span in spans if span and _is_audible(span)]
    windows = [_to_window(span, decoding, resampler) for span in audible]
    if not any(measure_energy(window) > NEAR_SILENCE_DB for window in windows):
        return None
    return Recording(np.stack(windows), tuple(span.start for span in audible), duration, short)


def _is_audible(span: Span) -> bool:
    return span.filled >= WHOLE and float(np.abs(span.samples).max()) > SILENCE


def _to_window(span: Span, decoding: Decoding, resampler: Resampler) -> NDArray[np.float32]:
    """Resample a span to the decoding's rate, and repeat one that is shorter than a window until it fills it."""
    samples = span.samples
    if span.rate != decoding.rate:
        samples = resampler(samples, span.rate, decoding.rate)
    short = len(samples) < decoding.samples - 1  # the resampler may round one sample off
    window = np.zeros(decoding.samples, np.float32)
    window[: len(samples)] = samples[: len(window)]
    return np.clip(np.resize(samples, decoding.samples) if short else window, -1.0, 1.0)
