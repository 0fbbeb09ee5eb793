"""Performances of scores by soundfonts: albums for one instrument, takes, remixes. Rendered by fluidsynth from MIDI."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from training.default_model.rendering import RATE, normalise, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.default_model.transcoding import StereoAudio

    Notes = NDArray[np.float64]

LENGTH = 60.0  # seconds of music in a performance
TAIL = 2.0  # seconds in which it dies away
JITTER = 0.020  # seconds, standard deviation of onsets
DRIFT = 0.005  # standard deviation of the tempo, as a part of it
WANDER = 0.08  # seconds by which the tempo's ups and downs move an onset
WANDER_PERIODS = (11.0, 17.0, 29.0)  # seconds
VELOCITY, VELOCITY_JITTER = 80.0, 8.0  # mean of a performance and standard deviation of its notes
LENGTH_JITTER = 0.08  # standard deviation of the logarithm of durations
BEAT = 0.5  # seconds, of the drums of a remix
KICK, SNARE, HAT = 36, 38, 42  # General MIDI percussion
PERCUSSION_CHANNEL = 9
TICKS = 500  # a crotchet of half a second, so that a tick is a millisecond
ROOM = ("synth.reverb.room-size=0.9", "synth.reverb.level=0.9", "synth.reverb.damp=0.4", "synth.chorus.active=0")


class Performance(NamedTuple):
    """A score as it is played: the piece, General MIDI's program, the soundfont's name, and the number of the take.

    Takes of one number are one performance, whatever plays it. `drums` adds a beat, `room` a larger room.
    """

    piece: str
    program: int
    soundfont: str
    take: int = 0
    drums: bool = False
    room: bool = False


def read_scores(folder: Path) -> dict[str, Notes]:
    """Read the tables that `export_scores` wrote: notes (n, 3) of onset, duration in seconds, and pitch, by piece."""
    files = sorted(folder.glob("*/*.tsv"))
    return {f"{file.parent.name}/{file.stem}": np.loadtxt(file, delimiter="\t", ndmin=2) for file in files}


def fill_length(notes: Notes) -> Notes:
    """Return the first minute of a piece, which starts anew until the minute is full."""
    period = float((notes[:, 0] + notes[:, 1]).max())
    passes = [notes + np.array([start, 0.0, 0.0]) for start in np.arange(0.0, LENGTH, period)]
    minute = np.concatenate(passes)
    minute = minute[minute[:, 0] < LENGTH - 1]
    minute[:, 1] = np.minimum(minute[:, 1], LENGTH - minute[:, 0])
    return minute


def humanise(notes: Notes, rng: np.random.Generator) -> Notes:
    """Play notes as a person would: (n, 4) of onset, duration, pitch and velocity, no two times the same."""
    onsets = notes[:, 0] * (1 + rng.normal(0.0, DRIFT))
    for period, phase in zip(WANDER_PERIODS, rng.uniform(0.0, 2 * np.pi, len(WANDER_PERIODS)), strict=True):
        wave = np.sin(2 * np.pi * notes[:, 0] / period + phase)
        onsets += WANDER * rng.uniform(0.5, 1.0) * wave
    onsets += rng.normal(0.0, JITTER, len(onsets))
    durations = notes[:, 1] * np.exp(rng.normal(0.0, LENGTH_JITTER, len(notes)))
    velocities = np.clip(VELOCITY + rng.normal(0.0, VELOCITY_JITTER, len(notes)), 1, 127)
    return np.column_stack([onsets - onsets.min(), durations, notes[:, 2], velocities])


def make_beat(seconds: float) -> Notes:
    """Return a steady beat of kick, snare and hi-hat as notes (n, 4)."""
    beats = np.arange(0.0, seconds, BEAT)
    parts = [(beats[::2], KICK, 100), (beats[1::2], SNARE, 95), (np.arange(0.0, seconds, BEAT / 2), HAT, 70)]
    return np.concatenate(
        [np.column_stack([at, *(np.full(len(at), value) for value in (0.1, key, loud))]) for at, key, loud in parts]
    )


def encode_midi(parts: Sequence[tuple[int, int, Notes]]) -> bytes:
    """Return a MIDI file of format 0 with parts of a channel, a program, and notes (n, 4).

    Source: Standard MIDI Files 1.0, MIDI Manufacturers Association 1988.
    """
    events = [(0, 0, bytes([0xC0 | channel, program])) for channel, program, _ in parts]
    for channel, _, notes in parts:
        for onset, duration, pitch, velocity in notes.tolist():
            start, end = round(1000 * onset), round(1000 * (onset + duration))
            events.append((start, 2, bytes([0x90 | channel, int(pitch), round(velocity)])))
            # What ends goes before what starts at the same time, or the start would be lost.
            events.append((max(end, start + 1), 1, bytes([0x80 | channel, int(pitch), 0])))
    events.append((max(time for time, _, _ in events) + round(1000 * TAIL), 3, b"\xff\x2f\x00"))
    track, now = bytearray(), 0
    for time, _, message in sorted(events):
        track += encode_length(time - now) + message
        now = time
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def encode_length(number: int) -> bytes:
    """Return a variable-length quantity: seven bits a byte, the highest bit set in all but the last."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | (number & 0x7F))
    return bytes(reversed(groups))


def play_performance(performance: Performance, notes: Notes, soundfont: Path) -> StereoAudio:
    """Render a performance of a score (n, 3) with a soundfont; raises AudioError."""
    digest = hashlib.blake2b(performance.piece.encode(), digest_size=8).digest()
    played = humanise(fill_length(notes), np.random.default_rng((performance.take, int.from_bytes(digest, "big"))))
    parts = [(0, performance.program, played)]
    if performance.drums:
        parts.append((PERCUSSION_CHANNEL, 0, make_beat(float(played[:, 0].max()))))
    options = [argument for option in (ROOM if performance.room else ()) for argument in ("-o", option)]
    with tempfile.TemporaryDirectory() as folder:
        score = Path(folder) / "score.mid"
        score.write_bytes(encode_midi(parts))
        command = ["fluidsynth", "-n", "-i", "-q", "-r", str(RATE), "-T", "raw", "-O", "float", *options]
        audio = play([*command, "-F", "-", str(soundfont), str(score)], score, round(1.5 * LENGTH))
    return normalise(audio)
