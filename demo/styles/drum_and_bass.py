"""Drum and bass: a fast broken beat over a slow, deep bass line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import cymbal, kick, snare
from demo.effects import band, chain, echo, pump
from demo.instruments import pad, piano, saw
from demo.mix import Part, Room, Song
from demo.theory import PROGRESSIONS, Note, arranged, choice, layers_by_bar, pattern, random_key

if TYPE_CHECKING:
    import numpy as np

# Sixteenths of the kick, the snare and the ghost notes.
BREAKS = (
    ((0, 10), (4, 12), (7, 9, 15)),
    ((0, 2, 10), (4, 12), (7, 14)),
    ((0, 6, 10), (4, 12), (3, 9, 15)),
    ((0, 10, 11), (4, 13), (7, 15)),
    ((0, 3), (8,), (6, 11, 14)),
)
PLANS = (
    ((1, "hat chord"), (3, "break hat bass"), (1, "chord"), (4, "break hat bass chord keys")),
    ((1, "break hat"), (3, "break hat bass chord"), (1, "chord keys bass"), (3, "break hat bass chord")),
    ((1, "bass chord"), (4, "break hat bass keys"), (2, "break hat bass chord")),
)


def compose(rng: np.random.Generator, seconds: float, character: float) -> Song:
    """`character` goes from liquid, with keys and warm chords (0), to a growling bass (1)."""
    key = random_key(rng, ("minor", "dorian", "minor", "phrygian"), lowest=46)
    tempo = rng.uniform(160.0, 178.0)
    beat = 60.0 / tempo
    bars = int(seconds / beat / 4.0) + 1
    layers = layers_by_bar(bars, choice(rng, PLANS))
    progression = choice(rng, PROGRESSIONS)

    kicks, snares, ghosts = choice(rng, BREAKS)
    hat_steps = choice(rng, (tuple(range(0, 16, 2)), (0, 2, 3, 6, 8, 10, 11, 14), tuple(range(16))))
    drum = snare(rng, rng.uniform(170, 240), rng.uniform(0.4, 0.7), rng.uniform(12, 25))
    drums = (
        (kick(rng.uniform(48, 62), 14.0, 0.3), kicks, 0.95, 0.8),
        (drum, snares, 0.9, 1.1),
        (drum, ghosts, 0.3, 0.9),
        (cymbal(rng, rng.uniform(20, 45)), hat_steps, 0.6, rng.uniform(0.3, 0.6)),
    )
    parts = []
    for i, (voice, steps, velocity, level) in enumerate(drums):
        notes = [note for bar in range(bars) for note in pattern(bar, steps, velocity=velocity)]
        parts.append(Part(voice, arranged(notes, "hat" if i == 3 else "break", layers), level=level, send=0.08))

    bass = [
        Note(4.0 * bar + start, length, key.pitch(progression[bar // 2 % 4]) - 12 + shift, 0.9)
        for bar in range(bars)
        for start, length, shift in choice(
            rng, (((0, 3.5, 0),), ((0, 1.5, 0), (2.5, 1.0, 0)), ((0, 2.0, 0), (3, 0.8, -2)))
        )
    ]
    growl = saw(0.02 + 0.3 * character, 0.5, 0.004 + 0.008 * character)
    chords = [
        Note(4.0 * bar, 4.0, pitch + 12, 0.5)
        for bar in range(bars)
        for pitch in key.chord(progression[bar // 2 % 4], 4)
    ]
    keys = [
        Note(4.0 * bar + start, 0.6, pitch + 12, 0.5)
        for bar in range(bars)
        for start in (0.0, 1.5, 2.75)
        for pitch in key.chord(progression[bar // 2 % 4], 4)
    ]
    duck = pump(2.0 * beat, 0.4)
    parts += [
        Part(
            growl,
            arranged(bass, "bass", layers),
            level=rng.uniform(0.3, 0.5),
            send=0.02,
            effect=band(30, 500 + 3000 * character),
        ),
        Part(
            pad(0.6 - 0.3 * character, 0.3, 0.6),
            arranged(chords, "chord", layers),
            level=0.3,
            spread=1.0,
            send=0.5,
            effect=duck,
        ),
        Part(
            piano(0.5),
            arranged(keys, "keys", layers),
            level=0.35,
            spread=0.6,
            send=0.3,
            effect=chain(echo(0.75 * beat, 0.4), duck),
        ),
    ]
    return Song(key, tempo, seconds, parts, Room(rng.uniform(0.8, 2.5)), swing=rng.uniform(0.0, 0.3))
