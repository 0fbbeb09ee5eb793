"""Tempo, key, energy and brightness of sounds that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.features.attributes import (
    BRIGHTEST,
    MAJOR_TONICS,
    MINOR_TONICS,
    Attributes,
    analyse,
    estimate_key,
    estimate_tempo,
)
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import Decoding, FeatureSpec, HarmonySpec, RhythmSpec
from tests.signals import RATE, clicks, hiss, tones

if TYPE_CHECKING:
    from tests.signals import Signal

FULL = FeatureSpec()
SHORT = FeatureSpec(Decoding(seconds=4.0))


def heard(*windows: Signal, spec: FeatureSpec = SHORT) -> Attributes:
    batch = np.stack(windows)
    return analyse(spec, batch, FrontEnd(spec)(batch))


def cadence(tonic: int, third: int) -> Signal:
    """I IV V I in major (third 4), i iv V i in minor (third 3), a second each."""
    home, sub, dominant = (0, third, 7), (5, 5 + third, 12), (7, 11, 14)
    return np.concatenate([tones(tuple(tonic + n for n in chord), 1.0) for chord in (home, sub, dominant, home)])


@pytest.fixture(scope="module")
def music() -> Signal:
    return tones((0, 4, 7)) + hiss(level=0.01)


@pytest.mark.parametrize("bpm", [84, 90, 97.3, 113, 120, 128, 140, 160])
def test_tempo_of_beats_in_music(bpm: float, music: Signal) -> None:
    assert heard(music + clicks(bpm), spec=FULL).tempo == pytest.approx(bpm, rel=0.005)


@pytest.mark.parametrize("bpm", [50, 60, 180, 200])
def test_a_tempo_far_from_the_usual_may_be_heard_an_octave_off(bpm: float) -> None:
    found = heard(clicks(bpm), spec=FULL).tempo
    assert found is not None
    assert min(abs(found / (bpm * octave) - 1) for octave in (0.5, 1, 2)) < 0.005


def test_tempo_is_taken_over_all_windows() -> None:
    assert heard(hiss(), clicks(120), clicks(120), spec=FULL).tempo == pytest.approx(120, rel=0.005)


def test_hiss_has_neither_tempo_nor_key() -> None:
    attributes = heard(hiss(), spec=FULL)
    assert attributes.tempo is None
    assert attributes.key is None
    # White noise has as much above half of the band that counts as below.
    assert attributes.brightness == pytest.approx(BRIGHTEST / 2, rel=0.02)
    assert attributes.energy == pytest.approx(-20, abs=0.05)


@pytest.mark.parametrize("place", range(12))
@pytest.mark.parametrize(("mode", "third", "tonics"), [("major", 4, MAJOR_TONICS), ("minor", 3, MINOR_TONICS)])
def test_key_of_a_cadence(place: int, mode: str, third: int, tonics: tuple[str, ...]) -> None:
    assert heard(cadence(place, third)).key == f"{tonics[place]} {mode}"


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.integers(0, 11))
@settings(max_examples=50)
def test_transposing_a_chroma_transposes_its_key(notes: list[float], semitones: int) -> None:
    # Ties between keys, as of all-equal notes, could fall either way.
    chroma = np.array(notes, np.float32) + np.linspace(0, 1, 12, dtype=np.float32) ** 2
    spec = HarmonySpec(bins=12)
    one, other = estimate_key(chroma, spec), estimate_key(np.roll(chroma, semitones), spec)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        (tonic, mode), (moved, same) = one.split(), other.split()
        tonics = MAJOR_TONICS if mode == "major" else MINOR_TONICS
        assert mode == same
        assert tonics.index(moved) == (tonics.index(tonic) + semitones) % 12


@pytest.mark.parametrize("bins", [12, 24, 36])
def test_key_of_chromas_of_any_resolution(bins: int) -> None:
    chroma = np.zeros(bins, np.float32)
    chroma[np.array([9, 0, 4]) * bins // 12] = 2, 1, 1.5
    assert estimate_key(chroma, HarmonySpec(bins=bins)) == "A minor"


def test_a_little_out_of_tune_is_the_same_key() -> None:
    spec = HarmonySpec()
    chroma = np.zeros(24, np.float32)
    chroma[[14, 22, 4, 15, 23, 5]] = 2, 1, 1.5, 1, 0.5, 0.7
    assert estimate_key(chroma, spec) == "G major"


@pytest.mark.parametrize("hz", [110, 440, 3000, 9000])
def test_brightness_of_a_sine_is_its_frequency(hz: float) -> None:
    time = np.arange(4 * RATE) / RATE
    sine = np.sin(2 * np.pi * hz * time).astype(np.float32)
    assert heard(sine).brightness == pytest.approx(hz, rel=0.05)
    assert heard(sine).energy == pytest.approx(-3.01, abs=0.01)


def test_harmonics_are_brighter_and_loudness_is_not() -> None:
    dull, bright = heard(tones((0,), 4.0, harmonics=1)), heard(tones((0,), 4.0, harmonics=8))
    quiet = heard(tones((0,), 4.0, harmonics=8) / np.float32(8))
    assert dull.brightness is not None
    assert bright.brightness is not None
    assert bright.brightness > 1.3 * dull.brightness
    assert quiet.brightness == pytest.approx(bright.brightness, rel=0.02)
    assert quiet.energy == pytest.approx(bright.energy - 18.06, abs=0.01)


def test_a_full_scale_square_wave_is_0_dbfs() -> None:
    square = np.sign(np.sin(2 * np.pi * 100 * (np.arange(4 * RATE) + 0.5) / RATE)).astype(np.float32)
    assert heard(square).energy == pytest.approx(0)


def test_silence_has_energy_alone() -> None:
    silence = heard(np.zeros(4 * RATE, np.float32))
    assert silence == Attributes(tempo=None, key=None, energy=-100.0, brightness=None)


def test_a_silent_window_does_not_darken_the_others() -> None:
    music = tones((0, 4, 7), 4.0)
    alone, padded = heard(music), heard(music, np.zeros_like(music))
    assert padded.brightness == pytest.approx(alone.brightness)
    assert padded.key == alone.key
    assert padded.energy == pytest.approx(alone.energy - 3.01, abs=0.01)


def test_attributes_survive_json() -> None:
    attributes = heard(clicks(120, 4.0) + tones((0, 4, 7), 4.0))
    assert Attributes(**json.loads(json.dumps(attributes.to_dict()))) == attributes


def test_a_flat_envelope_has_no_tempo() -> None:
    assert estimate_tempo(np.zeros(320, np.float32), RhythmSpec()) is None


def test_what_cannot_be_analysed_is_refused() -> None:
    window = np.zeros((1, 4 * RATE), np.float32)
    with pytest.raises(ValueError, match="timbre, harmony and rhythm"):
        analyse(replace(SHORT, harmony=None), window, FrontEnd(SHORT)(window))
    with pytest.raises(ValueError, match="at least one window"):
        analyse(SHORT, window[:0], FrontEnd(SHORT)(window[:0]))
