"""The styles of the demo's music: the parameters of each, and its instruments with what they play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.synthesis import Composition, InstrumentPart, bell, echo, hat, kick, pad, piano, plucked, pump, saw
from demo.theory import PROGRESSIONS, Key, Note, choice, euclidean, melody, nearest_octave, pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np


@dataclass(frozen=True)
class Sketch:
    """What the instruments of a track agree on: a chord a bar, by scale degree; a beat in seconds; brightness 0 to 1.

    `character` is the artist's place in the style's range, 0 to 1.
    """

    rng: np.random.Generator
    key: Key
    degrees: Sequence[int]
    beat: float
    character: float
    brightness: float

    @property
    def bars(self) -> range:
        return range(len(self.degrees))


@dataclass(frozen=True)
class Style:
    """A genre: its artists by name with their place in its range (0 to 1), and the ranges of its tracks."""

    name: str
    artists: dict[str, float]
    arrange: Callable[[Sketch], list[InstrumentPart]]
    modes: str
    tempo: tuple[float, float]  # beats per minute
    reverb: tuple[float, float]  # seconds
    bars_of_chord: int = 1

    def compose(self, rng: np.random.Generator, seconds: float, character: float) -> Composition:
        """Draw key, tempo, chords and sound of a track, and arrange it."""
        key, tempo = Key(45 + int(rng.integers(12)), choice(rng, self.modes.split())), rng.uniform(*self.tempo)
        progression = choice(rng, PROGRESSIONS)
        bars = int(seconds * tempo / 240.0) + 1
        degrees = [progression[bar // self.bars_of_chord % len(progression)] for bar in range(bars)]
        brightness = 0.2 + 0.5 * character + rng.uniform(-0.1, 0.1)
        parts = self.arrange(Sketch(rng, key, degrees, 60.0 / tempo, character, brightness))
        return Composition(key, tempo, seconds, parts, rng.uniform(*self.reverb), 0.2 + 0.5 * character)


def ambient(sketch: Sketch) -> list[InstrumentPart]:
    """Slow chords over a drone, bells here and there, echoed broken chords."""
    rng, key, bright = sketch.rng, sketch.key, sketch.brightness
    drone = [
        Note(8.0 * i, 8.5, key.tonic - 12 + up, 0.6) for i in range(len(sketch.bars) // 2 + 1) for up in (0, 7, 12)
    ]
    clouds = [Note(4.0 * bar, 8.0, p, 0.5) for bar in sketch.bars[::2] for p in key.chord(sketch.degrees[bar], 4)]
    drops = [
        Note(4.0 * bar + choice(rng, (0.0, 1.0, 1.5, 2.5)), 1.0, key.pitch(choice(rng, (14, 15, 16, 18, 19, 21))), 0.5)
        for bar in sketch.bars[1:]
        for _ in range(int(rng.integers(0, 3)))
    ]
    ripple = [
        Note(4.0 * bar + 0.5 * i, 0.5, key.chord(sketch.degrees[bar], 4)[i * 3 % 4] + 12, 0.5)
        for bar in sketch.bars[2::3]
        for i in range(8)
    ]
    strings, metal = plucked(rng, bright, 2.0), bell(bright, rng.uniform(1.5, 4.0))
    return [
        InstrumentPart(pad(bright * 0.6, 2.5, 2.5), drone, level=0.5, send=0.3),
        InstrumentPart(pad(bright, 1.8, 2.2), clouds, level=0.45, spread=0.8, send=0.6),
        InstrumentPart(metal, drops, level=rng.uniform(0.05, 0.35), spread=1.5, send=0.9, looseness=0.05),
        InstrumentPart(strings, ripple, rng.uniform(0.0, 0.3), send=0.5, effect=echo(0.75 * sketch.beat, 0.5)),
    ]


# The layers in each section of a track, sections being equally long.
TECHNO_PLANS = (
    ("kick bass", "kick hat bass clap", "cloud bass hat", "kick hat bass stab clap cloud"),
    ("cloud stab", "kick hat bass stab", "cloud kick", "kick hat bass stab clap cloud"),
    ("kick hat", "kick hat bass", "kick hat clap bass stab", "kick cloud bass"),
)


def techno(sketch: Sketch) -> list[InstrumentPart]:
    """A kick on every beat, off-beat hats, a sixteenth-note bass line, stabs, a pad."""
    rng, key = sketch.rng, sketch.key
    plan = choice(rng, TECHNO_PLANS)
    roots = choice(rng, ((0, 0, 0, 0), (0, 0, 5, 6), (0, 3, 0, 3), (0, 0, 2, 1)))
    hats = choice(rng, ((2, 6, 10, 14), tuple(range(16)), (2, 3, 6, 10, 11, 14)))
    stabs = euclidean(choice(rng, (3, 5, 2)), 16, int(rng.integers(16)))
    line = [  # one bar around the tonic, with rests, accents and leaps of an octave
        Note(step / 4.0, 0.25, key.pitch(choice(rng, (0, 0, 0, 7, -1, 2, 4))) - 12, choice(rng, (0.5, 0.7, 1.0)))
        for step in euclidean(choice(rng, (6, 8, 10, 12)), 16, int(rng.integers(16)))
    ]

    def play(layer: str, bar_notes: Callable[[int], list[Note]]) -> list[Note]:
        sounding = [bar for bar in sketch.bars if layer in plan[bar * len(plan) // len(sketch.bars)].split()]
        return [note for bar in sounding for note in bar_notes(bar)]

    def stab(bar: int) -> list[Note]:
        return [note for pitch in key.chord(roots[bar % 4], 4) for note in pattern(bar, stabs, pitch + 12, 0.6)]

    beats = play("kick", lambda bar: pattern(bar, (0, 4, 8, 12), velocity=0.95))
    ticks = play("hat", lambda bar: pattern(bar, hats, velocity=0.6))
    claps = play("clap", lambda bar: pattern(bar, (4, 12)))
    bass = play("bass", lambda bar: [Note(4.0 * bar + n.start, n.length, n.pitch, n.velocity) for n in line])
    cloud = play("cloud", lambda bar: [Note(4.0 * bar, 4.0, pitch + 12, 0.5) for pitch in key.chord(roots[bar % 4])])
    duck, acid = pump(sketch.beat, rng.uniform(0.3, 0.75)), saw(sketch.brightness, 4.0 + 20.0 * sketch.character)
    repeats, chord = echo(0.75 * sketch.beat, 0.65 - 0.35 * sketch.character), saw(0.5, 12.0, (0.994, 1.006))
    drum = kick(rng.uniform(42, 58), rng.uniform(8, 16), rng.uniform(0.05, 0.4))
    return [
        InstrumentPart(drum, beats, level=rng.uniform(0.7, 1.1), send=0.02, looseness=0.0),
        InstrumentPart(hat(rng, rng.uniform(18, 45)), ticks, level=rng.uniform(0.25, 0.6), pan=0.2, looseness=0.002),
        InstrumentPart(hat(rng, 18.0, 12), claps, level=rng.uniform(0.4, 0.8), send=0.3),
        InstrumentPart(acid, bass, level=rng.uniform(0.35, 0.6), send=0.05, looseness=0.001, effect=duck),
        InstrumentPart(chord, play("stab", stab), level=0.22, send=0.4, effect=repeats),
        InstrumentPart(pad(0.5, 0.4, 0.8), cloud, level=rng.uniform(0.15, 0.5), spread=1.0, send=0.5, effect=duck),
    ]


# Lengths in beats that fill a bar; negative ones are rests.
PIANO_CELLS = ((2, 1, 1), (1, 1, 1, 1), (1.5, 0.5, 2), (-1, 1, 1, 1), (1, 0.5, 0.5, 2), (3, 1))
GUITAR_CELLS = ((1, 0.5, 0.5, 2), (1.5, 0.5, 1, 1), (2, 2), (-1, 1, 1, 1), (0.5, 0.5, 1, 0.5, 0.5, 1))
# Which notes of the chord, the lowest being 0, stand on each quaver of a bar.
BROKEN_CHORDS = ("02120212", "01232121", "0 2 3 2 ", "02343232")
PICKING = ("0 3 2 4 1 3 2 5", "05 3 2 4 0 3 2 4", "0 2 3 4 5 4 3 2", "0 34 - 34 1 34 - 5")
STRUMMING = ("012345 - 2345 5432 - 5432 2345 5432", "012345 - - 2345 5432 - 2345 5432")


def solo_piano(sketch: Sketch) -> list[InstrumentPart]:
    """A tune over broken chords, unaccompanied."""
    rng, key = sketch.rng, sketch.key
    tune = melody(rng, key, sketch.degrees, PIANO_CELLS, octave=choice(rng, (1, 2)))
    figure, left = choice(rng, BROKEN_CHORDS), []
    for bar, degree in enumerate(sketch.degrees):
        root, third, fifth = (pitch - 12 for pitch in key.chord(degree))
        spread = (root, third, fifth, root + 12, third + 12)
        left += [
            Note(4.0 * bar + quaver / 2.0, 1.2, spread[int(tone)], 0.42 if quaver else 0.6)
            for quaver, tone in enumerate(figure)
            if tone != " "
        ]
    strings = piano(sketch.brightness)
    return [
        InstrumentPart(strings, tune, level=0.9, spread=0.5, send=0.25, looseness=0.012),
        InstrumentPart(strings, left, level=rng.uniform(0.5, 0.9), spread=0.5, send=0.25, looseness=0.012),
    ]


def acoustic_guitar(sketch: Sketch) -> list[InstrumentPart]:
    """Fingerpicking or strumming on plucked strings, under a tune that begins late or not at all."""
    rng = sketch.rng
    strum = rng.random() < 0.3 + 0.3 * sketch.character
    figure = choice(rng, STRUMMING if strum else PICKING).split()
    accompaniment = [
        Note(4.0 * bar + quaver / 2.0 + 0.025 * order, 1.4, _strings(sketch.key, degree)[int(string)], 0.7)
        for bar, degree in enumerate(sketch.degrees)
        for quaver, strings in enumerate(figure)
        for order, string in enumerate(strings.strip("-"))
    ]
    guitar = plucked(rng, sketch.brightness + 0.1, rng.uniform(1.5, 2.5) + 2.0 * sketch.character)
    parts = [InstrumentPart(guitar, accompaniment, level=0.6, pan=-0.2, spread=0.3, looseness=0.008)]
    if rng.random() < 0.6:
        tune = melody(rng, sketch.key, sketch.degrees, GUITAR_CELLS)
        late = [note for note in tune if note.start >= 4.0 * (len(sketch.bars) // 5)]
        parts.append(InstrumentPart(guitar, late, level=0.8, pan=0.35, send=0.2, looseness=0.012))
    return parts


def _strings(key: Key, degree: int) -> tuple[int, ...]:
    """Return a pitch for each of six strings: root and fifth in the bass, then chord tones near the open strings."""
    root, third, fifth = key.chord(degree)
    low = nearest_octave(root, 43.0)
    upper = (min(nearest_octave(tone, string + 2.5) for tone in (root, third, fifth)) for string in (50, 55, 59, 64))
    return (low, nearest_octave(fifth, low + 6.0), *upper)


STYLES = (
    Style(
        "Ambient", {"Dark Ambient": 0.2, "Bright Ambient": 0.8}, ambient,
        "minor dorian lydian major", (56.0, 96.0), (2.5, 5.0), bars_of_chord=2,
    ),
    Style(
        "Techno", {"Dub Techno": 0.2, "Acid Techno": 0.85}, techno,
        "minor dorian phrygian", (116.0, 142.0), (0.6, 2.5),
    ),
    Style(
        "Solo Piano", {"Soft Piano": 0.2, "Bright Piano": 0.8}, solo_piano,
        "major minor dorian", (72.0, 132.0), (0.8, 2.4),
    ),
    Style(
        "Acoustic Guitar", {"Nylon Guitar": 0.15, "Steel Guitar": 0.8}, acoustic_guitar,
        "major mixolydian minor dorian", (76.0, 136.0), (0.4, 1.6),
    ),
)  # fmt: skip
