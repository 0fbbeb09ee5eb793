"""The product's tags and vocals on annotations: thresholds, the written table, limits, and what a report counts."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.annotation.calibration import NEVER, TagCounts, ThresholdRule
from benchmarks.annotation.manifest import Annotation
from benchmarks.annotation.product import product_report
from benchmarks.annotation.report import evaluate
from benchmarks.annotation.shown import LEAST, ShownClass, choose_shown, format_module, widened_threshold
from benchmarks.annotation.tagger import PatchScores
from benchmarks.annotation.voice import (
    MOST_FALSE,
    SOME_GRID,
    THROUGHOUT_GRID,
    VocalLimits,
    choose_vocal_limits,
)
from resonance_engine.search.text import tag_table
from tests.audioset_tags import SPOKEN, SUNG, TAGS, tag_row

COUNTS = TagCounts(0, 0, 0, 0)


class TestThreshold:
    def test_it_is_half_way_between_the_lowest_right_score_and_the_next(self) -> None:
        scores = np.array([0.9, 0.8, 0.5, 0.2, 0.1, *[0.001] * 60], np.float32)
        truth = np.array([1, 1, 1, 0, 0, *[0] * 60], np.float32)
        assert widened_threshold(scores, truth) == pytest.approx(1 / 3, abs=1e-3)  # odds 1 and 1/4

    def test_one_below_the_least_is_no_threshold(self) -> None:
        scores = np.array([0.009, 0.008, 0.007, *[0.001] * 60], np.float32)
        assert widened_threshold(scores, np.array([1, 1, 1, *[0] * 60], np.float32)) == NEVER

    def test_certainty_needs_no_widening(self) -> None:
        assert widened_threshold(np.ones(40, np.float32), np.ones(40, np.float32)) == 1

    @given(arrays(np.float32, 40, elements=st.floats(0, 1, width=16)), arrays(np.bool_, 40))
    def test_the_rule_holds_from_the_threshold_on(self, scores: np.ndarray, present: np.ndarray) -> None:
        threshold = widened_threshold(scores, present.astype(np.float32))
        if threshold == NEVER:
            return
        given_ones = scores >= threshold
        hits, errors = int((given_ones & present).sum()), int((given_ones & ~present).sum())
        assert threshold >= LEAST
        assert ThresholdRule().allows(hits, errors, int((~present).sum())) or math.isclose(
            float(scores[scores < 1].max()), threshold, rel_tol=0.01
        )


def test_the_table_is_written_as_it_is_committed() -> None:
    """Parsed again it is the same, with the parents that are shown and no others."""
    shown = [
        ShownClass("Cello", 0.25, True, COUNTS),
        ShownClass("Drum", 0.1, True, COUNTS),
        ShownClass("Drum kit", 0.5, False, COUNTS),
        ShownClass("Percussion", 0.03, True, COUNTS),
        ShownClass("Violin, fiddle", 0.2, True, COUNTS),
    ]
    space: dict[str, object] = {"__name__": "written"}
    exec(format_module(shown), space)  # noqa: S102 - the text is ours
    assert space["TAG_TABLE"] == {
        "Cello": (0.25, ()),
        "Drum": (0.1, ("Percussion",)),
        "Drum kit": (0.5, ("Percussion", "Drum")),
        "Percussion": (0.03, ()),
        "Violin, fiddle": (0.2, ()),
    }
    committed = Path(tag_table.__file__).read_text(encoding="utf-8")
    assert committed.startswith(format_module([]).removesuffix("}\n"))


def test_limits_are_the_best_of_the_grid() -> None:
    random = np.random.default_rng(0)
    evidence = random.exponential((0.02, 0.1, 0.1), (40, 3)).astype(np.float32)
    actual = [None, "none", "none", "none", "some", "throughout"] * 6 + ["none"] * 4
    spoken = random.random(40) < 0.1
    evidence[[place for place, name in enumerate(actual) if name == "none"]] *= 0.2

    def accuracy(limits: VocalLimits) -> float:
        right: dict[str, list[bool]] = {"none": [], "some": [], "throughout": []}
        for row, name, is_spoken in zip(evidence, actual, spoken, strict=True):
            high = any(value >= limit for value, limit in zip(row, limits.throughout, strict=True))
            low = any(value >= limit for value, limit in zip(row, limits.some, strict=True))
            band = "none" if is_spoken else ("none", "some", "throughout")[low + high]
            if name is not None:
                right[name].append(band == name)
        false = 1 - sum(right["none"]) / len(right["none"])
        return -1.0 if false > MOST_FALSE else sum(sum(each) / len(each) for each in right.values()) / 3

    everything = [VocalLimits(*pair) for pair in product(product(*SOME_GRID), product(*THROUGHOUT_GRID))]
    accuracies = {limits: accuracy(limits) for limits in everything[::7]}
    best = choose_vocal_limits(evidence, actual, spoken)
    assert accuracy(best[0]) == pytest.approx(max(map(accuracy, best)))
    assert max(accuracies.values()) <= accuracy(best[0]) + 1e-9


def test_a_report_counts_by_halves_and_kinds() -> None:
    """Of harps, songs and speech whose tags are certain, all is right."""
    closed = frozenset(("instrument", "voice", "music", "genre"))
    rows = {
        "harp": (tag_row(Harp=0.9), "none", 0.0, ("harp", "music")),
        "song": (SUNG, "throughout", 0.0, ("singing", "music")),
        "skit": (SPOKEN, "none", 1.0, ("speech",)),
        "piece": (tag_row(), "none", 0.0, ("music",)),
    }
    annotations, scores = [], {}
    for half, number, name in product(("development", "report"), range(12), rows):
        row, vocals, speech, labels = rows[name]
        path = f"{half}/{name}-{number}"
        annotations.append(
            Annotation(path, ("real", "synthetic")[number % 2], half, path, vocals, speech, labels, closed=closed)
        )
        scores[path] = np.array([[row[tag] for tag in TAGS]] * 2, np.float32)
    evaluation = evaluate(annotations, PatchScores(TAGS, scores), "audioset", "mean")
    shown = {each.name: each.report for each in choose_shown(evaluation)}
    assert shown["Harp"] == TagCounts(12, 0, 0, 36)
    assert {"Speech", "Singing"} <= set(shown)
    report = product_report(evaluation)
    assert "all: balanced accuracy" in report
    assert "report: 12 of 12 spoken recordings; 12 sung or rapped; wrong: 0" in report
    assert "| all | 48 | 0.025 |" in report
    assert report.count("precision 1.00") == 6
