"""Baselines: musly, bliss, statistics of MFCCs, random vectors, and musicnn as it was published (Pons & Serra 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from scipy.signal import savgol_filter

from benchmarks.quality.systems import (
    ANALYSIS,
    DECODING,
    FEATURES,
    NETWORKS,
    SystemOutput,
    closeness,
    compared,
    cosine,
    resample,
    timed,
)
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding, Framing
from resonance_engine.features.spectrum import Spectra

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.quality.systems import Similarity, TrackAudio

DEFAULT = Decoding()
RATE = 22050  # Hz that musly and most uses of MFCCs expect
COEFFICIENTS = 20
MFCC_FRAMING = Framing(RATE, n_fft=2048, hop=512, n_mels=128)
DYNAMIC_RANGE = 80.0  # dB below the loudest mel cell
DELTA_FRAMES = 9
MUSICNN_RATE, N_FFT, HOP, BANDS, FRAMES = 16000, 512, 256, 96, 187
BATCH = 2  # patches at a time: what fits the processor's caches, twice as fast as all 24
POOLINGS = {"penultimate": "200-d", "mean": "mean pool", "max": "max pool", "both": "max + mean pool", "tags": "tags"}
MUSICNN_LABEL, YAMNET_LABEL = "musicnn MSD, ", "YAMNet, "


class Musly:
    """libmusly's `timbre`: one Gaussian of 25 MFCCs, Jensen-Shannon divergence, mutual proximity (Schnitzer 2011).

    Its input is the four windows, one after the other, at its 22,050 Hz. Its music style is set from the pool's own
    tracks, all of them, as its manual has it for collections of up to a thousand.
    """

    name = "musly"

    def __init__(self) -> None:
        self.package: Any = import_module("pymusly")
        self.package.set_musly_loglevel(0)
        self.version = f"pymusly {metadata.version('pymusly')} timbre"
        self.jukebox = self.package.MuslyJukebox("timbre", "none")

    def embed(self, audio: TrackAudio) -> SystemOutput:
        windows, decoding = audio.windows(DEFAULT)

        def analyse() -> bytes:
            samples = resample(windows, DEFAULT, RATE).ravel()
            return bytes(self.jukebox.serialize_track(self.jukebox.track_from_audiodata(samples)))

        track, analysis = timed(analyse)
        return SystemOutput({"track": np.frombuffer(track, np.uint8)}, {DECODING: decoding, ANALYSIS: analysis})

    def similarities(self) -> Mapping[str, Similarity]:
        return {"musly 2.0 `timbre`": self.similarity}

    def similarity(self, pool: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
        """Return musly's distances, negated, in a jukebox of the pool's tracks alone."""
        jukebox = self.package.MuslyJukebox("timbre", "none")
        tracks = [jukebox.deserialize_track(each.tobytes()) for each in pool["track"]]
        jukebox.set_style(tracks)
        known = list(zip(jukebox.add_tracks(tracks), tracks, strict=True))
        distances: NDArray[np.float64] = np.array([jukebox.compute_similarity(seed, known) for seed in known])
        return -distances


class Bliss:
    """bliss-rs: 23 numbers about tempo, timbre, loudness and chroma of the whole file, which it decodes itself."""

    name = "bliss"

    def __init__(self) -> None:
        self.package: Any = import_module("bliss_audio")
        self.version = f"bliss-audio {metadata.version('bliss-audio')}"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        def analyse() -> list[float]:
            try:
                return list(self.package.Song(str(audio.path)).analysis)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic in Rust is no Exception
                raise AudioError(audio.path, f"bliss cannot analyse it ({type(error).__name__}: {error})") from error

        numbers, analysis = timed(analyse)
        return SystemOutput({"numbers": np.array(numbers, np.float32)}, {ANALYSIS: analysis})

    def similarities(self) -> Mapping[str, Similarity]:
        return {
            "bliss 0.2 (z-scored)": compared("numbers", closeness, z=True),
            "bliss 0.2 (raw)": compared("numbers", closeness),
        }


class MfccBaseline:
    """Mean and deviation of 20 MFCCs, and deviation of their deltas, over the frames of all windows.

    The numbers are those of librosa 0.11 (`feature.mfcc`, `feature.delta`), whose compiler takes minutes to start.
    """

    name, version = "mfcc", "20 MFCCs as librosa 0.11's"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        windows, decoding = audio.windows(DEFAULT)
        numbers, analysis = timed(lambda: mfcc_statistics(resample(windows, DEFAULT, RATE)))
        return SystemOutput({"numbers": numbers}, {DECODING: decoding, ANALYSIS: analysis})

    def similarities(self) -> Mapping[str, Similarity]:
        return {"MFCC mean/std/delta (z-scored)": compared("numbers", closeness, z=True)}


def mfcc_statistics(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 60 numbers for windows (n, samples) at 22,050 Hz: means, deviations, deviations of the deltas."""
    frames = [mfcc(window) for window in windows]
    deltas = [savgol_filter(values, DELTA_FRAMES, 1, deriv=1, axis=0, mode="interp") for values in frames]
    values, changes = np.concatenate(frames), np.concatenate(deltas)
    return np.concatenate([values.mean(axis=0), values.std(axis=0), changes.std(axis=0)]).astype(np.float32)


def mfcc(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first 20 cepstral coefficients (frames, 20) of the log-mel spectrogram."""
    padded = np.pad(samples, (0, MFCC_FRAMING.hop))  # one more frame, centred at the end
    decibels = 10 * np.log10(np.maximum(Spectra(padded, MFCC_FRAMING, hpss=False).mel, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - DYNAMIC_RANGE)
    coefficients: NDArray[np.float32] = scipy.fft.dct(decibels, type=2, norm="ortho", axis=1)[:, :COEFFICIENTS]
    return coefficients


@dataclass
class RandomBaseline:
    """Random directions: the score of a system that knows nothing."""

    name: str = "random"
    version: str = "512 normal numbers, seeded by the track's place"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        numbers = np.random.default_rng(audio.place).standard_normal(512)
        return SystemOutput({"numbers": numbers.astype(np.float32)}, {})

    def similarities(self) -> Mapping[str, Similarity]:
        return {"random": compared("numbers", cosine)}


class MusicnnSystem:
    """The uncut network with its weights from the Million Song Dataset, averaged over its patches.

    Its input is made by librosa as musicnn makes it, from the windows at 16 kHz: six patches of 187 frames a window,
    24 a track. `folder` holds the TensorFlow checkpoint.
    """

    name = "musicnn"

    def __init__(self, folder: Path) -> None:
        self.torch: Any = import_module("torch")
        self.librosa: Any = import_module("librosa")
        from resonance_engine.network.musicnn import MusiCNN, state_of
        from training.default_model.tensor_bundle import read_variables

        self.torch.set_num_threads(1)
        self.network = MusiCNN().eval()
        self.network.load_state_dict(state_of(read_variables(folder)))
        self.version = f"MSD_musicnn uncut, {FRAMES} frames a patch"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        windows, decoding = audio.windows(DEFAULT)
        patches, features = timed(lambda: self.patches(resample(windows, DEFAULT, MUSICNN_RATE)))
        arrays, networks = timed(lambda: self.averages(patches))
        return SystemOutput(dict(arrays), {DECODING: decoding, FEATURES: features, NETWORKS: networks})

    def patches(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return patches (n, 187 frames, 96 bands), window by window; the rest at a window's end is dropped."""
        patches = []
        for window in windows:
            spectra = {"sr": MUSICNN_RATE, "n_fft": N_FFT, "hop_length": HOP, "n_mels": BANDS}
            frames = np.log10(10000 * self.librosa.feature.melspectrogram(y=window, **spectra).T + 1)
            patches.append(frames[: len(frames) // FRAMES * FRAMES].reshape(-1, FRAMES, BANDS))
        return np.concatenate(patches).astype(np.float32)

    def averages(self, patches: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return each layer's mean over the patches."""
        parts: list[dict[str, NDArray[np.float32]]] = []
        with self.torch.inference_mode():
            for at in range(0, len(patches), BATCH):
                hidden, pooled, logits = self.network(self.torch.from_numpy(patches[at : at + BATCH]))
                layers = {
                    "penultimate": hidden,
                    "max": pooled[:, 0::2],
                    "mean": pooled[:, 1::2],
                    "both": pooled,
                    "tags": logits.sigmoid(),
                }
                parts.append({name: layer.numpy() for name, layer in layers.items()})
        return {name: np.concatenate([part[name] for part in parts]).mean(axis=0) for name in POOLINGS}

    def similarities(self) -> Mapping[str, Similarity]:
        return {
            f"{MUSICNN_LABEL}{label}{', z-scored' if z else ''}": compared(name, cosine, z)
            for name, label in POOLINGS.items()
            for z in (False, True)
        }
