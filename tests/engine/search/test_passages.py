"""Local alignment finds the best path of all, and passages with times, whatever the tempo within a few percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from resonance_engine.search.passages import STEPS, Alignment, align, find_passages
from resonance_engine.store import DenseWindows
from tests.embeddings import unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.search.passages import Cell
    from resonance_engine.store.records import Matrix

WIDTH = 64
STEP = 0.125
# Eighths add up without rounding, so that scores can be compared exactly.
WEIGHTS = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(-8, 8)).map(
    lambda eighths: eighths / 8
)


def every_path(weights: Matrix, start: Cell) -> Iterator[tuple[float, list[Cell]]]:
    yield float(weights[start]), [start]
    for down, right in STEPS:
        row, column = start[0] + down, start[1] + right
        if row < weights.shape[0] and column < weights.shape[1]:
            lost = STEP if down != right else 0.0
            for score, path in every_path(weights, (row, column)):
                yield weights[start] - lost + score, [start, *path]


@settings(max_examples=200)
@given(WEIGHTS)
def test_no_path_scores_higher(weights: Matrix) -> None:
    paths = [path for cell in np.ndindex(*weights.shape) for path in every_path(weights, cell)]
    best = max(score for score, _ in paths)
    score, path = align(weights, STEP)
    assert score == max(best, 0.0)
    if best > 0:
        assert (score, path) in paths
    else:
        assert path == []


@settings(max_examples=100)
@given(WEIGHTS)
def test_the_order_of_the_two_recordings_makes_no_difference_to_the_score(weights: Matrix) -> None:
    assert align(weights, STEP)[0] == align(weights.T, STEP)[0]


def blurred(vectors: Matrix) -> Matrix:
    """Windows that share sound with their neighbours, as those of 18 s every 4 s do."""
    weights = [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
    mixed = np.stack([np.convolve(column, weights, mode="same") for column in vectors.T], axis=1)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def dense(vectors: Matrix) -> DenseWindows:
    return DenseWindows(4.0, 18.0, vectors)


def recording(seed: int, count: int = 40) -> Matrix:
    return blurred(unit_vectors(count, WIDTH, seed))


def transplanted(source: Matrix, begin: int, count: int, at: int, seed: int) -> Matrix:
    host = recording(seed)
    return np.concatenate([host[:at], source[begin : begin + count], host[at:]])


@pytest.mark.parametrize(("begin", "at"), [(0, 0), (5, 20), (30, 3)])
def test_transplanted_passage_has_the_right_times(begin: int, at: int) -> None:
    source = recording(1)
    [found, *_] = find_passages(dense(source), dense(transplanted(source, begin, 8, at, 2)))
    assert found.first == pytest.approx((4.0 * begin, 4.0 * (begin + 7) + 18), abs=4)
    assert found.second == pytest.approx((4.0 * at, 4.0 * (at + 7) + 18), abs=4)
    assert found.similarity == pytest.approx(1)
    assert found.path == tuple((begin + n, at + n) for n in range(8))


@pytest.mark.parametrize("margin", [Alignment().margin, 0.9])
@pytest.mark.parametrize(("hop", "length"), [(1.0, 3.0), (2.0, 2.0), (4.0, 18.0)])
def test_a_passage_of_one_window_lies_within_it_whatever_its_length(hop: float, length: float, margin: float) -> None:
    one, other = unit_vectors(20, WIDTH, 1), unit_vectors(20, WIDTH, 2)
    other[12] = one[7]
    windows = DenseWindows(hop, length, one), DenseWindows(hop, length, other)
    [found, *_] = find_passages(*windows, alignment=Alignment(margin=margin))
    assert found.path == ((7, 12),)
    for (begin, end), place in ((found.first, 7), (found.second, 12)):
        middle = place * hop + length / 2
        assert middle - length / 2 - hop <= begin <= middle + 1e-9
        assert middle - 1e-9 <= end <= middle + length / 2 + hop


def test_two_passages_are_told_apart_and_come_by_score() -> None:
    source, host = recording(1), recording(2)
    both = np.concatenate([host[:10], source[3:8], host[10:20], source[20:32], host[20:]])
    found = find_passages(dense(source), dense(both))
    assert [(each.path[0], each.path[-1]) for each in found[:2]] == [((20, 25), (31, 36)), ((3, 10), (7, 14))]
    assert found[0].score > found[1].score
    assert len(find_passages(dense(source), dense(both), most=1)) == 1


def test_a_passage_that_is_played_slower_is_one_path() -> None:
    vectors = unit_vectors(40, WIDTH, 3)
    places = np.linspace(0, 39, 43)  # 8 percent
    slow = np.stack([np.interp(places, np.arange(40), column) for column in blurred(vectors).T], axis=1)
    slow = (slow / np.linalg.norm(slow, axis=1, keepdims=True)).astype(np.float32)
    [found, *_] = find_passages(dense(blurred(vectors)), dense(slow))
    assert (found.path[0], found.path[-1]) == ((0, 0), (39, 42))


def test_unrelated_recordings_and_silence_have_nothing_in_common() -> None:
    assert find_passages(dense(recording(1)), dense(recording(2))) == []
    silence = dense(np.zeros((20, WIDTH), np.float32))
    assert find_passages(silence, silence) == []
    assert find_passages(dense(recording(1)), silence) == []


def test_what_is_similar_everywhere_has_no_passage() -> None:
    one, other = unit_vectors(2, WIDTH)
    near = one + 0.3 * (other - (other @ one) * one)
    drone, second = (np.repeat((each / np.linalg.norm(each))[np.newaxis], 30, axis=0) for each in (one, near))
    assert 0.9 < drone[0] @ second[0] < 0.98
    assert find_passages(dense(drone), dense(second)) == []


def test_a_recording_that_goes_on_alike_is_similar_to_its_copy_as_a_whole() -> None:
    drone = np.repeat(unit_vectors(1, WIDTH), 30, axis=0)
    whole = 4.0 * 29 + 18.0
    [passage, *_] = find_passages(dense(drone), dense(drone))
    assert (passage.first, passage.second, passage.similarity) == ((0.0, whole), (0.0, whole), pytest.approx(1.0))


def test_compare_two_recordings_of_one_window() -> None:
    vectors = unit_vectors(2, WIDTH)
    assert find_passages(dense(vectors[:1]), dense(vectors[1:])) == []
