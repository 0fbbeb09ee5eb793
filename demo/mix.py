"""Render a composition to a stereo recording: performance, room, mastering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo.effects import Effect, limit, reverberation
from demo.instruments import RATE, Signal, Voice, samples
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
class Room:
    """The reverberation: seconds until it has fallen by 60 dB, and its brightness (0 to 1)."""

    seconds: float
    brightness: float = 0.5


@dataclass(frozen=True)
class Composition:
    """Everything needed to render a track; `tempo` is in beats per minute."""

    key: Key
    tempo: float
    seconds: float
    parts: Sequence[InstrumentPart]
    room: Room


def render(composition: Composition, rng: np.random.Generator) -> Signal:
    """Render a composition as stereo samples, float32 (2, n) at 44.1 kHz."""
    length = samples(composition.seconds)
    dry = np.zeros((2, length), dtype=np.float32)
    send = np.zeros(length, dtype=np.float32)
    for part in composition.parts:
        sound = _perform(part, composition, length, rng)
        dry += sound
        send += np.float32(part.send) * sound.mean(axis=0)
    wet = reverberation(send, composition.room.seconds, composition.room.brightness, rng)
    return _master(dry + wet)


def _perform(part: InstrumentPart, composition: Composition, length: int, rng: np.random.Generator) -> Signal:
    """Play a part's notes with small deviations in time and strength."""
    track = np.zeros((2, length), dtype=np.float32)
    beat = 60.0 / composition.tempo
    voice = _cached(part.voice)
    for note in part.notes:
        late = rng.normal(0.0, part.looseness)
        start = round(max(0.0, note.start * beat + late) * RATE)
        strength = float(np.clip(note.velocity * rng.normal(1.0, 0.06), 0.05, 1.0))
        if start >= length:
            continue
        seconds = round(min(note.length * beat, (length - start) / RATE), 3)
        sound = voice(hertz(note.pitch), seconds, strength)[: length - start]
        place = np.clip(part.pan + part.spread * (note.pitch - 60.0) / 24.0, -1.0, 1.0)
        # Equal power: the squares of both gains sum to one wherever the sound stands.
        left, right = np.cos((place + 1.0) * np.pi / 4.0), np.sin((place + 1.0) * np.pi / 4.0)
        track[0, start : start + len(sound)] += np.float32(part.level * left) * sound
        track[1, start : start + len(sound)] += np.float32(part.level * right) * sound
    if part.effect is not None:
        dry_level = np.sqrt(np.mean(track**2))
        track = part.effect(track)
        track *= dry_level / (np.sqrt(np.mean(track**2)) + np.float32(1e-9))
    return track


def _cached(voice: Voice) -> Voice:
    """Cache the voice's sounds, since most songs repeat themselves; strengths are rounded to tenths."""
    sounds: dict[tuple[float, float, int], Signal] = {}

    def cached(hz: float, seconds: float, strength: float) -> Signal:
        tenths = max(1, round(10.0 * strength))
        if (hz, seconds, tenths) not in sounds:
            sounds[hz, seconds, tenths] = voice(hz, seconds, tenths / 10.0)
        return sounds[hz, seconds, tenths]

    return cached


def _master(sound: Signal) -> Signal:
    """Bring the sound to -18 dB RMS, fade its ends and limit its peaks."""
    sound *= np.float32(LOUDNESS) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-9))
    edge = samples(0.02), samples(min(2.5, sound.shape[1] / RATE / 4.0))
    sound[:, : edge[0]] *= np.linspace(0.0, 1.0, edge[0], dtype=np.float32)
    sound[:, -edge[1] :] *= np.linspace(1.0, 0.0, edge[1], dtype=np.float32)
    return limit(sound)
