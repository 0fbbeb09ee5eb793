"""Audio as stereo arrays at one rate: programs that render it, levels, mixtures, files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from resonance_engine.errors import ResonanceError
from training.default_model.transcoding import StereoAudio, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

Samples = NDArray[np.float32]

RATE = 44_100
SECONDS = 40.0
LENGTH = round(RATE * SECONDS)
PEAK = 10 ** (-1 / 20)  # full scale less 1 dB
FRAME = RATE // 20  # samples over which loudness is measured to tell sound from pauses
PAUSE_DB = -35.0  # below the loudest frame


def read_audio(path: Path, start: float = 0.0, seconds: float | None = None) -> Samples:
    """Decode a file to (2, samples) at RATE, or `seconds` of it from `start`. Raises AudioError."""
    audio = decode(path)
    samples = audio.samples[:, round(start * audio.rate) :]
    if seconds is not None:
        samples = samples[:, : round(seconds * audio.rate)]
    return resample(samples, audio.rate / RATE)


def resample(samples: Samples, ratio: float) -> Samples:
    """Resample (2, n) to n / ratio samples; at an unchanged rate pitch, formants and tempo rise by `ratio`."""
    if ratio == 1:
        return samples
    resampled: Samples = soxr.resample(samples.T, ratio * RATE, RATE).T.astype(np.float32)
    return resampled


def write_audio(samples: Samples, path: Path) -> None:
    """Write (2, samples) at RATE as FLAC with 16 bits; scaled down where it would clip."""
    peak = float(np.abs(samples).max(initial=0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    scaled = samples * min(1.0, PEAK / peak) if peak else samples
    encode(StereoAudio(scaled.astype(np.float32), RATE), path, "flac", RATE)


def run_program(command: Sequence[str], output: str = "out.wav", files: dict[str, bytes] | None = None) -> Samples:
    """Run a program in a folder of its own that contains `files`, and decode the file that it writes there.

    Raises ResonanceError where the program is missing or fails.
    """
    program = shutil.which(command[0])
    if program is None:
        raise ResonanceError(
            f"{command[0]} is not installed; install the packages that docs/experiments.md names under Annotations."
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (files or {}).items():
            (folder / file).write_bytes(content)
        result = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, check=False)
        if result.returncode or not (folder / output).is_file():
            raise ResonanceError(f"{command[0]} failed: {result.stderr.decode(errors='replace').strip()[-300:]}")
        return read_audio(folder / output)


def fit_length(samples: Samples, length: int = LENGTH) -> Samples:
    """Cut (2, n) to `length` samples, or repeat it until it fills them."""
    if not samples.shape[1]:
        raise ResonanceError("A sound of no length cannot fill a track; leave its file out.")
    repeats = -(-length // samples.shape[1])
    return np.tile(samples, repeats)[:, :length]


def middle(samples: Samples) -> Samples:
    """Return LENGTH samples from the middle of (2, n), or all of it, repeated."""
    start = max(0, (samples.shape[1] - LENGTH) // 2)
    return fit_length(samples[:, start:])


def is_sounding(samples: Samples) -> NDArray[np.bool_]:
    """Return which frames of FRAME samples of (2, n) are within 35 dB of the loudest, (frames,)."""
    count = samples.shape[1] // FRAME
    power = (samples[:, : count * FRAME] ** 2).reshape(2, count, FRAME).mean(axis=(0, 2))
    loud: NDArray[np.bool_] = power > power.max(initial=0.0) * 10 ** (PAUSE_DB / 10)
    return loud


def level(samples: Samples) -> float:
    """Return the root mean square of (2, n) without its pauses; 0 for silence."""
    mask = np.repeat(is_sounding(samples), FRAME)
    sounding = samples[:, : len(mask)][:, mask]
    return float(np.sqrt(np.mean(sounding.astype(np.float64) ** 2))) if sounding.size else 0.0


def mix(voice: Samples, music: Samples, decibels: float) -> Samples:
    """Add (2, n) voice to music; while it sounds, its level is `decibels` above that of the music.

    Raises ResonanceError where either is silent.
    """
    levels = level(voice), level(music)
    if not all(levels):
        raise ResonanceError("A silent voice or silent music has no level to mix at; take another file.")
    return music + voice * np.float32(levels[1] / levels[0] * 10 ** (decibels / 20))


def mask_part(samples: Samples, share: float) -> Samples:
    """Silence (2, n) but for a share of it in the middle, with ramps of 50 ms."""
    length = samples.shape[1]
    ramp = np.linspace(0, 1, RATE // 20, dtype=np.float32)
    envelope = np.zeros(length, np.float32)
    start = round(length * (1 - share) / 2)
    envelope[start : length - start] = 1
    envelope[start : start + len(ramp)] = ramp
    envelope[length - start - len(ramp) : length - start] = ramp[::-1]
    return samples * envelope if share < 1 else samples
