"""Render tracker modules (FFmpeg with libopenmpt) and MIDI scores (fluidsynth, several soundfonts) to FLAC, once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resonance_engine.errors import AudioError, ResonanceError
from training.default_model.transcoding import StereoAudio, decode, encode
from training.default_model.unpacking import MODULE_SUFFIXES, SCORE_SUFFIXES

RATE = 44100
LONGEST_MODULE, LONGEST_SCORE = 300, 90  # seconds rendered
PATIENCE = 300  # seconds for one rendering
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
        wave, flac = Path(folder) / "whole.wav", Path(folder) / "whole.flac"
        try:
            if rendering.soundfont is None:
                play_module(rendering.source, wave)
            else:
                play_score(rendering.source, rendering.soundfont, wave)
            longest = LONGEST_MODULE if rendering.soundfont is None else LONGEST_SCORE
            encode(normalise(decode(wave), longest), flac, "flac", RATE).rename(rendering.target)
        except (ResonanceError, OSError) as error:
            print(f"left out: {error}", flush=True)
            return None
    return rendering.target


def play_module(module: Path, wave: Path) -> None:
    """Write a tracker module as a WAV file of floats."""
    output = ("-t", str(LONGEST_MODULE), "-ac", "2", "-ar", str(RATE), "-c:a", "pcm_f32le", str(wave))
    run_program(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(module), *output], module)


def play_score(score: Path, soundfont: Path, wave: Path) -> None:
    """Write a MIDI file, played with a soundfont, as a WAV file of floats."""
    output = ("-r", str(RATE), "-T", "wav", "-O", "float", "-F", str(wave))
    run_program(["fluidsynth", "-n", "-i", "-q", *output, str(soundfont), str(score)], score)


def run_program(command: list[str], path: Path) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603 - no shell
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise AudioError(path, f"{command[0]} cannot render it ({reason})") from error
    except subprocess.TimeoutExpired as error:
        raise AudioError(path, f"{command[0]} does not render it within {PATIENCE} s") from error


def normalise(audio: StereoAudio, longest: float) -> StereoAudio:
    """Cut audio to `longest` seconds, and bring its peak to 0.9 of full scale."""
    samples = audio.samples[:, : round(longest * audio.rate)]
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-6)
    return StereoAudio((samples * (PEAK / peak)).astype(np.float32), audio.rate)
