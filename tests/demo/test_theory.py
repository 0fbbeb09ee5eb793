"""The styles compose with keys, chords and rhythms that a musician would recognise."""

from __future__ import annotations

import numpy as np
import pytest

from demo.theory import (
    MODES,
    Key,
    Note,
    euclidean,
    hertz,
    melody,
    nearest_octave,
)


@pytest.mark.parametrize(
    ("tonic", "mode", "scale"),
    [
        (60, "major", [60, 62, 64, 65, 67, 69, 71, 72]),
        (57, "minor", [57, 59, 60, 62, 64, 65, 67, 69]),
        (62, "dorian", [62, 64, 65, 67, 69, 71, 72, 74]),
        (64, "phrygian", [64, 65, 67, 69, 71, 72, 74, 76]),
        (65, "lydian", [65, 67, 69, 71, 72, 74, 76, 77]),
        (67, "mixolydian", [67, 69, 71, 72, 74, 76, 77, 79]),
    ],
)
def test_the_white_keys_make_every_mode(tonic: int, mode: str, scale: list[int]) -> None:
    key = Key(tonic, mode)
    assert [key.pitch(degree) for degree in range(8)] == scale
    assert key.pitch(-7) == tonic - 12


def test_chords_are_piles_of_thirds() -> None:
    key = Key(60, "major")
    assert key.chord(0) == (60, 64, 67)
    assert key.chord(4, 4) == (67, 71, 74, 77)
    assert str(Key(63, "minor")) == "Eb minor"


@pytest.mark.parametrize(("pitch", "frequency"), [(69, 440.0), (57, 220.0), (60, 261.6256), (40, 82.4069)])
def test_pitches_have_the_frequencies_of_equal_temperament(pitch: int, frequency: float) -> None:
    assert hertz(pitch) == pytest.approx(frequency, rel=1e-6)


def test_the_nearest_octave_is_at_most_six_semitones_away() -> None:
    for pitch in range(24, 96):
        found = nearest_octave(pitch, 60.0)
        assert (found - pitch) % 12 == 0
        assert abs(found - 60) <= 6


@pytest.mark.parametrize(("hits", "steps", "gaps"), [(3, 8, [2, 3, 3]), (5, 8, [1, 1, 2, 2, 2]), (4, 16, [4] * 4)])
def test_euclidean_rhythms_are_even(hits: int, steps: int, gaps: list[int]) -> None:
    """The tresillo, the cinquillo and four on the floor, up to rotation."""
    rhythm = euclidean(hits, steps)
    assert sorted((b - a) % steps for a, b in zip(rhythm, (*rhythm[1:], rhythm[0]), strict=True)) == gaps
    assert all(0 <= step < steps for step in euclidean(hits, steps, rotation=5))


def test_a_melody_stays_in_its_key_and_its_bars() -> None:
    key = Key(55, "dorian")
    tune = melody(np.random.default_rng(3), key, (0, 5, 3, 4) * 4, ((1, 1, -1, 1), (2, 0.5, 0.5, 1)))
    assert {(int(note.pitch) - key.tonic) % 12 for note in tune} <= set(MODES["dorian"])
    assert all(int(note.start // 4) == int((note.start + note.length - 1e-9) // 4) for note in tune)
    assert max(note.start for note in tune) >= 60


def test_a_melody_repeats_its_phrases_a_a_b_a() -> None:
    tune = melody(np.random.default_rng(5), Key(60, "major"), (0, 5, 3, 4) * 4, ((1, 1, 2), (0.5, 0.5, 1, 2)))

    def phrase(number: int) -> list[Note]:
        start = 16.0 * number
        return [Note(n.start - start, n.length, n.pitch) for n in tune if start <= n.start < start + 16]

    assert phrase(0) == phrase(1) == phrase(3) != phrase(2)
