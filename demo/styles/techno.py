"""Techno: a kick on every beat, off-beat hats, a sixteenth-note bass line, stabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import clap, cymbal, kick, tom
from demo.effects import chain, echo, pump
from demo.instruments import pad, saw
from demo.mix import Part, Room, Song
from demo.theory import Key, Note, arranged, choice, euclidean, layers_by_bar, pattern, random_key

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

PLANS = (
    (
        (1, "kick bass"),
        (2, "kick hat bass clap"),
        (1, "cloud bass hat"),
        (3, "kick hat bass stab clap drum cloud"),
    ),
    ((1, "cloud stab"), (3, "kick hat bass stab"), (1, "cloud"), (3, "kick hat ride bass stab clap cloud")),
    (
        (1, "kick drum"),
        (2, "kick drum hat bass"),
        (2, "kick hat clap bass stab ride"),
        (1, "kick drum cloud"),
    ),
)


def compose(rng: np.random.Generator, seconds: float, character: float) -> Song:
    """`character` goes from dub chords (0) to an acid line (1)."""
    key = random_key(rng, ("minor", "dorian", "phrygian"), lowest=41)
    tempo = rng.uniform(116.0, 142.0)
    beat = 60.0 / tempo
    bars = int(seconds / beat / 4.0) + 1
    layers = layers_by_bar(bars, choice(rng, PLANS))

    def played(layer: str, bar_notes: Callable[[int], list[Note]]) -> list[Note]:
        return arranged([note for bar in range(bars) for note in bar_notes(bar)], layer, layers)

    line = _bass_line(rng, key)
    stab_steps = euclidean(choice(rng, (3, 5, 2)), 16, int(rng.integers(16)))
    stab_roots = choice(rng, ((0, 0, 0, 0), (0, 0, 5, 6), (0, 3, 0, 3), (0, 0, 2, 1)))
    drum_steps = euclidean(choice(rng, (5, 7, 9)), 16, int(rng.integers(16)))
    hat_steps = choice(rng, ((2, 6, 10, 14), (2, 6, 10, 14), tuple(range(16)), (2, 3, 6, 10, 11, 14)))
    duck = pump(beat, rng.uniform(0.3, 0.75))
    brightness = 0.15 + 0.5 * character + rng.uniform(-0.1, 0.15)

    def stab(bar: int) -> list[Note]:
        chord = key.chord(stab_roots[bar % 4], 4)
        return [note for pitch in chord for note in pattern(bar, stab_steps, pitch + 12, 0.6)]

    def cloud(bar: int) -> list[Note]:
        return [Note(4.0 * bar, 4.0, pitch + 12, 0.5) for pitch in key.chord(stab_roots[bar % 4])]

    parts = [
        Part(
            kick(rng.uniform(42, 58), rng.uniform(8, 16), rng.uniform(0.05, 0.4)),
            played("kick", lambda bar: pattern(bar, (0, 4, 8, 12), velocity=0.95)),
            level=rng.uniform(0.7, 1.1),
            send=0.02,
            looseness=0.0,
        ),
        Part(
            cymbal(rng, rng.uniform(18, 45)),
            played("hat", lambda bar: pattern(bar, hat_steps, velocity=0.6)),
            level=rng.uniform(0.25, 0.6),
            pan=0.2,
            looseness=0.002,
        ),
        Part(
            cymbal(rng, 5.0, 0.6),
            played("ride", lambda bar: pattern(bar, range(0, 16, 4))),
            level=0.25,
            pan=-0.3,
        ),
        Part(
            clap(rng),
            played("clap", lambda bar: pattern(bar, (4, 12))),
            level=rng.uniform(0.4, 0.8),
            send=0.3,
        ),
        Part(
            tom(rng.uniform(110, 320)),
            played("drum", lambda bar: pattern(bar, drum_steps, velocity=0.6)),
            level=0.3,
            pan=-0.4,
            send=0.3,
        ),
        Part(
            saw(brightness, 4.0 + 20.0 * character),
            played("bass", lambda bar: [Note(4.0 * bar + n.start, n.length, n.pitch, n.velocity) for n in line]),
            level=rng.uniform(0.35, 0.6),
            send=0.05,
            looseness=0.001,
            effect=duck,
        ),
        Part(
            saw(0.3 + 0.4 * rng.random(), 12.0, 0.006),
            played("stab", stab),
            level=0.22,
            send=0.4,
            effect=chain(echo(0.75 * beat, 0.3 + 0.35 * (1 - character)), duck),
        ),
        Part(
            pad(0.5, 0.4, 0.8),
            played("cloud", cloud),
            level=rng.uniform(0.15, 0.5),
            spread=1.0,
            send=0.5,
            effect=duck,
        ),
    ]
    return Song(key, tempo, seconds, parts, Room(rng.uniform(0.6, 2.5), 0.5), swing=rng.uniform(0.0, 0.2))


def _bass_line(rng: np.random.Generator, key: Key) -> list[Note]:
    """One bar of sixteenths around the tonic, with rests, accents and leaps of an octave."""
    steps = euclidean(choice(rng, (6, 8, 10, 12)), 16, int(rng.integers(16)))
    degrees = (0, 0, 0, 7, -1, 2, 4)
    return [
        Note(
            step / 4.0,
            choice(rng, (0.2, 0.25, 0.4)),
            key.pitch(choice(rng, degrees)) - 12,
            choice(rng, (0.5, 0.7, 1.0)),
        )
        for step in steps
    ]
