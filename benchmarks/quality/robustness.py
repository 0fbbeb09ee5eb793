"""Distort recordings as in collections (codecs, cuts, levels, equalisers), and measure how far embeddings move."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from benchmarks.quality.systems import WHOLE, SystemOutput
from resonance_engine.audio.windows import read_windows
from training.default_model.transcoding import StereoAudio, decode, encode, encode_mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.embedding_run import CorpusEmbeddings
    from benchmarks.quality.scores import CorpusLabels
    from benchmarks.quality.systems import ResonanceSystem, Similarity, TrackAudio

    Array = NDArray[np.float32]

SHIFT = 1.2  # seconds
LOWEST, HIGHEST = 20.0, 22_050.0  # Hz that an equaliser tilts between
SIMILAR = 0.98
SIMILAR_SHARE, FIRST = f"cosine >= {SIMILAR}", "found first"


def write_wav(sound: StereoAudio, path: Path) -> Path:
    """Write the recording unchanged, sample by sample."""
    return encode(sound, path, "pcm_f32le", sound.rate)


def cut_start(sound: StereoAudio, folder: Path) -> Path:
    """Cut off the first 1.2 s, which shifts each window by less than that, the last ones hardly."""
    return write_wav(StereoAudio(sound.samples[:, shift_samples(sound) :], sound.rate), folder / "cut.wav")


def delay_windows(sound: StereoAudio, folder: Path) -> Path:
    """Cut off the first 1.2 s and append as much silence, so that every window starts 1.2 s later."""
    samples = np.pad(sound.samples[:, shift_samples(sound) :], ((0, 0), (0, shift_samples(sound))))
    return write_wav(StereoAudio(samples, sound.rate), folder / "delayed.wav")


def shift_samples(sound: StereoAudio) -> int:
    return round(SHIFT * sound.rate)


def attenuate(windows: Array, rate: int, decibels: float) -> Array:  # noqa: ARG001 - the same for any rate
    """Attenuate by so many decibels."""
    return (windows * 10 ** (-decibels / 20)).astype(np.float32)


def tilt(windows: Array, rate: int, decibels: float) -> Array:
    """Filter windows (n, samples) by an equaliser that is a straight line over log frequency, and clip at ±1.

    From 20 Hz to 22.05 kHz the gain rises by `decibels`, or falls, and is 0 dB half way (664 Hz).
    """
    count = windows.shape[1]
    length = scipy.fft.next_fast_len(count, real=True)
    pitch = np.log2(np.maximum(scipy.fft.rfftfreq(length, 1 / rate), LOWEST) / LOWEST)
    gain = 10 ** (decibels * (pitch / np.log2(HIGHEST / LOWEST) - 0.5) / 20)
    spectrum = scipy.fft.rfft(windows, length, axis=1) * gain.astype(np.float32)
    filtered: Array = np.clip(scipy.fft.irfft(spectrum, length, axis=1)[:, :count], -1.0, 1.0).astype(np.float32)
    return filtered


# Whole files are written where the file matters: an MP3 has a header, padding in front and frames to seek by, and a
# cut moves the windows. Gain and equaliser act on windows as they act on files.
FILES: Mapping[str, Callable[[StereoAudio, Path], Path]] = {
    "MP3, 64 kbit/s": partial(encode_mp3, bit_rate=64_000),
    "MP3, 128 kbit/s": partial(encode_mp3, bit_rate=128_000),
    "first 1.2 s cut off": cut_start,
    "every window 1.2 s later": delay_windows,
}
WINDOWS: Mapping[str, Callable[[Array, int], Array]] = {
    "6 dB quieter": partial(attenuate, decibels=6.0),
    "13 dB quieter": partial(attenuate, decibels=13.0),
    "tilted by +6 dB (-3 to +3)": partial(tilt, decibels=6.0),
    "tilted by -6 dB (+3 to -3)": partial(tilt, decibels=-6.0),
    "tilted by +12 dB (-6 to +6)": partial(tilt, decibels=12.0),
    "tilted by -12 dB (+6 to -6)": partial(tilt, decibels=-12.0),
}


class DistortedSystem:
    """Embeds each track under every distortion with the models of `resonance`; one embedding (d,) a distortion."""

    def __init__(self, resonance: ResonanceSystem) -> None:
        self.resonance = resonance
        self.name = f"{resonance.name}-altered"
        self.version = f"{resonance.version}: {', '.join([*FILES, *WINDOWS])}"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        place = audio.place
        decoding = self.resonance.decoding(place)
        recording = decode(audio.path)
        arrays = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, write in FILES.items():
                windows = read_windows(write(recording, Path(folder)), decoding).windows
                arrays[name] = self.resonance.embed_windows(windows, place)
        for name, distort in WINDOWS.items():
            windows = distort(audio.windows(decoding)[0], decoding.rate)
            arrays[name] = self.resonance.embed_windows(windows, place)
        return SystemOutput(arrays, {})

    def similarities(self) -> Mapping[str, Similarity]:
        return {}


def score_distortions(
    labels: CorpusLabels, originals: CorpusEmbeddings, distorted: CorpusEmbeddings, pools: Sequence[NDArray[np.intp]]
) -> dict[str, dict[str, float]]:
    """Return the columns of each distortion; each distorted track is searched among the originals of its pool."""
    cosines: dict[str, list[float]] = {}
    nearest: dict[str, list[bool]] = {}
    for places in pools:
        paths = [labels.paths[place] for place in places]
        known, arrays = originals.stack(paths)
        vectors = arrays[WHOLE].astype(np.float64)
        for row, place in enumerate(known):
            for name, vector in distorted.arrays.get(paths[place], {}).items():
                similarity = vectors @ vector.astype(np.float64)
                cosines.setdefault(name, []).append(float(similarity[row]))
                nearest.setdefault(name, []).append(int(similarity.argmax()) == row)
    return {
        name: {
            "tracks": len(values),
            "mean cosine": float(np.mean(values)),
            "1st percentile": float(np.quantile(values, 0.01)),
            SIMILAR_SHARE: float(np.mean(np.array(values) >= SIMILAR)),
            FIRST: float(np.mean(nearest[name])),
        }
        for name, values in cosines.items()
    }
