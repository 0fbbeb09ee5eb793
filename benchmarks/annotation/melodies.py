"""Compose short pieces for one instrument from a random generator: chords, melodies, bass lines, drum patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.annotation.midi import DRUM_CHANNEL, MidiNote

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

BAR = 4  # beats
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))  # major, minor
PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (5, 3, 0, 4))
RHYTHMS = ((1, 1, 1, 1), (0.5, 0.5, 1, 2), (1.5, 0.5, 1, 1), (0.5, 0.5, 0.5, 0.5, 1, 1), (2, 1, 1), (2, 2))
KICK, SNARE, CLOSED_HAT, OPEN_HAT, CRASH = 36, 38, 42, 46, 49


class Piece(NamedTuple):
    """A piece's `tonic` (MIDI pitch), `scale` (semitones), `degrees` of the chords of four bars, and number of bars."""

    tonic: int
    scale: tuple[int, ...]
    degrees: tuple[int, ...]
    bars: int

    def pitch(self, degree: int) -> int:
        """Return the pitch of a degree of the scale, 0 being the tonic; any octave."""
        return self.tonic + 12 * (degree // 7) + self.scale[degree % 7]

    def chord(self, bar: int) -> list[int]:
        """Return the degrees of a bar's chord: root, third, fifth."""
        root = self.degrees[bar % len(self.degrees)]
        return [root, root + 2, root + 4]


def random_piece(rng: np.random.Generator, bars: int) -> Piece:
    scale = SCALES[rng.integers(len(SCALES))]
    return Piece(int(rng.integers(55, 67)), scale, PROGRESSIONS[rng.integers(len(PROGRESSIONS))], bars)


def melody(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose one voice: a walk over the scale that begins each bar on a note of the chord, with accents and rests."""
    notes: list[MidiNote] = []
    degree = 0
    for bar in range(piece.bars):
        start = float(BAR * bar)
        degree = nearest(piece.chord(bar), degree)
        for length in RHYTHMS[rng.integers(len(RHYTHMS))]:
            if rng.random() > 0.08:
                velocity = int(rng.integers(80, 112))
                notes.append(MidiNote(start, 0.95 * length, piece.pitch(degree), velocity))
            start += length
            degree += int(rng.choice([-2, -1, -1, 1, 1, 2]))
    return notes


def nearest(chord: list[int], degree: int) -> int:
    """Return the degree nearest to one, of a chord in any octave; it stays within an octave of the tonic."""
    candidates = [note + 7 * octave for note in chord for octave in (-2, -1, 0, 1)]
    return min((note for note in candidates if -4 <= note <= 8), key=lambda note: (abs(note - degree), note))


def accompanied(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose a melody over broken chords, as for keyboards, guitars and harps."""
    notes = [note._replace(pitch=note.pitch + 12) for note in melody(piece, rng)]
    order = (0, 1, 2, 1) if rng.random() < 0.5 else (0, 2, 1, 2)
    for bar in range(piece.bars):
        chord = piece.chord(bar)
        for step in range(2 * BAR):
            pitch = piece.pitch(chord[order[step % 4]]) - 12
            notes.append(MidiNote(BAR * bar + step / 2, 0.6, pitch, int(rng.integers(60, 84))))
    return notes


def strummed(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose chords of five notes in eighths, each a little after the other; every fourth bar has a run instead."""
    notes = []
    for bar in range(piece.bars):
        if bar % 4 == 3:
            run = [piece.chord(bar)[0] + int(step) for step in rng.integers(0, 8, 8)]
            notes += [MidiNote(BAR * bar + i / 2, 0.45, piece.pitch(degree), 100) for i, degree in enumerate(run)]
            continue
        root, third, fifth = piece.chord(bar)
        voicing = [root - 7, fifth - 7, root, third, fifth]
        for beat in (0, 1, 1.5, 2.5, 3, 3.5):
            velocity = int(rng.integers(76, 104))
            notes += [
                MidiNote(BAR * bar + beat + 0.02 * i, 0.45, piece.pitch(degree), velocity)
                for i, degree in enumerate(voicing)
            ]
    return notes


def sustained(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose held chords with a slow upper voice, as for strings, choirs, pads and organs."""
    notes = []
    for bar in range(piece.bars):
        root, third, fifth = piece.chord(bar)
        notes += [MidiNote(BAR * bar, 3.95, piece.pitch(degree), 84) for degree in (root - 7, third, fifth)]
        top = [root + 7, fifth + 7, third + 7][rng.integers(3)]
        notes += [
            MidiNote(BAR * bar, 1.95, piece.pitch(top), 96),
            MidiNote(BAR * bar + 2, 1.95, piece.pitch(top + int(rng.integers(-1, 2))), 92),
        ]
    return notes


def bass_line(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose eighths on root, fifth and octave, two octaves down."""
    notes = []
    for bar in range(piece.bars):
        root = piece.chord(bar)[0]
        for step in range(2 * BAR):
            degree = root + int(rng.choice([0, 0, 4, 7, 2]))
            notes.append(MidiNote(BAR * bar + step / 2, 0.45, piece.pitch(degree) - 24, int(rng.integers(84, 110))))
    return notes


def drum_pattern(piece: Piece, rng: np.random.Generator) -> list[MidiNote]:
    """Compose a pattern of kick, snare and hi-hat, with a fill in every fourth bar."""
    hits: list[tuple[float, int, int]] = []
    for bar in range(piece.bars):
        at = float(BAR * bar)
        kicks = [0.0, 2.0, *[beat for beat in (0.75, 1.5, 2.5, 3.5) if rng.random() < 0.35]]
        hits += [(at + beat, KICK, 110) for beat in kicks] + [(at + 1, SNARE, 104), (at + 3, SNARE, 104)]
        hits += [(at + step / 2, CLOSED_HAT if rng.random() < 0.9 else OPEN_HAT, 80) for step in range(8)]
        if bar % 4 == 3:
            hits += [(at + 3 + step / 4, int(rng.choice([50, 47, 45, 38])), 100) for step in range(4)]
        if bar % 4 == 0:
            hits.append((at, CRASH, 96))
    return [MidiNote(start, 0.2, pitch, velocity, DRUM_CHANNEL) for start, pitch, velocity in hits]


STYLES: dict[str, Callable[[Piece, np.random.Generator], list[MidiNote]]] = {
    "melody": melody,
    "accompanied": accompanied,
    "strummed": strummed,
    "sustained": sustained,
    "bass": bass_line,
    "drums": drum_pattern,
}
