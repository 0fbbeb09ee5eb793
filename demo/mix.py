"""Render a composition to a stereo recording: performance, room, mastering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from demo.synthesis import RATE, Effect, Signal, Voice, limit, reverberation, samples
from demo.theory import hertz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.theory import Key, Note

LOUDNESS = 10 ** (-18 / 20)  # RMS


@dataclass(frozen=True)
class InstrumentPart:
    """One instrument's notes and its place in the mix.

    `level` is a factor; `pan` goes from -1 (left) to 1; `spread` puts low notes left and high notes right of
    it; `send` is the share that goes into the room; `looseness` is the deviation of the timing in seconds.
    """

    voice: Voice
    notes: Sequence[Note]
    level: float = 1.0
    pan: float = 0.0
    spread: float = 0.0
    send: float = 0.15
    looseness: float = 0.004
    effect: Effect | None = None


@dataclass(frozen=True)
class Composition:
    """Everything needed to render a track; `tempo` is in beats per minute.

    `reverb` is the seconds until the reverberation has fallen by 60 dB, `brightness` (0 to 1) its share of highs.
    """

    key: Key
    tempo: float
    seconds: float
    parts: Sequence[InstrumentPart]
    reverb: float
    brightness: float


def render(composition: Composition, rng: np.random.Generator) -> Signal:
    """Render a composition as stereo samples, float32 (2, n) at 44.1 kHz."""
    dry = np.zeros((2, samples(composition.seconds)), dtype=np.float32)
    send = np.zeros(dry.shape[1], dtype=np.float32)
    for part in composition.parts:
        sound = _perform(part, composition.tempo, dry.shape[1], rng)
        dry += sound
        send += np.float32(part.send) * sound.mean(axis=0)
    return _master(dry + reverberation(send, composition.reverb, composition.brightness, rng))


def _perform(part: InstrumentPart, tempo: float, length: int, rng: np.random.Generator) -> Signal:
    """Play a part's notes with small deviations in time and strength; strengths are rounded to tenths."""
    track = np.zeros((2, length), dtype=np.float32)
    beat = 60.0 / tempo
    voice = cache(part.voice)  # most songs repeat themselves
    for note in part.notes:
        start = round(max(0.0, note.start * beat + rng.normal(0.0, part.looseness)) * RATE)
        strength = float(np.clip(round(note.velocity * rng.normal(1.0, 0.06), 1), 0.1, 1.0))
        if start >= length:
            continue
        seconds = round(min(note.length * beat, (length - start) / RATE), 3)
        sound = voice(hertz(note.pitch), seconds, strength)[: length - start]
        place = np.clip(part.pan + part.spread * (note.pitch - 60.0) / 24.0, -1.0, 1.0)
        # Equal power: the squares of both gains sum to one wherever the sound stands.
        for side, gain in zip(track, (np.cos, np.sin), strict=True):
            side[start : start + len(sound)] += np.float32(part.level * gain((place + 1.0) * np.pi / 4.0)) * sound
    if part.effect is None:
        return track
    changed = part.effect(track)
    changed *= np.sqrt(np.mean(track**2)) / (np.sqrt(np.mean(changed**2)) + np.float32(1e-9))
    return changed


def _master(sound: Signal) -> Signal:
    """Bring the sound to -18 dB RMS, fade its ends and limit its peaks."""
    sound *= np.float32(LOUDNESS) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-9))
    rise, fall = samples(0.02), samples(min(2.5, sound.shape[1] / RATE / 4.0))
    sound[:, :rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    sound[:, -fall:] *= np.linspace(1.0, 0.0, fall, dtype=np.float32)
    return limit(sound)
