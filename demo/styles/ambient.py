"""Ambient: slow chords over a drone, bells, wind; a pulse here and there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import kick, wind
from demo.effects import echo
from demo.instruments import bell, pad, plucked
from demo.mix import Composition, InstrumentPart, Room
from demo.theory import PROGRESSIONS, Key, Note, choice, random_key

if TYPE_CHECKING:
    import numpy as np


def compose(rng: np.random.Generator, seconds: float, character: float) -> Composition:
    """Compose; `character` goes from dark and low (0) to glassy (1)."""
    key = random_key(rng, ("minor", "dorian", "lydian", "major"))
    tempo = rng.uniform(56.0, 96.0)
    beat = 60.0 / tempo
    bars = int(seconds / beat / 4.0) + 1
    hold = choice(rng, (1, 2, 2))
    progression = choice(rng, PROGRESSIONS)
    chords = [(4.0 * hold * turn, progression[turn % 4]) for turn in range(-(-bars // hold))]
    brightness = 0.15 + 0.5 * character + rng.uniform(-0.15, 0.15)

    drone = [Note(8.0 * i, 8.5, key.tonic - 12 + shift, 0.6) for i in range(bars // 2 + 1) for shift in (0, 7, 12)]
    clouds = [Note(start, 4.0 * hold, pitch, 0.5) for start, degree in chords for pitch in key.chord(degree, 4)]
    parts = [
        InstrumentPart(pad(brightness * 0.6, 2.5, 2.5), drone, level=0.5, send=0.3),
        InstrumentPart(pad(brightness, 1.8, 2.2), clouds, level=0.45, spread=0.8, send=0.6),
        InstrumentPart(wind(rng, int(rng.integers(4, 40))), _gusts(rng, bars), level=rng.uniform(0.05, 0.3), send=0.5),
    ]
    if rng.random() < 0.75:
        metal = bell(0.2 + 0.7 * character, rng.uniform(1.5, 4.0))
        drops, level = _drops(rng, key, bars), rng.uniform(0.1, 0.35)
        parts.append(InstrumentPart(metal, drops, level, spread=1.5, send=0.9, looseness=0.05))
    if rng.random() < 0.45:
        string = plucked(rng, 0.2 + 0.5 * character, 2.0)
        repeats = echo(0.75 * beat, 0.5)
        parts.append(
            InstrumentPart(string, _ripple(rng, key, chords, hold), level=0.3, spread=1.0, send=0.5, effect=repeats)
        )
    if rng.random() < 0.3:
        heart = [Note(2.0 * i, 0.5, velocity=0.6) for i in range(4, 2 * bars - 4)]
        parts.append(InstrumentPart(kick(45.0, 12.0, 0.05), heart, level=0.5, send=0.4))
    return Composition(key, tempo, seconds, parts, Room(rng.uniform(2.5, 5.0), 0.2 + 0.6 * character))


def _gusts(rng: np.random.Generator, bars: int) -> list[Note]:
    return [Note(4.0 * bar + rng.uniform(0, 2), rng.uniform(6, 12), velocity=0.5) for bar in range(0, bars, 2)]


def _drops(rng: np.random.Generator, key: Key, bars: int) -> list[Note]:
    """Draw single high notes, far apart, from the pentatonic part of the scale."""
    degrees = (14, 15, 16, 18, 19, 21, 23)
    return [
        Note(
            4.0 * bar + choice(rng, (0.0, 1.0, 1.5, 2.5, 3.0)),
            1.0,
            key.pitch(choice(rng, degrees)),
            rng.uniform(0.3, 0.8),
        )
        for bar in range(1, bars)
        for _ in range(int(rng.integers(0, 3)))
    ]


def _ripple(rng: np.random.Generator, key: Key, chords: list[tuple[float, int]], hold: int) -> list[Note]:
    """Break chords into quavers, with pauses."""
    order = rng.permutation(8) % 4
    return [
        Note(start + 0.5 * i, 0.5, key.chord(degree, 4)[order[i % 8]] + 12, 0.5)
        for turn, (start, degree) in enumerate(chords)
        if turn % 4 != 0
        for i in range(8 * hold)
    ]
