"""Thresholds, agreements and confusions of taggers, against loops over all tracks and thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.annotation.calibration import (
    NEVER,
    TagCounts,
    ThresholdRule,
    average_precision,
    band,
    choose_threshold,
    choose_thresholds,
    confusion,
    count_tags,
    format_confusion,
    patch_share,
    pool,
    wilson_bound,
)
from benchmarks.annotation.voice import Bands, balanced_accuracy, choose_bands, choose_share_threshold, share_error
from resonance_engine.errors import ResonanceError

LAX = ThresholdRule(precision=0.7, floor=0.0, false_positives=1.0)
COLUMN = arrays(
    np.float32, st.shared(st.integers(1, 30), key="n"), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])
)
TRUTH = arrays(np.float32, st.shared(st.integers(1, 30), key="n"), elements=st.sampled_from([0.0, 1.0, math.nan]))


def slow_threshold(scores: list[float], truth: list[float], rule: ThresholdRule) -> float:
    """Try every score as the threshold, from the lowest."""
    absent = sum(value == 0 for value in truth)
    for threshold in sorted(set(scores)):
        given_truth = [value for score, value in zip(scores, truth, strict=True) if score >= threshold]
        hits, errors = given_truth.count(1.0), given_truth.count(0.0)
        if hits == 0 or hits / (hits + errors) < rule.precision or errors > rule.false_positives * absent:
            continue
        if wilson_bound(hits, hits + errors, rule.confidence) >= rule.floor:
            return threshold
    return math.inf


@given(COLUMN, TRUTH, st.sampled_from([LAX, ThresholdRule(), ThresholdRule(0.5, 0.3, 0.8, 0.5)]))
def test_the_threshold_is_the_lowest_that_the_rule_allows(
    scores: np.ndarray, truth: np.ndarray, rule: ThresholdRule
) -> None:
    chosen = choose_threshold(scores, truth, rule)
    expected = slow_threshold(scores.tolist(), truth.tolist(), rule)
    gives = [(scores >= threshold) & np.isfinite(truth) for threshold in (chosen, expected)]
    # Scores of unknown tracks lie between thresholds that give the class to the same tracks.
    assert (gives[0] == gives[1]).all()
    assert (chosen == NEVER) == (expected == NEVER)


def test_the_rule_wants_precision_certainty_and_few_errors_among_the_others() -> None:
    rule = ThresholdRule(precision=0.8, floor=0.6, confidence=0.9, false_positives=0.02)
    assert not rule.allows(0, 0, 100)
    assert rule.allows(3, 0, 100)  # 3 / (3 + 1.28^2) = 0.65
    assert not rule.allows(2, 0, 100)  # 0.55
    assert rule.allows(8, 2, 100)
    assert not rule.allows(7, 2, 100)
    assert not rule.allows(8, 2, 99)
    assert choose_threshold(np.array([], np.float32), np.array([], np.float32), rule) == NEVER


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.6, 0.9, 0.975]))
def test_wilsons_bound_is_where_the_observed_share_is_just_as_far_off_as_the_confidence_says(
    successes: int, more: int, confidence: float
) -> None:
    trials = successes + more
    bound = wilson_bound(successes, trials, confidence)
    z = {0.6: 0.2533471, 0.9: 1.2815516, 0.975: 1.9599640}[confidence]
    assert 0 <= bound <= successes / trials + 1e-12
    distance = successes / trials - bound
    assert distance == pytest.approx(z * math.sqrt(bound * (1 - bound) / trials), abs=1e-6)


def test_a_bound_without_trials_is_zero() -> None:
    assert wilson_bound(0, 0, 0.9) == 0.0


@given(st.integers(0, 2**32 - 1))
def test_agreements_are_those_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given_tags = rng.random((9, 3)) < 0.5
    truth = rng.choice([0.0, 1.0, math.nan], (9, 3)).astype(np.float32)
    for column, counts in enumerate(count_tags(given_tags, truth)):
        pairs = list(zip(given_tags[:, column].tolist(), truth[:, column].tolist(), strict=True))
        assert counts.hits == pairs.count((True, 1.0))
        assert counts.errors == pairs.count((True, 0.0))
        assert counts.misses == pairs.count((False, 1.0))
        assert counts.absent == counts.errors + pairs.count((False, 0.0))


def test_shares_of_an_agreement_and_their_sum() -> None:
    total = TagCounts(3, 1, 2, 20) + TagCounts(1, 0, 0, 10)
    assert (total.precision, total.coverage, total.false_positives) == (4 / 5, 4 / 6, 1 / 30)
    nothing = TagCounts(0, 0, 0, 0)
    assert all(math.isnan(value) for value in (nothing.precision, nothing.coverage, nothing.false_positives))


@given(COLUMN, TRUTH)
def test_average_precision_is_that_of_a_loop(scores: np.ndarray, truth: np.ndarray) -> None:
    pairs = sorted(
        (-score, value) for score, value in zip(scores.tolist(), truth.tolist(), strict=True) if not math.isnan(value)
    )
    precisions, hits = [], 0
    for rank, (_, value) in enumerate(pairs, start=1):
        hits += value == 1
        if value == 1:
            precisions.append(hits / rank)
    computed = average_precision(scores, truth)
    if not precisions or len(precisions) == len(pairs):
        assert math.isnan(computed)
    else:
        assert computed == pytest.approx(sum(precisions) / len(precisions))


def test_thresholds_are_chosen_class_by_class() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3], [0.05, 0.4]], np.float32)
    truth = np.array([[1, 1], [1, 1], [0, 0], [0, 0]], np.float32)
    assert choose_thresholds(scores, truth, LAX).tolist() == [pytest.approx(0.8), NEVER]


def test_patches_are_pooled_by_mean_maximum_and_upper_quarter() -> None:
    patches = np.array(
        [[0.0, 1.0], [0.2, 0.0], [0.4, 0.0], [0.6, 0.0], [0.8, 0.5], [1.0, 0.0], [0, 0], [0, 0]], np.float32
    )
    assert pool(patches, "mean").tolist() == pytest.approx([0.375, 0.1875])
    assert pool(patches, "max").tolist() == [1.0, 1.0]
    assert pool(patches, "top").tolist() == pytest.approx([0.9, 0.75])
    assert pool(patches[:1], "top").tolist() == [0.0, 1.0]
    with pytest.raises(ResonanceError, match="median pools no scores; expected is mean, max or top"):
        pool(patches, "median")


def test_bands_and_their_confusion() -> None:
    assert [band(share, (0.1, 0.8)) for share in (0.0, 0.1, 0.79, 0.8)] == ["none", "some", "some", "throughout"]
    counts = confusion(["none", "none", "some", None], ["none", "some", "some", "none"])
    assert counts == {("none", "none"): 1, ("none", "some"): 1, ("some", "some"): 1}
    assert balanced_accuracy(counts) == 0.75
    assert format_confusion(counts, ["none", "some"]).splitlines() == [
        "| known | none | some |", "|---|---|---|", "| none | 1 | 1 |", "| some | 0 | 1 |",
    ]  # fmt: skip
    assert balanced_accuracy(confusion([], [])) == 0.0


def test_chosen_bands_separate_separable_tracks() -> None:
    rng = np.random.default_rng(3)
    shares = {"none": 0.0, "some": 0.4, "throughout": 1.0}
    actual = [name for name in shares for _ in range(5)]
    scores = [
        np.where(np.arange(20) < 20 * shares[name], rng.uniform(0.4, 0.9, 20), rng.uniform(0, 0.2, 20))
        for name in actual
    ]
    bands = choose_bands(scores, actual)
    assert [bands.predict(patches) for patches in scores] == actual
    assert 0.2 < bands.threshold < 0.4


def test_the_threshold_of_a_share_has_the_lowest_error() -> None:
    rng = np.random.default_rng(4)
    known = [0.0, 0.25, 0.5, 1.0]
    scores = [np.where(np.arange(40) < 40 * share, 0.6, 0.1) + rng.uniform(0, 0.05, 40) for share in known]
    threshold = choose_share_threshold(scores, known)
    assert 0.15 < threshold <= 0.6
    assert share_error(scores, known, threshold) == 0.0
    assert share_error(scores, [None, *known[1:]], 0.0) == pytest.approx((0.75 + 0.5 + 0) / 3)
    assert math.isnan(share_error(scores[:1], [None], 0.5))
    assert patch_share(np.array([0.1, 0.5, 0.5, 0.9], np.float32), 0.5) == 0.75
    assert Bands(0.5, (0.1, 0.9)).predict(np.array([0.1, 0.5], np.float32)) == "some"
