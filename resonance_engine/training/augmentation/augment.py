"""Augment features: views of a window whose differences leave the music the same.

A view of a window: its pitch and tempo shifted a little, another song mixed in, its level and equaliser changed, a
range of bands and of frames blanked, noise added. Changes with a counterpart in audio act on features as the changed
audio would: pitch and time are shifted by reading axes at other places, by ratios of frequency or of tempo (2 is an
octave higher, twice as fast).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resonance_engine.features.spec import InstrumentationSpec, SemanticSpec, TimbreSpec
from resonance_engine.features.timbre import SILENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonance_engine.features.mel_framing import MelFraming
    from resonance_engine.features.spec import Framing
    from resonance_engine.training.config.settings import AugmentSettings

    MelScale = Framing | MelFraming

Array = NDArray[np.float32]
Features = dict[str, Array]

CUTOFFS = (8000.0, 18000.0)  # Hz, above which codecs drop the treble at 64 to 160 kbit/s
KNOTS = 8  # of the equaliser's random curve
MEL_SCALES: Mapping[str, MelScale] = {  # of log-mel, as the modalities have it by default
    "timbre": TimbreSpec().framing,
    "semantic": SemanticSpec().framing,
    "instrumentation": InstrumentationSpec().framing,
}
SILENCE_DB = 10 * np.log10(SILENCE)
NEPER = np.float32(np.log(10) / 10)  # a decibel of power


@lru_cache(maxsize=8)
def cached_edges(scale: MelScale) -> NDArray[np.float64]:
    """Return the edges of a scale's bands in Hz."""
    return scale.edges()


@dataclass(frozen=True)
class AugmentAmounts:
    """Amounts of the changes of one window: dB, ratios of frequency and tempo, shares; gaps as width and position."""

    gain: float
    tilt: float
    curve: NDArray[np.float64]
    pitch: float
    tempo: float
    mix: float
    cutoff: float
    band_gap: tuple[float, float]
    time_gap: tuple[float, float]


def augment_features(
    features: Features,
    augment: AugmentSettings,
    rngs: Sequence[np.random.Generator],
    others: Features | None = None,
    mel_scales: Mapping[str, MelScale] = MEL_SCALES,
) -> Features:
    """Return augmented copies of the features of windows, one generator per window, which alone decides its change.

    `features` by modality: those of `mel_scales` (windows, mels, frames) in dB, harmony (windows, bins, frames) and
    rhythm (windows, lags) within 0 to 1; frames may differ in number, but not in the time that they span. `others`, of
    the same shapes, is what `augment.mix` mixes in. `mel_scales` holds the modalities in dB and the bands that they are
    computed in. One equaliser and one gap hold for all of them, drawn over the bands of the one that reaches highest.
    Other modalities are copied as they are. Raises ValueError where mixing is on and `others` is missing.
    """
    if augment.mix > 0 and others is None:
        raise ValueError("mixing needs the features of a second window for each window")
    others = others or features
    scales = {name: scale for name, scale in mel_scales.items() if name in features}
    changed = {name: values.copy() for name, values in features.items()}
    for row, rng in enumerate(rngs):
        amounts = draw_amounts(augment, rng)
        mels, other_mels, out = ({name: each[name][row] for name in scales} for each in (features, others, changed))
        shares = change_mels(mels, other_mels, out, scales, amounts)
        if "harmony" in features:
            chroma = scale_time(shift_chroma(features["harmony"][row], amounts.pitch), amounts.tempo)
            chroma = mix_peaks(chroma, others["harmony"][row], resample_shares(shares, chroma.shape[1]))
            changed["harmony"][row] = add_noise(chroma, augment.chroma_noise, rng)
        if "rhythm" in features:
            envelope = scale_lags(features["rhythm"][row], amounts.tempo)
            envelope = mix_peaks(envelope, others["rhythm"][row], np.float32(amounts.mix))
            changed["rhythm"][row] = add_noise(envelope, augment.rhythm_noise, rng)
    return changed


def draw_amounts(augment: AugmentSettings, rng: np.random.Generator) -> AugmentAmounts:
    """Draw amounts within the limits of `augment`.

    All random numbers are drawn at once, so that switching one change off leaves the others as they are.
    """
    chances = rng.random(11 + KNOTS)
    gain, tilt, pitch, tempo, *curve = 2 * chances[7:] - 1
    low, high = CUTOFFS
    return AugmentAmounts(
        gain=augment.gain_db * gain,
        tilt=augment.tilt_db * tilt,
        curve=augment.curve_db * np.array(curve),
        pitch=2 ** (augment.pitch_semitones * pitch / 12),
        tempo=1 + augment.tempo_percent * tempo / 100,
        mix=augment.mix * chances[0],
        cutoff=low * (high / low) ** chances[6] if chances[5] < augment.codec else np.inf,
        band_gap=(augment.band_mask * chances[1], chances[2]),
        time_gap=(augment.time_mask * chances[3], chances[4]),
    )


def change_mels(
    mels: Features, others: Features, out: Features, scales: Mapping[str, MelScale], amounts: AugmentAmounts
) -> Array | np.float32:
    """Write one window's changed log-mel (bands, frames) to `out`; returns the other's share of the first's frames.

    All modalities get the same change of the audio: one level of what is mixed in, one curve over frequency in Hz.
    """
    shares: Array | np.float32 = np.float32(amounts.mix)
    if not scales:
        return shares
    widest = max(scales.values(), key=lambda scale: (cached_edges(scale)[-1], scale.n_mels))
    louder: np.float32 | None = None
    for name, scale in scales.items():
        mel = scale_time(shift_mel(mels[name], amounts.pitch, scale), amounts.tempo)
        if louder is None:
            louder = mel.max() - others[name].max()
            out[name][:], shares = mix_mel(mel, others[name], amounts.mix, louder)
        else:
            out[name][:], _ = mix_mel(mel, others[name], amounts.mix, louder)
        places = band_places(scale, widest)
        equalise(out[name], amounts, places)
        cut_off(out[name], amounts.cutoff, scale)
        mask(out[name], amounts, places, widest.n_mels)
    return shares


@lru_cache(maxsize=8)
def band_places(scale: MelScale, widest: MelScale) -> NDArray[np.float64]:
    """Return the positions of the bands of a scale on the widest one, which spans -0.5 to 0.5."""
    places = np.linspace(-0.5, 0.5, widest.n_mels)
    if scale == widest:
        return places
    own, all_bands = (cached_edges(each)[1:-1] for each in (scale, widest))
    return np.interp(own, all_bands, places)


def equalise(mel: Array, amounts: AugmentAmounts, places: NDArray[np.float64]) -> None:
    """Change log-mel (bands, frames) by a gain, a slope and a curve over all places; not below -100 dB, as measured."""
    if amounts.gain == amounts.tilt == 0 and not amounts.curve.any():
        return
    curve = np.interp(places, np.linspace(-0.5, 0.5, KNOTS), amounts.curve)
    mel += (amounts.gain + amounts.tilt * places + curve)[:, np.newaxis].astype(np.float32)
    np.maximum(mel, np.float32(SILENCE_DB), out=mel)


def cut_off(mel: Array, cutoff: float, scale: MelScale) -> None:
    """Silence the bands of log-mel (bands, frames) above a frequency in Hz, as lossy codecs do."""
    if cutoff < cached_edges(scale)[-1]:
        mel[np.searchsorted(cached_edges(scale)[1:-1], cutoff) :] = SILENCE_DB


def mask(mel: Array, amounts: AugmentAmounts, places: NDArray[np.float64], widest: int) -> None:
    """Set a range of bands and one of frames of log-mel (bands, frames) to its mean (SpecAugment, Park et al. 2019).

    The range is drawn over the bands of the widest scale, of so many; `places` are those of this one's bands on it.
    """
    bands, frames = _gap(widest, *amounts.band_gap), _gap(mel.shape[1], *amounts.time_gap)
    if bands or frames:
        low, high = ((edge - 0.5) / (widest - 1) - 0.5 for edge in (bands.start, bands.stop))
        mean = mel.mean()
        mel[(low <= places) & (places < high)] = mean
        mel[:, frames.start : frames.stop] = mean


def _gap(size: int, share: float, start: float) -> range:
    width = int(share * size)
    first = int(start * (size - width + 1))
    return range(first, first + width)


def mix_mel(mel: Array, other: Array, share: float, louder: np.float32) -> tuple[Array, Array]:
    """Replace `share` of the power of log-mel (bands, frames) by another's; returns the other's share per frame, too.

    The other is first amplified by `louder` dB, which equalises the loudest cells of both.
    """
    if share == 0:
        return mel, np.zeros(mel.shape[1], np.float32)
    own = np.exp(mel * NEPER)
    added = np.exp((other + louder) * NEPER)
    own *= np.float32(1 - share)
    added *= np.float32(share)
    own += added
    shares: Array = added.sum(axis=0) / own.sum(axis=0)
    np.log(own, out=own)
    own /= NEPER
    return own, shares


def resample_shares(shares: Array | np.float32, frames: int) -> Array | np.float32:
    """Resample shares per frame to `frames` frames of the same time; one share for all stays."""
    if np.size(shares) in (1, frames):
        return shares
    own, wanted = (np.linspace(0, 1, count) for count in (np.size(shares), frames))
    return np.interp(wanted, own, shares).astype(np.float32)


def mix_peaks(values: Array, other: Array, share: Array | np.float32) -> Array:
    """Mix shares of another's chroma (bins, frames) or tempo envelope (lags,) in, at a maximum of 1 again.

    Every frame of chroma has its own maximum; where both are silent it stays 0.
    """
    if not np.any(share):
        return values
    both = (1 - share) * values + share * other
    peaks = both.max(axis=0)
    both /= np.where(peaks > 0, peaks, 1)
    return both


def add_noise(values: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Add normal noise to values, clipped to 0 to 1."""
    if deviation == 0:
        return values
    noise = rng.standard_normal(values.shape, dtype=np.float32)
    noise *= np.float32(deviation)
    noise += values
    return np.clip(noise, 0, 1, out=noise)


def shift_mel(mel: Array, pitch: float, scale: MelScale) -> Array:
    """Transpose log-mel (bands, frames) in the bands of `scale`.

    Every band takes the level that its frequency had before, interpolated between bands in dB; beyond the highest band
    that is repeated.
    """
    if pitch == 1:
        return mel
    edges = cached_edges(scale)
    places = np.interp(edges[1:-1] / pitch, edges, np.arange(-1, len(mel) + 1))
    low, weight = _between(places, len(mel))
    shifted = mel[low]
    shifted += weight[:, np.newaxis] * (mel[low + 1] - shifted)
    return shifted


def shift_chroma(chroma: Array, pitch: float) -> Array:
    """Transpose chroma (bins of an octave, frames); every frame's maximum is 1 again, unless it is silent."""
    if pitch == 1:
        return chroma
    bins = len(chroma)
    places = np.arange(bins) - bins * np.log2(pitch)
    low = np.floor(places)
    weight = (places - low).astype(np.float32)[:, np.newaxis]
    rows = low.astype(np.intp)
    shifted: Array = (1 - weight) * chroma[rows % bins] + weight * chroma[(rows + 1) % bins]
    peaks = shifted.max(axis=0)
    shifted /= np.where(peaks > 0, peaks, 1)
    return shifted


def scale_time(features: Array, tempo: float) -> Array:
    """Scale features (bands, frames) in time, from the same beginning.

    Where the window's end comes too early, it is mirrored.
    """
    if tempo == 1:
        return features
    last = features.shape[-1] - 1
    places = np.arange(last + 1) * tempo
    places = np.where(places > last, np.maximum(2 * last - places, 0), places)
    low, weight = _between(places, last + 1)
    scaled = features[:, low]
    scaled += weight * (features[:, low + 1] - scaled)
    return scaled


def scale_lags(envelope: Array, tempo: float) -> Array:
    """Scale a tempo envelope (lags,) to a faster tempo: lags become shorter."""
    if tempo == 1:
        return envelope
    lags = np.arange(len(envelope))
    scaled: Array = np.interp(lags * tempo, lags, envelope).astype(np.float32)
    return scaled


def _between(places: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], Array]:
    """Return the lower neighbour of each place on an axis, and the weight of the upper one."""
    low = np.clip(places, 0, size - 2).astype(np.intp)
    return low, np.clip(places - low, 0, 1).astype(np.float32)
