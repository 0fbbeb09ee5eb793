"""Two models compared on the same tracks: the verdict follows the paired interval, and few queries have none."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.evaluation.comparison import ALL, FEWEST_ALBUMS, FEWEST_QUERIES, compare_scores, compare_tracks
from resonance_engine.evaluation.metrics import query_scores
from resonance_engine.evaluation.tasks import tasks
from tests.embeddings import unit_vectors
from tests.engine.evaluation.labelled_tracks import LabelledTrack

ALBUMS, TRACKS = 12, 5
SONGS = [
    LabelledTrack(artist=f"Artist {album}.{track}", album=f"Album {album}", albumartist="Various Artists")
    for album in range(ALBUMS)
    for track in range(TRACKS)
]


def clustered(noise: float) -> np.ndarray:
    """Albums around centres of their own."""
    centres = np.repeat(unit_vectors(ALBUMS, seed=1), TRACKS, axis=0)
    vectors = centres + noise * unit_vectors(len(SONGS), seed=2)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("one", "other", "verdict"), [(9.0, 0.1, "better"), (0.1, 9.0, "worse"), (0.1, 0.1, "cannot be told")]
)
def test_the_verdict_follows_the_paired_difference(one: float, other: float, verdict: str) -> None:
    rows = {row.task: row for row in compare_tracks(clustered(one), clustered(other), SONGS)}
    assert (rows["album"].verdict, rows[ALL].verdict) == (verdict, verdict)
    assert rows["artist"].verdict == rows["genre"].verdict == "cannot be told"
    scores = [query_scores(clustered(noise), tasks(SONGS)["album"])["map"].mean() for noise in (one, other)]
    assert rows["album"].one.value == pytest.approx(scores[0])
    assert rows["album"].other.value == pytest.approx(scores[1])
    assert rows["album"].difference.value == pytest.approx(scores[1] - scores[0])


@pytest.mark.parametrize(
    ("queries", "albums", "verdict"),
    [
        (FEWEST_QUERIES, FEWEST_ALBUMS, "better"),
        (FEWEST_QUERIES - 1, FEWEST_ALBUMS, "cannot be told"),
        (FEWEST_QUERIES, FEWEST_ALBUMS - 1, "cannot be told"),
        (0, 0, "cannot be told"),
    ],
)
def test_few_queries_tell_nothing(queries: int, albums: int, verdict: str) -> None:
    scores = np.full((2, 40), np.nan)
    scores[0, :queries], scores[1, :queries] = 0.2, 0.6
    groups = [f"album {place % max(albums, 1)}" for place in range(40)]
    row = compare_scores("album", scores, groups)
    assert (row.queries, row.albums, row.verdict) == (queries, albums, verdict)


def test_in_all_tasks_a_track_counts_once() -> None:
    songs = [LabelledTrack(artist=f"Artist {i % 5}", album=f"Album {i // 6}", genre=f"g{i % 2}") for i in range(48)]
    one, other = unit_vectors(48, seed=3), unit_vectors(48, seed=4)
    filtered = [relevance for name, relevance in tasks(songs).items() if "unfiltered" not in name]
    pairs = np.array([[query_scores(vectors, each)["map"] for each in filtered] for vectors in (one, other)])
    row = compare_tracks(one, other, songs)[-1]
    assert row.queries == 48
    assert row.difference.value == pytest.approx(np.nanmean(pairs[1] - pairs[0], axis=0).mean())
