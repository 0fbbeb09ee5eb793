"""A new model is called better only where the held-out songs can tell, and say so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from resonance_engine.evaluation.comparison import FEWEST_ALBUMS, FEWEST_QUERIES
from resonance_engine.training.data.songs import Song
from resonance_engine.training.results.validation import (
    HeldOutScores,
    compare_models,
    decide_verdict,
    embed_windows,
    score_held_out,
)
from tests.tiny_networks import tiny_network
from tests.training.window_sets import make_window_set

if TYPE_CHECKING:
    from resonance_engine.training.data.dataset import WindowSet

ALBUMS, TRACKS = 12, 5


def compilations(albums: int = ALBUMS, tracks: int = TRACKS) -> list[Song]:
    """Albums on which every song is by another artist."""
    return [
        Song(Path(f"/{album}/{track}"), f"{track}", f"artist {album}.{track}", f"album {album}", "Various Artists")
        for album in range(albums)
        for track in range(tracks)
    ]


def scores(album: float, segments: float = 0.9, queries: int = ALBUMS * TRACKS, spread: float = 0.0) -> HeldOutScores:
    rng = np.random.default_rng(0)
    values = np.full(ALBUMS * TRACKS, math.nan)
    values[:queries] = album + spread * rng.standard_normal(queries)
    return HeldOutScores(values, np.full(ALBUMS * TRACKS, math.nan), np.full(100, segments))


@pytest.mark.parametrize(
    ("before", "after", "verdict", "said"),
    [
        (scores(0.5), scores(0.6), "better", "better at the held-out albums (+0.100"),
        (scores(0.5), scores(0.5), "not better", "not surely better"),
        (scores(0.6), scores(0.5), "not better", "It is worse at the held-out albums (-0.100"),
        (scores(0.5), scores(0.51, spread=0.5), "not better", "not surely better"),
        (scores(0.5, 0.9), scores(0.6, 0.885), "better", "better"),
        (scores(0.5, 0.9), scores(0.6, 0.85), "not better", "windows of songs apart worse by 0.050"),
        (scores(0.5, queries=29), scores(0.9, queries=29), "cannot tell", "29 held-out tracks"),
        (scores(0.5, queries=30), scores(0.9, queries=30), "better", "better"),
        (scores(0.5, queries=0), scores(0.9, queries=0), "cannot tell", "0 held-out tracks"),
    ],
)
def test_verdicts(before: HeldOutScores, after: HeldOutScores, verdict: str, said: str) -> None:
    found = compare_models(before, after, compilations())
    assert found.verdict == verdict
    assert said in found.sentence
    assert found.queries == np.count_nonzero(~np.isnan(before.album))


def test_songs_are_compared_one_by_one() -> None:
    """A small gain of every query is sure, however far apart the queries are."""
    before = scores(0.5, spread=0.2)
    found = compare_models(before, HeldOutScores(before.album + 0.01, before.artist, before.segments), compilations())
    assert found.difference == pytest.approx(0.01)
    assert found.interval == pytest.approx((0.01, 0.01))
    assert found.verdict == "better"
    assert found.after["album"] - found.before["album"] == pytest.approx(0.01)


def test_a_loss_that_cannot_be_told_is_no_gain() -> None:
    assert decide_verdict(FEWEST_QUERIES, FEWEST_ALBUMS, 0.1, (0.05, 0.2), math.nan)[0] == "not better"
    assert decide_verdict(FEWEST_QUERIES, FEWEST_ALBUMS, 0.1, (math.nan, math.nan), 0.0)[0] == "not better"


@pytest.mark.parametrize(
    ("albums", "verdict", "said"),
    [
        (1, "cannot tell", "that could tell are of one album, 5 are needed"),
        (4, "cannot tell", "that could tell are of 4 albums, 5 are needed"),
        (5, "better", "better"),
    ],
)
def test_a_few_albums_cannot_tell(albums: int, verdict: str, said: str) -> None:
    tracks = ALBUMS * TRACKS // albums
    songs = compilations(albums, tracks)
    before, after = (scores(album, queries=len(songs)) for album in (0.5, 0.6))
    before, after = (
        HeldOutScores(each.album[: len(songs)], each.artist[: len(songs)], each.segments) for each in (before, after)
    )
    found = compare_models(before, after, songs)
    assert found.verdict == verdict
    assert said in found.sentence


def embeddings(windows: WindowSet) -> list[np.ndarray]:
    """The embeddings of each song's windows by a small network."""
    return np.split(embed_windows(tiny_network(), windows).windows, windows.first[1:-1])


def test_what_is_measured() -> None:
    """Songs of one sound that are on one album are found; an artist's only album gives nothing to look for."""
    windows = embeddings(make_window_set(songs=9))
    found = score_held_out(windows, compilations(3, 3))
    assert found.album.shape == (9,)
    assert ((found.album > 0) & (found.album <= 1)).all()
    assert np.isnan(found.artist).all()
    assert set(np.unique(found.segments)) <= {0.0, 1.0}
    own = [Song(song.path, song.title, "one", f"album {i}") for i, song in enumerate(compilations(3, 3))]
    assert np.isnan(score_held_out(windows, own).album).all()
    assert (score_held_out(windows, own).artist == 1.0).all()
