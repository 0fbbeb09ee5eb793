"""Acoustic guitar: fingerpicking and strumming on plucked strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.instruments import plucked
from demo.mix import Composition, InstrumentPart, Room
from demo.theory import PROGRESSIONS, Key, Note, choice, melody, nearest_octave, random_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

OPEN_STRINGS = (40, 45, 50, 55, 59, 64)
# Quavers of a bar as groups of strings of the chord, 0 being the lowest.
PICKING = (
    ((0,), (3,), (2,), (4,), (1,), (3,), (2,), (5,)),
    ((0, 5), (3,), (2,), (4,), (0,), (3,), (2,), (4,)),
    ((0,), (2,), (3,), (4,), (5,), (4,), (3,), (2,)),
    ((0,), (3, 4), (), (3, 4), (1,), (3, 4), (), (5,)),
)
STRUMMING = ((0, 2, 3, 5, 6, 7), (0, 3, 4, 6, 7), (0, 2, 4, 6), (0, 1, 3, 5, 6))
CELLS = ((1, 0.5, 0.5, 2), (1.5, 0.5, 1, 1), (2, 2), (-1, 1, 1, 1), (0.5, 0.5, 1, 0.5, 0.5, 1))


def compose(rng: np.random.Generator, seconds: float, character: float) -> Composition:
    """Compose; `character` goes from nylon strings (0) to steel (1)."""
    key = random_key(rng, ("major", "mixolydian", "minor", "dorian"))
    tempo = rng.uniform(76.0, 136.0)
    bars = int(seconds * tempo / 240.0) + 1
    progression = choice(rng, PROGRESSIONS)
    brightness = 0.3 + 0.5 * character + rng.uniform(-0.1, 0.15)
    sustain = rng.uniform(1.5, 2.5) + 2.0 * character
    strum = rng.random() < 0.3 + 0.3 * character
    shapes = [_chord_shape(key, degree) for degree in progression]
    accompaniment = _strummed(rng, shapes, bars) if strum else _picked(rng, shapes, bars)
    guitar = plucked(rng, brightness, sustain)
    parts = [InstrumentPart(guitar, accompaniment, level=0.6, pan=-0.2, spread=0.3, send=0.15, looseness=0.008)]
    if rng.random() < 0.6:
        tune = melody(rng, key, progression, bars, CELLS)
        later = [note for note in tune if note.start >= 4.0 * (bars // 5)]
        parts.append(InstrumentPart(guitar, later, level=0.8, pan=0.35, send=0.2, looseness=0.012))
    room = Room(rng.uniform(0.4, 1.6), 0.3 + 0.4 * character)
    return Composition(key, tempo, seconds, parts, room)


def _chord_shape(key: Key, degree: int) -> tuple[int, ...]:
    """Return a pitch for each of six strings: the chord tone nearest above the open string, the root in the bass."""
    tones = key.chord(degree % 7)
    root = nearest_octave(tones[0], 43.0)
    upper = tuple(
        min(nearest_octave(tone, string + 2.5) for tone in tones if nearest_octave(tone, string + 2.5) >= string - 3)
        for string in OPEN_STRINGS[2:]
    )
    return (root, nearest_octave(tones[2], root + 6.0), *upper)


def _picked(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]], bars: int) -> list[Note]:
    figure = choice(rng, PICKING)
    return [
        Note(4.0 * bar + quaver / 2.0, 1.8, shapes[bar % 4][string], 0.85 if string < 2 else 0.65)
        for bar in range(bars)
        for quaver, strings in enumerate(figure)
        for string in strings
    ]


def _strummed(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]], bars: int) -> list[Note]:
    """Strum down on the beat and up between, string after string."""
    figure = choice(rng, STRUMMING)
    notes = []
    for bar in range(bars):
        for quaver in figure:
            downwards = quaver % 2 == 0
            strings = range(6) if downwards else range(5, 1, -1)
            for order, string in enumerate(strings):
                start = 4.0 * bar + quaver / 2.0 + 0.025 * order
                notes.append(Note(start, 0.9, shapes[bar % 4][string], 0.7 if downwards else 0.45))
    return notes
