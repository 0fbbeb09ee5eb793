"""Chiptune: two pulse waves, a triangle and a noise, as home computers had them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import chip_noise
from demo.effects import echo
from demo.instruments import pulse, triangle
from demo.mix import Part, Room, Song
from demo.theory import (
    PROGRESSIONS,
    Key,
    Note,
    arranged,
    choice,
    euclidean,
    layers_by_bar,
    melody,
    pattern,
    random_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

CELLS = (
    (0.5, 0.5, 1, 0.5, 0.5, 1),
    (1, 0.5, 0.5, 1, 1),
    (0.75, 0.75, 0.5, 1, 1),
    (0.5, 0.5, 0.5, 0.5, 1, -1),
    (0.25, 0.25, 0.5, 1, 0.25, 0.25, 0.5, 1),
)
BASS_FIGURES = (
    (0, 7, 0, 7, 0, 7, 0, 7),
    (0, 0, 7, 0, 0, 7, 0, 7),
    (0, None, 0, 7, None, 0, 7, 0),
    (0, None, None, None) * 2,
)
PLANS = (
    (
        (1, "bass arpeggio"),
        (4, "bass arpeggio lead drums"),
        (1, "arpeggio lead"),
        (3, "bass arpeggio lead drums"),
    ),
    ((1, "lead"), (3, "lead bass drums"), (3, "lead bass arpeggio drums"), (1, "bass drums")),
    ((2, "arpeggio drums bass"), (4, "lead bass arpeggio"), (2, "lead bass arpeggio drums")),
)


def compose(rng: np.random.Generator, seconds: float, character: float) -> Song:
    """`character` goes from a hand-held's hollow square (0) to a thin, nasal pulse (1)."""
    key = random_key(rng, ("major", "minor", "mixolydian", "dorian"))
    tempo = rng.uniform(96.0, 168.0)
    bars = int(seconds * tempo / 240.0) + 1
    layers = layers_by_bar(bars, choice(rng, PLANS))
    progression = choice(rng, PROGRESSIONS)
    duty = choice(rng, (0.5, 0.5, 0.25) if character < 0.5 else (0.25, 0.125, 0.25))

    lead = arranged(melody(rng, key, progression, bars, CELLS, octave=choice(rng, (1, 2))), "lead", layers)
    figure = choice(rng, BASS_FIGURES)
    arpeggio = _arpeggio(rng, key, progression, bars)
    bass = [
        Note(4.0 * bar + quaver / 2.0, 0.45, key.pitch(progression[bar % 4]) - 12 + shift, 0.9)
        for bar in range(bars)
        for quaver, shift in enumerate(figure)
        if shift is not None
    ]
    kick_steps = choice(rng, ((0, 8), (0, 6, 8), (0, 4, 8, 12), (0, 10)))
    hat_steps = choice(rng, (tuple(range(0, 16, 2)), tuple(range(16)), euclidean(5, 16)))
    drums = (
        (chip_noise(rng, 1800.0, 18.0), kick_steps, 0.3),
        (chip_noise(rng, 9000.0, 16.0), (4, 12), 0.3),
        (chip_noise(rng, 22_000.0, 60.0), hat_steps, 0.14),
    )
    loud = rng.uniform(0.4, 1.2)
    parts = [
        Part(pulse(duty), lead, level=0.4, pan=0.15, send=0.06, looseness=0.0, effect=echo(45.0 / tempo, 0.3)),
        Part(
            pulse(0.25, 4.0),
            arranged(arpeggio, "arpeggio", layers),
            level=0.2,
            pan=-0.3,
            send=0.06,
            looseness=0.0,
        ),
        Part(triangle, arranged(bass, "bass", layers), level=rng.uniform(0.35, 0.7), send=0.0, looseness=0.0),
    ]
    for voice, steps, level in drums:
        notes = arranged([note for bar in range(bars) for note in pattern(bar, steps)], "drums", layers)
        parts.append(Part(voice, notes, level=level * loud, send=0.0, looseness=0.0))
    return Song(key, tempo, seconds, parts, Room(rng.uniform(0.3, 1.2)), swing=choice(rng, (0.0, 0.0, 0.3)))


def _arpeggio(rng: np.random.Generator, key: Key, progression: Sequence[int], bars: int) -> list[Note]:
    """A chord as fast single notes, since one channel cannot play three at once."""
    step = choice(rng, (0.125, 0.25, 0.25))
    order = choice(rng, ((0, 1, 2, 3), (0, 1, 2, 1), (3, 2, 1, 0), (0, 2, 1, 3)))
    notes = []
    for bar in range(bars):
        root, third, fifth = key.chord(progression[bar % 4])
        chord = (root, third, fifth, root + 12)
        for i in range(round(4.0 / step)):
            notes.append(Note(4.0 * bar + i * step, step, chord[order[i % 4]] + 12, 0.6))
    return notes
