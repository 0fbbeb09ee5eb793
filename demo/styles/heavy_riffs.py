"""Heavy riffs: distorted power chords, palm-muted in between, over loud drums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.drums import cymbal, kick, snare
from demo.effects import band, overdrive
from demo.instruments import electric_guitar, saw
from demo.mix import Part, Room, Song
from demo.theory import Key, Note, arranged, choice, layers_by_bar, melody, pattern, random_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

# A riff is two bars of (sixteenth, length in sixteenths, degree of the chord, or None for a muted low note).
Hit = tuple[int, int, int | None]
CHUGS = ((0, 2, 3, 4, 6, 7), (0, 1, 2, 3, 4, 5, 6, 7), (0, 3, 6), (0, 2, 4, 6), (0, 1, 3, 4, 6, 7))
CELLS = ((0.5, 0.5, 0.5, 0.5, 1, 1), (1, 1, 2), (0.25, 0.25, 0.25, 0.25, 1, 1, 1), (1.5, 0.5, 2))
PLANS = (
    ((1, "guitar"), (3, "guitar bass drums"), (1, "bass drums"), (3, "guitar bass drums lead")),
    ((3, "guitar bass drums"), (1, "guitar"), (3, "guitar bass drums lead"), (1, "guitar bass drums")),
)


def compose(rng: np.random.Generator, seconds: float, character: float) -> Song:
    """`character` goes from slow and sludgy (0) to fast and tight (1)."""
    key = random_key(rng, ("minor", "phrygian", "dorian"), lowest=36)
    tempo = rng.uniform(70.0, 120.0) + 50.0 * character
    bars = int(seconds * tempo / 240.0) + 1
    layers = layers_by_bar(bars, choice(rng, PLANS))
    riffs = [_riff(rng, character), _riff(rng, character)]

    muted, open_chords, roots = _played(key, riffs, bars)
    brightness = 0.3 + 0.3 * character + rng.uniform(-0.1, 0.2)
    amplifier = overdrive(rng.uniform(2.0, 7.0), rng.uniform(2800.0, 5500.0))
    parts = []
    for pan in (-0.7, 0.7):
        strings = electric_guitar(brightness, 0.3)
        palm = electric_guitar(brightness * 0.8, 14.0)
        for voice, notes, level in ((strings, open_chords, 0.5), (palm, muted, 0.6)):
            parts.append(
                Part(
                    voice,
                    arranged(notes, "guitar", layers),
                    level,
                    pan,
                    send=0.06,
                    looseness=0.006,
                    effect=amplifier,
                )
            )
    parts.append(Part(saw(0.1, 2.0), arranged(roots, "bass", layers), level=0.5, send=0.02, effect=band(40.0, 1200.0)))
    lead = arranged(melody(rng, key, (0, 0, 5, 6), bars, CELLS, octave=3), "lead", layers)
    if lead:
        parts.append(Part(electric_guitar(0.6, 0.2), lead, level=0.5, send=0.3, effect=amplifier))
    parts += _drum_kit(rng, [note.start for note in roots], layers, character)
    return Song(key, tempo, seconds, parts, Room(rng.uniform(0.4, 1.5)))


def _riff(rng: np.random.Generator, character: float) -> list[Hit]:
    """Two bars: half-bar cells of muted low notes or of long chords."""
    hits: list[Hit] = []
    for half_bar in range(4):
        start = 8 * half_bar
        if rng.random() < 0.35 + 0.4 * character:
            steps = choice(rng, CHUGS)
            hits += [(start + step, 1, None) for step in steps[:-1]]
            hits.append((start + steps[-1], 8 - steps[-1], choice(rng, (0, 1, 2, 5, 6))))
        else:
            cut = choice(rng, (8, 4, 6, 3))
            hits.append((start, cut, choice(rng, (0, 0, 5, 3, 6))))
            if cut < 8:
                hits.append((start + cut, 8 - cut, choice(rng, (1, 2, 4, 6))))
    return hits


def _played(key: Key, riffs: Sequence[list[Hit]], bars: int) -> tuple[list[Note], list[Note], list[Note]]:
    """Muted notes, open power chords (root, fifth, octave) and the bass that follows both."""
    muted: list[Note] = []
    chords: list[Note] = []
    roots: list[Note] = []
    for pair in range(bars // 2 + 1):
        for step, length, degree in riffs[pair // 4 % 2]:
            start, beats = 8.0 * pair + step / 4.0, length / 4.0
            pitch = key.pitch(degree or 0)
            roots.append(Note(start, beats, pitch, 0.8))
            played, strength = (muted, 0.9) if degree is None else (chords, 0.8)
            played += [Note(start, beats, pitch + interval, strength) for interval in (0, 7, 12)]
    return muted, chords, roots


def _drum_kit(
    rng: np.random.Generator, accents: Sequence[float], layers: Sequence[frozenset[str]], character: float
) -> list[Part]:
    """The kick follows the riff, the snare the beat; a crash opens every fourth bar."""
    bars = [bar for bar, sounding in enumerate(layers) if "drums" in sounding]
    backbeat = (4, 12) if character > 0.5 or rng.random() < 0.5 else (8,)
    kicks = [Note(start, 0.25, velocity=0.9) for start in accents if int(start / 4.0) in bars]
    return [
        Part(kick(55.0, 16.0, 0.6), kicks, level=1.3, send=0.05),
        Part(
            snare(rng, rng.uniform(180, 230), 0.6, rng.uniform(10, 18)),
            [note for bar in bars for note in pattern(bar, backbeat, velocity=0.9)],
            level=1.5,
            send=0.2,
        ),
        Part(
            cymbal(rng, choice(rng, (8.0, 30.0))),
            [note for bar in bars for note in pattern(bar, range(0, 16, 2), velocity=0.6)],
            level=rng.uniform(0.4, 0.8),
            pan=0.3,
        ),
        Part(
            cymbal(rng, 2.5),
            [Note(4.0 * bar, 4.0) for bar in bars if bar % 4 == 0],
            level=0.8,
            pan=-0.4,
            send=0.2,
        ),
    ]
