"""What counts as a hit and as a false alarm, the intervals, and that distortions do what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.passages.__main__ import Rate, count_alarms, is_hit, measure_repeat
from benchmarks.passages.cases import DISTORTIONS, Case, locate_window
from benchmarks.passages.tracks import ComparedTrack
from resonance_engine.features.spec import Decoding
from resonance_engine.search.passages import Alignment, find_passages
from resonance_engine.store import DenseWindows
from tests.audio_files import tune

RATE = 8000
BASIS = np.eye(16, dtype=np.float32)


def dense(*directions: int) -> DenseWindows:
    return DenseWindows(4.0, 18.0, BASIS[list(directions)])


ONE_PASSAGE = Alignment(least=2.4)  # the exact place alone scores so much
WINDOWS = {"a": dense(0, 1, 2, 3, 0), "b": dense(4, 5, 1, 2, 3, 5), "c": dense(6, 7, 8)}


@pytest.mark.parametrize(("late", "hit"), [(0.0, True), (3.0, True), (9.0, False)])
def test_a_hit_is_right_at_both_ends_in_both_recordings(late: float, hit: bool) -> None:
    case = Case(0, 0, "a", "c", "none", (4.0 + late, 30.0), (8.0, 34.0))
    assert is_hit(case, WINDOWS["b"], WINDOWS, Alignment()) == hit


def test_a_hit_at_a_repeat_counts_apart() -> None:
    first, other = dense(0, 1, 2, 3, 4).vectors, np.full((5, 16), 0.25, np.float32)
    near = 0.95 * first + np.sqrt(1 - 0.95**2) * BASIS[[11, 12, 13, 14, 15]]
    far = 0.8 * first + 0.6 * BASIS[[11, 12, 13, 14, 15]]
    made = DenseWindows(4.0, 18.0, np.concatenate([dense(8, 9, 10).vectors, first]))
    for place, lenient in ((near, True), (far, False)):
        windows = {"a": DenseWindows(4.0, 18.0, np.concatenate([first, -other, place]))}
        [only, *_] = find_passages(windows["a"], made)
        case = Case(0, 0, "a", "b", "none", (only.first[0] + 40, only.first[1] + 40), only.second)
        assert not is_hit(case, made, windows, ONE_PASSAGE)
        assert is_hit(case, made, windows, ONE_PASSAGE, with_repeats=True) == lenient


def test_repeats_are_measured_within_the_passage() -> None:
    loop = dense(0, 1, 2, 3, 4, 9, 9, 0, 1, 2, 7, 4)
    assert measure_repeat(loop, (0.0, 34.0), 28.0) == pytest.approx(0.8)
    assert measure_repeat(loop, (0.0, 26.0), 28.0) == pytest.approx(1)
    assert measure_repeat(loop, (28.0, 54.0), -29.0) == pytest.approx(1)
    assert measure_repeat(loop, (0.0, 26.0), 40.0) == 0
    assert measure_repeat(loop, (0.0, 26.0), -4.0) == 0


def test_windows_with_some_of_the_passage_are_none_of_the_host() -> None:
    decoding, inside, places = Decoding(), (30.0, 61.0), {}
    for number in range(20):
        places[number] = locate_window(4.0 * number, decoding, inside, 5 + number, 7)
    assert [number for number, place in places.items() if place is None] == list(range(4, 16))
    assert (places[3], places[16]) == (8, 14)


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
    changed = {
        f"{name} {number}": distort(samples, RATE, rng)
        for name, distortions in DISTORTIONS.items()
        for number, distort in enumerate(distortions)
    }
    lengths = {name: len(each) / len(samples) for name, each in changed.items()}
    assert lengths.pop("5 % slower 0") == pytest.approx(1 / 0.95, rel=0.01)
    assert list(lengths.values()) == pytest.approx([1.0] * 6, rel=0.01)
    noise = changed["noise, SNR 10 dB 0"] - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(10, abs=0.2)
