"""Techno: a kick on every beat, off-beat hats, a sixteenth-note bass line, stabs, a pad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import clap, cymbal, kick
from demo.effects import chain, echo, pump
from demo.instruments import pad, saw
from demo.mix import Composition, InstrumentPart, Room
from demo.theory import Key, Note, choice, euclidean, layers_by_bar, pattern, random_key, select_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

PLANS = (
    ((1, "kick bass"), (2, "kick hat bass clap"), (1, "cloud bass hat"), (3, "kick hat bass stab clap cloud")),
    ((1, "cloud stab"), (3, "kick hat bass stab"), (1, "cloud"), (3, "kick hat bass stab clap cloud")),
    ((1, "kick"), (2, "kick hat bass"), (2, "kick hat clap bass stab"), (1, "kick cloud")),
)


def compose(rng: np.random.Generator, seconds: float, character: float) -> Composition:
    """Compose; `character` goes from dub chords (0) to an acid line (1)."""
    key = random_key(rng, ("minor", "dorian", "phrygian"), lowest=41)
    tempo = rng.uniform(116.0, 142.0)
    beat = 60.0 / tempo
    bars = int(seconds / beat / 4.0) + 1
    layers = layers_by_bar(bars, choice(rng, PLANS))

    def notes(layer: str, bar_notes: Callable[[int], list[Note]]) -> list[Note]:
        return select_layer([note for bar in range(bars) for note in bar_notes(bar)], layer, layers)

    line = _bass_line(rng, key)
    stab_steps = euclidean(choice(rng, (3, 5, 2)), 16, int(rng.integers(16)))
    stab_roots = choice(rng, ((0, 0, 0, 0), (0, 0, 5, 6), (0, 3, 0, 3), (0, 0, 2, 1)))
    hat_steps = choice(rng, ((2, 6, 10, 14), (2, 6, 10, 14), tuple(range(16)), (2, 3, 6, 10, 11, 14)))
    duck = pump(beat, rng.uniform(0.3, 0.75))
    brightness = 0.15 + 0.5 * character + rng.uniform(-0.1, 0.15)

    def bass(bar: int) -> list[Note]:
        return [Note(4.0 * bar + note.start, note.length, note.pitch, note.velocity) for note in line]

    def stab(bar: int) -> list[Note]:
        chord = key.chord(stab_roots[bar % 4], 4)
        return [note for pitch in chord for note in pattern(bar, stab_steps, pitch + 12, 0.6)]

    def cloud(bar: int) -> list[Note]:
        return [Note(4.0 * bar, 4.0, pitch + 12, 0.5) for pitch in key.chord(stab_roots[bar % 4])]

    drum = kick(rng.uniform(42, 58), rng.uniform(8, 16), rng.uniform(0.05, 0.4))
    beats = notes("kick", lambda bar: pattern(bar, (0, 4, 8, 12), velocity=0.95))
    hats = notes("hat", lambda bar: pattern(bar, hat_steps, velocity=0.6))
    claps = notes("clap", lambda bar: pattern(bar, (4, 12)))
    repeats = chain(echo(0.75 * beat, 0.3 + 0.35 * (1 - character)), duck)
    hat_level, clap_level, bass_level, pad_level = (
        rng.uniform(low, high) for low, high in ((0.25, 0.6), (0.4, 0.8), (0.35, 0.6), (0.15, 0.5))
    )
    acid = saw(brightness, 4.0 + 20.0 * character)
    parts = [
        InstrumentPart(drum, beats, level=rng.uniform(0.7, 1.1), send=0.02, looseness=0.0),
        InstrumentPart(cymbal(rng, rng.uniform(18, 45)), hats, level=hat_level, pan=0.2, looseness=0.002),
        InstrumentPart(clap(rng), claps, level=clap_level, send=0.3),
        InstrumentPart(acid, notes("bass", bass), level=bass_level, send=0.05, looseness=0.001, effect=duck),
        InstrumentPart(saw(0.5, 12.0, 0.006), notes("stab", stab), level=0.22, send=0.4, effect=repeats),
        InstrumentPart(pad(0.5, 0.4, 0.8), notes("cloud", cloud), pad_level, spread=1.0, send=0.5, effect=duck),
    ]
    return Composition(key, tempo, seconds, parts, Room(rng.uniform(0.6, 2.5), 0.5))


def _bass_line(rng: np.random.Generator, key: Key) -> list[Note]:
    """Compose one bar of sixteenths around the tonic, with rests, accents and leaps of an octave."""
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
