"""Render a composition to a stereo recording: performance, room, noise floor, mastering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo.effects import Effect, equalise, limit, reverberation
from demo.instruments import RATE, Signal, Voice, samples
from demo.theory import hertz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from demo.theory import Key, Note


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
class Mastering:
    """The last step: loudness and noise floor (dB RMS), tilt (dB per octave around 1 kHz), top (Hz)."""

    loudness: float
    tilt: float
    top: float
    noise: float


@dataclass(frozen=True)
class Composition:
    """Everything needed to render a track; `swing` delays every second sixteenth (or `swing_unit` beats)."""

    key: Key
    tempo: float
    seconds: float
    parts: Sequence[InstrumentPart]
    room: Room
    swing: float = 0.0
    swing_unit: float = 0.25


def random_mastering(rng: np.random.Generator) -> Mastering:
    """Draw a mastering, alike for every style, so that loudness, brightness and noise do not reveal it."""
    return Mastering(
        loudness=rng.uniform(-23.0, -14.0),
        tilt=rng.normal(0.0, 0.45),
        top=float(np.exp(rng.uniform(np.log(9000.0), np.log(19_000.0)))),
        noise=rng.uniform(-84.0, -68.0),
    )


def render(composition: Composition, mastering: Mastering, rng: np.random.Generator) -> Signal:
    """Render a composition as stereo samples, float32 (2, n) at 44.1 kHz."""
    length = samples(composition.seconds)
    dry = np.zeros((2, length), dtype=np.float32)
    send = np.zeros(length, dtype=np.float32)
    for part in composition.parts:
        sound = _perform(part, composition, length, rng)
        dry += sound
        send += np.float32(part.send) * sound.mean(axis=0)
    wet = reverberation(send, composition.room.seconds, composition.room.brightness, rng)
    return _master(dry + wet, mastering, rng)


def _perform(part: InstrumentPart, composition: Composition, length: int, rng: np.random.Generator) -> Signal:
    """Play a part's notes with small deviations in time and strength."""
    track = np.zeros((2, length), dtype=np.float32)
    beat = 60.0 / composition.tempo
    voice = _cached(part.voice)
    for note in part.notes:
        late = rng.normal(0.0, part.looseness)
        start = round(max(0.0, _swing(note.start, composition) * beat + late) * RATE)
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


def _swing(beat: float, composition: Composition) -> float:
    position = beat / composition.swing_unit
    odd = abs(position - round(position)) < 1e-6 and round(position) % 2 == 1
    return beat + composition.swing * composition.swing_unit * odd


def _cached(voice: Voice) -> Voice:
    """Cache the voice's sounds, since most songs repeat themselves; strengths are rounded to tenths."""
    sounds: dict[tuple[float, float, int], Signal] = {}

    def cached(hz: float, seconds: float, strength: float) -> Signal:
        tenths = max(1, round(10.0 * strength))
        if (hz, seconds, tenths) not in sounds:
            sounds[hz, seconds, tenths] = voice(hz, seconds, tenths / 10.0)
        return sounds[hz, seconds, tenths]

    return cached


def _master(sound: Signal, mastering: Mastering, rng: np.random.Generator) -> Signal:
    def equaliser(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        octaves = np.log2(np.clip(hz, 40.0, 16_000.0) / 1000.0)
        tilt = 10.0 ** (mastering.tilt * octaves / 20.0)
        return tilt / (1.0 + (hz / mastering.top) ** 8) * (hz > 20.0)

    sound = equalise(sound, equaliser)
    sound *= _amplitude(mastering.loudness) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-9))
    noise = rng.standard_normal(sound.shape, dtype=np.float32)
    sound += _amplitude(mastering.noise) * noise
    edge = samples(0.02), samples(min(2.5, sound.shape[1] / RATE / 4.0))
    sound[:, : edge[0]] *= np.linspace(0.0, 1.0, edge[0], dtype=np.float32)
    sound[:, -edge[1] :] *= np.linspace(1.0, 0.0, edge[1], dtype=np.float32)
    return limit(sound)


def _amplitude(decibels: float) -> np.float32:
    return np.float32(10.0 ** (decibels / 20.0))
