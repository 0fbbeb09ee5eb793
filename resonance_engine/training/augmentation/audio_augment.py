"""Augment audio before features are computed: pitch, tempo, equaliser, level, mixing, lossy codecs.

These are what other masters, players and files do to a recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from resonance_engine.features.filters import hann
from resonance_engine.features.spec import band_edges
from resonance_engine.training.augmentation import codecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.training.config.settings import AudioAugmentSettings

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

OVERLAP = 4
# Rises whenever the same seed gives other views.
AUGMENT_VERSION = 1
SPECTRUM_SECONDS = 0.046  # length of a spectrum of the vocoder: 2048 samples at 44.1 kHz
PITCH_STEPS = 250  # pitches are ratios of numbers up to this, steps of 0.07 semitones: resampling is fast for such
BIT_RATES = (40_000, 80_000)  # of one channel: stereo files at 80 to 160 kbit/s
MIX_DB = (-12.0, -6.0)


def stretch(samples: Array, gains: Array, speed: float) -> Array:
    """Weight the frequencies of samples (n,) by `gains` (bins,), and play them `speed` times as fast at the same pitch.

    Returns round(n / speed) samples. Each spectrum spans 2 (bins - 1) samples.
    """
    spectrum = transform(samples, 2 * (len(gains) - 1))
    spectrum *= gains
    return invert_spectrum(spectrum if speed == 1 else stretch_spectrum(spectrum, speed), round(len(samples) / speed))


def resample(samples: Array, ratio: Fraction) -> Array:
    """Resample to play `ratio` times as fast: shorter and higher."""
    shorter: Array = soxr.resample(samples, ratio.numerator, ratio.denominator)
    return shorter


def transform(samples: Array, n_fft: int) -> Spectrum:
    """Compute the STFT (frames, n_fft / 2 + 1): Hann window, frames centred, the sound mirrored beyond its ends."""
    padded = np.pad(samples, n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: n_fft // OVERLAP]
    spectrum: Spectrum = scipy.fft.rfft(frames * hann(n_fft))
    return spectrum


def stretch_spectrum(spectrum: Spectrum, speed: float) -> Spectrum:
    """Stretch a spectrum in time with a phase vocoder (Laroche & Dolson 1999).

    Magnitudes are interpolated between the frames around a place; phases advance from frame to frame as they did there.
    Multiplied as unit vectors, phases need no angles.
    """
    places = np.arange(0, len(spectrum), speed)
    first = places.astype(np.intp)
    weight = (places - first).astype(np.float32)[:, np.newaxis]
    padded = np.concatenate([spectrum, np.zeros((2, spectrum.shape[1]), np.complex64)])
    magnitude = np.abs(padded)
    unit = np.divide(padded, magnitude, out=np.ones_like(padded), where=magnitude > 0)
    turns = unit[first + 1] * unit[first].conj()
    phases = np.cumprod(np.concatenate([unit[:1], turns[:-1]]), axis=0)
    phases *= magnitude[first] + weight * (magnitude[first + 1] - magnitude[first])
    result: Spectrum = phases
    return result


def invert_spectrum(spectrum: Spectrum, length: int) -> Array:
    """Compute the `length` samples whose `transform` is nearest to a spectrum (Griffin & Lim 1984)."""
    n_fft = 2 * (spectrum.shape[1] - 1)
    hop = n_fft // OVERLAP
    window = hann(n_fft)
    frames = scipy.fft.irfft(spectrum, n_fft) * window
    count = len(frames)
    total = np.zeros((count + OVERLAP - 1, hop), np.float32)
    weight = np.zeros_like(total)
    for part in range(OVERLAP):
        columns = slice(part * hop, (part + 1) * hop)
        total[part : part + count] += frames[:, columns]
        weight[part : part + count] += np.square(window[columns])
    inner = slice(n_fft // 2, n_fft // 2 + length)
    samples = np.zeros(length, np.float32)
    sound = total.ravel()[inner] / weight.ravel()[inner]
    samples[: len(sound)] = sound
    return samples


@dataclass(frozen=True)
class AudioChange:
    """The changes of one window; `codec` is a name or empty, `partner` the row that is mixed in, or None."""

    gain_db: float
    tilt_db: float
    pitch: Fraction
    tempo: float
    codec: str
    bit_rate: int
    partner: int | None
    mix_db: float


def augment_audio(windows: Array, rate: int, augment: AudioAugmentSettings, seed: bytes) -> Iterator[Array]:
    """Yield the `augment.views` versions of windows (n, samples), of the same shape, float32 within ±1 at `rate` Hz.

    A window's changes depend on the seed, the view and its row alone. With `augment.mix`, windows of one song are mixed
    with each other, which adds nothing foreign to it; a window that is alone stays unmixed.
    """
    entropy = int.from_bytes(seed, "big")
    for view in range(1, augment.views + 1):
        changes = [
            draw_change(augment, np.random.default_rng((entropy, view, row)), row, len(windows))
            for row in range(len(windows))
        ]
        yield np.stack([apply_change(windows, row, rate, change) for row, change in enumerate(changes)])


def draw_change(augment: AudioAugmentSettings, rng: np.random.Generator, row: int, count: int) -> AudioChange:
    """Draw the change of the window `row` of `count` within the limits of `augment`.

    All random numbers are drawn at once, so that switching one change off leaves the others as they are.
    """
    chances = rng.random(10)
    gain, tilt, pitch, tempo = 2 * chances[:4] - 1
    names = codecs.list_codecs()
    coded = names and chances[4] < augment.codec
    mixed = count > 1 and chances[7] < augment.mix
    return AudioChange(
        gain_db=augment.gain_db * gain,
        tilt_db=augment.tilt_db * tilt,
        pitch=Fraction(2 ** (augment.pitch_semitones * pitch / 12)).limit_denominator(PITCH_STEPS),
        tempo=1 + augment.tempo_percent * tempo / 100,
        codec=names[int(chances[5] * len(names))] if coded else "",
        bit_rate=round(np.interp(chances[6], (0, 1), BIT_RATES)),
        partner=(row + 1 + int(chances[8] * (count - 1))) % count if mixed else None,
        mix_db=float(np.interp(chances[9], (0, 1), MIX_DB)),
    )


def apply_change(windows: Array, row: int, rate: int, change: AudioChange) -> Array:
    """Apply a change to the window `row` of `windows`, at the same length; scaled down where it would exceed ±1."""
    samples = equalise_pitch_tempo(windows[row], rate, change)
    if change.partner is not None:
        samples = samples + db_to_amplitude(change.mix_db) * windows[change.partner]
    if change.gain_db:
        samples = samples * db_to_amplitude(change.gain_db)
    samples = samples / max(1.0, float(np.abs(samples).max()))
    if change.codec:
        samples = codecs.round_trip(samples, rate, change.codec, change.bit_rate)
    return samples


def equalise_pitch_tempo(samples: Array, rate: int, change: AudioChange) -> Array:
    """Change the equaliser, pitch and tempo of samples.

    Time is stretched so far that resampling to the new pitch gives the new tempo. A window that became shorter is
    filled up with its end, mirrored.
    """
    speed = change.tempo / float(change.pitch)
    sound = samples
    if change.tilt_db or speed != 1:
        sound = stretch(sound, tilt_gains(rate, change.tilt_db), speed)
    if change.pitch != 1:
        sound = resample(sound, change.pitch)
    missing = len(samples) - len(sound)
    return np.pad(sound, (0, missing), mode="reflect") if missing > 0 else sound[: len(samples)]


def tilt_gains(rate: int, tilt_db: float) -> Array:
    """Return factors of the amplitude, one for each frequency of the vocoder, `tilt_db` between 0 Hz and rate / 2.

    Along the mel scale, so that mel bands, too, are tilted along a straight line.
    """
    n_fft = 2 ** round(np.log2(SPECTRUM_SECONDS * rate))
    places = np.linspace(-0.5, 0.5, 66)
    place = np.interp(np.linspace(0, rate / 2, n_fft // 2 + 1), band_edges(rate, len(places) - 2), places)
    return np.power(10, tilt_db * place / 20).astype(np.float32)


def db_to_amplitude(level_db: float) -> np.float32:
    return np.float32(10 ** (level_db / 20))
