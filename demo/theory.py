"""Notes, keys, chords and rhythms of the styles. Time is counted in beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}

# Degrees count from zero: 0 is the tonic, 4 the dominant.
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (0, 3, 4, 3),
    (5, 3, 0, 4),
    (0, 6, 5, 6),
    (0, 3, 0, 4),
    (0, 2, 3, 4),
    (0, 5, 1, 4),
)

Option = TypeVar("Option")


@dataclass(frozen=True)
class Note:
    """A sound to play: where and how long in beats, how high as a MIDI pitch, how hard from 0 to 1."""

    start: float
    length: float
    pitch: float = 60.0
    velocity: float = 0.8


@dataclass(frozen=True)
class Key:
    """A tonic (MIDI pitch) and a mode; turns scale degrees into pitches."""

    tonic: int
    mode: str

    def pitch(self, degree: int) -> int:
        """Return the pitch of a scale degree, counted from zero; seven more is an octave higher."""
        octave, step = divmod(degree, 7)
        return self.tonic + 12 * octave + MODES[self.mode][step]

    def chord(self, degree: int, size: int = 3) -> tuple[int, ...]:
        """Stack thirds on a degree: three tones are a triad, four a seventh chord."""
        return tuple(self.pitch(degree + 2 * third) for third in range(size))

    def __str__(self) -> str:
        return f"{PITCH_NAMES[self.tonic % 12]} {self.mode}"


def choice(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """Draw one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch in equal temperament, A4 = 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def nearest_octave(pitch: int, target: float) -> int:
    """Return the pitch of the same name that lies closest to `target`."""
    return pitch + 12 * round((target - pitch) / 12)


def euclidean(hits: int, steps: int, rotation: int = 0) -> tuple[int, ...]:
    """Return the steps of a rhythm that spreads its hits as evenly as possible (Toussaint 2005)."""
    return tuple(sorted((step * steps // hits + rotation) % steps for step in range(hits)))


def pattern(
    bar: int, steps: Sequence[int], pitch: float = 60.0, velocity: float = 0.8, length: float = 0.25
) -> list[Note]:
    """Return the notes of one bar of four beats, given as sixteenths."""
    return [Note(4.0 * bar + step / 4.0, length, pitch, velocity) for step in steps]


def melody(
    rng: np.random.Generator,
    key: Key,
    degrees: Sequence[int],
    cells: Sequence[Sequence[float]],
    octave: int = 1,
) -> list[Note]:
    """Compose a tune over a chord a bar, by scale degree, in four-bar phrases A A' B A.

    A phrase is rhythm cells (lengths in beats that fill a bar; negative ones are rests) and a walk on the
    scale that lands on a chord tone at the start of each bar.
    """
    phrases = {name: [_figure(rng, choice(rng, cells)) for _ in range(4)] for name in "AB"}
    notes: list[Note] = []
    for bar, root in enumerate(degrees):
        start = 4.0 * bar
        for length, step in phrases["AABA"[bar // 4 % 4]][bar % 4]:
            if length > 0:
                accent = 0.85 if start == int(start) else 0.65
                notes.append(Note(start, length, key.pitch(7 * octave + root % 7 + step), accent))
            start += abs(length)
    return notes


def _figure(rng: np.random.Generator, cell: Sequence[float]) -> list[tuple[float, int]]:
    """Draw scale steps relative to the chord's root for a rhythm: a chord tone first, then mostly neighbours."""
    step = choice(rng, (0, 2, 4, 2))
    figure = []
    for length in cell:
        figure.append((length, step))
        step = max(-3, min(8, step + choice(rng, (-2, -1, -1, 1, 1, 2))))
    return figure
