"""What counts as a hit and as a false alarm, the intervals, and that distortions do what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.passages.__main__ import Rate, count_alarms, is_hit
from benchmarks.passages.cases import DISTORTIONS, Case
from benchmarks.passages.tracks import ComparedTrack
from resonance_engine.search.passages import Alignment
from resonance_engine.store import DenseWindows
from tests.audio_files import tune

RATE = 8000
BASIS = np.eye(16, dtype=np.float32)


def dense(*directions: int) -> DenseWindows:
    return DenseWindows(4.0, 18.0, BASIS[list(directions)])


WINDOWS = {"a": dense(0, 1, 2, 3, 0), "b": dense(4, 5, 1, 2, 3, 5), "c": dense(6, 7, 8)}


@pytest.mark.parametrize(("late", "hit"), [(0.0, True), (3.0, True), (9.0, False)])
def test_a_hit_is_right_at_both_ends_in_both_recordings(late: float, hit: bool) -> None:
    case = Case(0, 0, "a", "c", "none", (4.0 + late, 30.0), (8.0, 34.0))
    assert is_hit(case, WINDOWS["b"], WINDOWS, Alignment()) == hit


def test_alarms_are_counted_in_pairs_of_different_soundtracks() -> None:
    tracks = [ComparedTrack("a", "one", 0), ComparedTrack("b", "two", 0), ComparedTrack("c", "two", 0)]
    assert count_alarms(tracks, WINDOWS, Alignment()) == Rate(1, 2)


def test_intervals_are_those_of_clopper_and_pearson() -> None:
    assert Rate(0, 10).interval() == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert Rate(5, 10).interval() == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert Rate(10, 10).interval() == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_distortions_change_length_and_loudness_as_they_are_called() -> None:
    samples = np.asarray(tune(4.0, RATE, channels=1, seed=1), np.float32).reshape(-1)
    rng = np.random.default_rng(0)
    changed = {name: distort(samples, RATE, rng) for name, distort in DISTORTIONS.items()}
    lengths = {name: len(each) / len(samples) for name, each in changed.items()}
    assert lengths.pop("5 % slower") == pytest.approx(1 / 0.95, rel=0.01)
    assert list(lengths.values()) == pytest.approx([1.0] * 6, rel=0.01)
    noise = changed["noise, SNR 10 dB"] - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(10, abs=0.2)
