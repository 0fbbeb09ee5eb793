"""Hubs, bootstrap intervals and paired differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resonance_engine.evaluation.statistics import bootstrap_interval, estimate_mean, estimate_skewness, hub_skewness


class TestHubs:
    def test_by_hand(self) -> None:
        # Everybody's nearest is track 0, whose own is track 1: occurrences 3, 1, 0, 0.
        scores = np.array([[9, 3, 2, 1], [8, 9, 2, 1], [8, 2, 9, 1], [8, 2, 1, 9]], float)
        counts = np.array([3, 1, 0, 0])
        expected = np.mean((counts - 1.0) ** 3) / np.std(counts) ** 3
        assert hub_skewness(scores, k=1) == pytest.approx(expected)

    def test_a_ring_has_no_hubs(self) -> None:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        assert abs(hub_skewness(np.cos(angle[:, None] - angle[None, :]), k=2)) < 1e-6

    def test_more_neighbours_than_tracks(self) -> None:
        assert hub_skewness(np.random.default_rng(0).random((5, 5)), k=10) == 0.0


class TestBootstrap:
    def test_it_brackets_the_mean_and_narrows_with_more_groups(self) -> None:
        rng = np.random.default_rng(0)
        values = rng.random(400)
        groups = [str(number) for number in range(400)]
        low, high = bootstrap_interval(values, groups, seed=1)
        assert low < values.mean() < high
        # 1.96 standard errors on either side.
        assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.1)
        few = bootstrap_interval(values, [str(number // 100) for number in range(400)], seed=1)
        assert few[0] <= values.mean() <= few[1]

    def test_a_group_is_drawn_as_a_whole(self) -> None:
        values = np.array([0.0, 0.0, 1.0, 1.0])
        low, high = bootstrap_interval(values, ["a", "a", "b", "b"])
        assert (low, high) == (0.0, 1.0)
        assert bootstrap_interval(values, ["a"] * 4) == (0.5, 0.5)

    def test_queries_without_a_value_take_no_part(self) -> None:
        values = np.array([0.25, np.nan, np.nan])
        assert bootstrap_interval(values, ["a", "b", "c"]) == (0.25, 0.25)

    def test_nothing_has_no_interval(self) -> None:
        low, high = bootstrap_interval(np.array([np.nan]), ["a"])
        assert math.isnan(low)
        assert math.isnan(high)


def test_paired_difference_is_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    groups = [str(number) for number in range(30) for _ in range(10)]
    theirs = np.repeat(rng.random(30), 10)  # soundtracks differ much, the systems little
    ours = theirs + 0.05 + 0.01 * rng.standard_normal(300)
    found = estimate_mean(ours - theirs, groups)
    assert found.value == pytest.approx(0.05, abs=0.005)
    assert 0.04 < found.low < found.high < 0.06
    alone = estimate_mean(theirs, groups)
    assert alone.high - alone.low > 0.1


def test_difference_takes_only_queries_that_both_have() -> None:
    found = estimate_mean(np.array([1.0, np.nan, 0.0]) - np.array([0.5, 0.0, np.nan]), ["A", "B", "C"])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_skewness_interval() -> None:
    rng = np.random.default_rng(0)
    counts, groups = rng.exponential(size=800), [str(number) for number in range(800)]
    found = estimate_skewness(counts, groups)
    assert found.low < found.value < found.high
    assert found.low < 2 < found.high  # an exponential distribution's
    same = estimate_skewness(counts, groups, counts)
    assert (same.value, same.low, same.high) == (0, 0, 0)
