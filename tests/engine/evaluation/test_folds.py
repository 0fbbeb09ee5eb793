"""Folds of whole groups."""

from __future__ import annotations

import numpy as np

from resonance_engine.evaluation.tasks import FOLDS, assign_folds


def test_folds_take_whole_soundtracks_and_are_about_as_large() -> None:
    soundtracks = [name for name, count in zip("abcdefgh", (9, 8, 7, 6, 5, 4, 3, 2), strict=True) for _ in range(count)]
    fold = assign_folds(soundtracks)
    assert {
        len({int(f) for f, name in zip(fold, soundtracks, strict=True) if name == each}) for each in "abcdefgh"
    } == {1}
    sizes = [int((fold == number).sum()) for number in range(FOLDS)]
    assert sum(sizes) == len(soundtracks)
    assert max(sizes) - min(sizes) <= 4, sizes


def test_two_folds_are_halves_and_the_order_of_the_tracks_does_not_matter() -> None:
    groups = ["b", "a", "a", "c", "a", "b"]
    assert assign_folds(groups, 2).tolist() == [1, 0, 0, 1, 0, 1]
    order = np.random.default_rng(0).permutation(len(groups))
    assert assign_folds([groups[i] for i in order], 2).tolist() == assign_folds(groups, 2)[order].tolist()
