"""Altered copies of tracks, synthetic noise and loops, embedded as the product embeds files, and kept between runs."""

from __future__ import annotations

import hashlib
import io
import tempfile
import wave
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from resonance_engine.audio.windows import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.files import write_bytes
from resonance_engine.store.records import Windows
from training.default_model.transcoding import StereoAudio, decode, encode_mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from resonance_engine.encoder.encoder import Encoder

    Array = NDArray[np.float32]

CUT_START, CUT_END = 2.0, 3.0  # seconds
QUIETER = 12.0  # dB
LOW_RATE = 22_050  # Hz
RATE = 44_100  # Hz, of what is synthesised
SECONDS = 60.0  # length of noise and loops
LOOP_SECONDS = 4.0
DROPS = 180  # a second
NOISES = ("white noise", "pink noise", "brown noise", "rain")
EXPONENTS = {"white noise": 0.0, "pink noise": 1.0, "brown noise": 2.0, "rain": 0.6}


@dataclass(frozen=True, eq=False)
class EmbeddedRecording:
    """A recording's embedding (d,), its windows, both rounded as the store rounds them, and its length in seconds."""

    vector: Array
    windows: Windows
    seconds: float


def write_wav(audio: StereoAudio, path: Path) -> Path:
    """Write a recording with 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes((np.clip(audio.samples.T, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return path


def cut_ends(audio: StereoAudio, folder: Path) -> Path:
    """Cut 2 s off the start and 3 s off the end."""
    samples = audio.samples[:, round(CUT_START * audio.rate) : -round(CUT_END * audio.rate)]
    return write_wav(StereoAudio(samples, audio.rate), folder / "cut.wav")


def attenuate(audio: StereoAudio, folder: Path) -> Path:
    """Make it 12 dB quieter, at 16 bits."""
    gain = np.float32(10 ** (-QUIETER / 20))
    return write_wav(StereoAudio(audio.samples * gain, audio.rate), folder / "quieter.wav")


def resample(audio: StereoAudio, folder: Path) -> Path:
    samples = soxr.resample(audio.samples.T, audio.rate, LOW_RATE).T
    return write_wav(StereoAudio(samples, LOW_RATE), folder / "resampled.wav")


VARIANTS: Mapping[str, Callable[[StereoAudio, Path], Path]] = {
    "MP3, 64 kbit/s": partial(encode_mp3, bit_rate=64_000),
    "2 s cut off the start, 3 s off the end": cut_ends,
    "12 dB quieter": attenuate,
    "resampled to 22.05 kHz": resample,
}


class RecordingEmbedder:
    """Embeds files with a model, and keeps the results in a folder."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.encoder, self.folder = encoder, folder / encoder.manifest.id
        self.folder.mkdir(parents=True, exist_ok=True)

    def original(self, path: Path, name: str) -> EmbeddedRecording | None:
        """Return a track of the corpus; None where it cannot be analysed."""
        known = self.load(name)
        if known is None:
            try:
                known = self.embed(path)
            except AudioError:
                return None
            self.save(name, known)
        return known

    def variants(self, path: Path, name: str) -> dict[str, EmbeddedRecording]:
        """Return the altered copies of a track, by kind."""
        known = {kind: self.load(f"{name} {kind}") for kind in VARIANTS}
        if any(recording is None for recording in known.values()):
            audio = decode(path)
            with tempfile.TemporaryDirectory() as folder:
                for kind, write in VARIANTS.items():
                    if known[kind] is None:
                        file = write(audio, Path(folder))
                        known[kind] = self.embed(file)
                        self.save(f"{name} {kind}", known[kind])
                        file.unlink()
        return {kind: recording for kind, recording in known.items() if recording is not None}

    def synthetic(self, name: str, make: Callable[[], StereoAudio]) -> EmbeddedRecording:
        """Return a recording that `make` synthesises."""
        known = self.load(name)
        if known is None:
            with tempfile.TemporaryDirectory() as folder:
                known = self.embed(write_wav(make(), Path(folder) / "synthetic.wav"))
            self.save(name, known)
        return known

    def embed(self, path: Path) -> EmbeddedRecording:
        recording = read_windows(path, self.encoder.manifest.spec.decoding)
        embedding = self.encoder.embed(self.encoder.front_end(recording.windows), tuple(recording.starts))
        assert embedding.windows is not None, "an encoder embeds windows"
        windows = Windows(embedding.windows.starts, round_to_half(embedding.windows.vectors))
        return EmbeddedRecording(round_to_half(embedding.vector), windows, recording.duration)

    def file(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npz"

    def load(self, name: str) -> EmbeddedRecording | None:
        try:
            with np.load(io.BytesIO(self.file(name).read_bytes()), allow_pickle=False) as arrays:
                windows = Windows(tuple(arrays["starts"].tolist()), arrays["windows"])
                return EmbeddedRecording(arrays["vector"], windows, float(arrays["seconds"]))
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def save(self, name: str, recording: EmbeddedRecording | None) -> None:
        assert recording is not None, "it was embedded"
        starts, windows = np.array(recording.windows.starts), recording.windows.vectors
        buffer = io.BytesIO()
        np.savez(buffer, vector=recording.vector, windows=windows, starts=starts, seconds=recording.seconds)
        write_bytes(self.file(name), buffer.getvalue())


def round_to_half(vectors: Array) -> Array:
    return vectors.astype(np.float16).astype(np.float32)


def make_noise(kind: str, seed: int) -> StereoAudio:
    """Synthesise a minute of stationary noise, RMS 0.08; rain is drops over noise."""
    rng = np.random.default_rng((NOISES.index(kind), seed))
    count = int(SECONDS * RATE)
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal((2, count))) / frequencies ** (EXPONENTS[kind] / 2), count)
    noise /= np.sqrt(np.mean(noise**2))
    if kind == "rain":
        drops = np.zeros((2, count))
        drops[rng.integers(0, 2, DROPS * 60), rng.integers(0, count, DROPS * 60)] = rng.lognormal(0, 0.7, DROPS * 60)
        length = int(0.012 * RATE)
        drop = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.003 * RATE))
        drops = np.fft.irfft(np.fft.rfft(drops) * np.fft.rfft(drop, count), count)
        noise += drops / np.sqrt(np.mean(drops**2))
        noise /= np.sqrt(np.mean(noise**2))
    return StereoAudio((0.08 * noise).astype(np.float32), RATE)


def make_loop(path: Path, place: float) -> StereoAudio:
    """Repeat the 4 s at a place, 0 to 1, of a track to a minute."""
    audio = decode(path)
    length = int(LOOP_SECONDS * audio.rate)
    start = int(place * (audio.samples.shape[1] - length))
    times = int(SECONDS / LOOP_SECONDS)
    return StereoAudio(np.tile(audio.samples[:, start : start + length], (1, times)), audio.rate)
