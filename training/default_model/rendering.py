"""Render tracker modules (FFmpeg with libopenmpt) and MIDI scores (fluidsynth, several soundfonts) to FLAC, once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resonance_engine.errors import AudioError, ResonanceError
from training.default_model.transcoding import StereoAudio, encode
from training.default_model.unpacking import MODULE_SUFFIXES, SCORE_SUFFIXES

RATE = 44100
LONGEST_MODULE, LONGEST_SCORE = 300, 90  # seconds rendered
PATIENCE = 1800  # seconds for one rendering
FRAME = np.dtype([("stereo", "<f4", 2)])
PEAK = 0.9
SEED = 3
FONTS_PER_SCORE = 2
SOUNDFONTS = {
    "fluid": ("fluid-soundfont-gm", "FluidR3_GM.sf2"),
    "musescore": ("musescore-general-soundfont-small", "MuseScore_General_Lite.sf3"),
    "timgm6mb": ("timgm6mb-soundfont", "TimGM6mb.sf2"),
    "opl3": ("opl3-soundfont", "OPL-3_FM_128M.sf2"),
}
PROGRAMS = {"ffmpeg": MODULE_SUFFIXES, "fluidsynth": SCORE_SUFFIXES}  # each is in Debian's package of its name


@dataclass(frozen=True)
class Rendering:
    """A module or score to render, the soundfont for a score (else None), and the FLAC file that it becomes."""

    source: Path
    soundfont: Path | None
    target: Path


def missing_programs() -> list[str]:
    """Return the programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def draw_soundfonts(piece: str) -> list[str]:
    """Draw the names of two soundfonts for a score, by its name alone."""
    digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
    random = np.random.default_rng((SEED, int.from_bytes(digest, "big")))
    return sorted(str(name) for name in random.choice(list(SOUNDFONTS), FONTS_PER_SCORE, replace=False))


def render(rendering: Rendering) -> Path | None:
    """Render one file unless its target is there; None, with a line why, where that fails."""
    if rendering.target.exists():
        return rendering.target
    rendering.target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=rendering.target.parent) as folder:
        flac = Path(folder) / "whole.flac"
        try:
            if rendering.soundfont is None:
                audio = play_module(rendering.source)
            else:
                audio = play_score(rendering.source, rendering.soundfont)
            encode(normalise(audio), flac, "flac", RATE).rename(rendering.target)
        except (ResonanceError, OSError) as error:
            print(f"left out: {error}", flush=True)
            return None
    return rendering.target


def play_module(module: Path) -> StereoAudio:
    """Play up to 300 s of a tracker module; raises AudioError."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(module)]
    return play([*command, "-ac", "2", "-ar", str(RATE), "-f", "f32le", "-"], module, LONGEST_MODULE)


def play_score(score: Path, soundfont: Path) -> StereoAudio:
    """Play up to 90 s of a MIDI file with a soundfont; raises AudioError."""
    command = ["fluidsynth", "-n", "-i", "-q", "-r", str(RATE), "-T", "raw", "-O", "float", "-F", "-"]
    return play([*command, str(soundfont), str(score)], score, LONGEST_SCORE)


def play(command: list[str], path: Path, longest: int) -> StereoAudio:
    """Return up to `longest` seconds of the stereo floats that a program writes to its standard output."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,  # noqa: S603 - a list, no shell
    ):
        assert process.stdout is not None
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        content = process.stdout.read(longest * RATE * FRAME.itemsize)
        # What is longer is of no use, and some scores never end.
        process.kill()
        watch.cancel()
        errors.seek(0)
        reasons = errors.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
    samples = np.frombuffer(content[: len(content) // FRAME.itemsize * FRAME.itemsize], FRAME)
    if not len(samples):
        raise AudioError(path, f"{command[0]} cannot render it ({reasons[-1]})")
    return StereoAudio(np.ascontiguousarray(samples["stereo"].T), RATE)


def normalise(audio: StereoAudio) -> StereoAudio:
    """Bring the peak of audio to 0.9 of full scale."""
    peak = max(float(np.abs(audio.samples).max(initial=0.0)), 1e-6)
    return StereoAudio((audio.samples * (PEAK / peak)).astype(np.float32), audio.rate)
