"""The columns of the quality benchmark: by hand, by brute force, and by what must hold for any numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import report
from benchmarks.quality.embedding_run import CorpusEmbeddings
from benchmarks.quality.scores import (
    ARTIST,
    FILTERED,
    MAP,
    PRECISION,
    QUALITY,
    RECALL,
    CorpusLabels,
    draw_seeds,
    fold_skewness,
    score_combinations,
    score_embeddings,
    score_list,
    score_segments,
    score_similarities,
)
from benchmarks.quality.systems import WHOLE, closeness, compared, cosine, mutual_proximity, z_scored
from resonance_engine.evaluation.statistics import Estimate, hub_skewness, occurrence_counts, skewness

# Two pools of four: soundtracks A, A, B, B and C, C, C, D; one artist made both the first of A and the first of B.
TRACKS = CorpusLabels(
    tuple("abcdefgh"),
    ("A", "A", "B", "B", "C", "C", "C", "D"),
    ("x", "", "x", "y", "z", "z", "", ""),
    np.array([0, 0, 0, 0, 1, 1, 1, 1]),
)


def similar(count: int, seed: int = 0) -> np.ndarray:
    return cosine(np.random.default_rng(seed).standard_normal((count, 3)))


def test_columns_by_hand() -> None:
    first = np.array([[9, 1, 2, 3], [1, 9, 3, 2], [2, 3, 9, 1], [3, 2, 1, 9]], float)
    second = np.array([[9, 3, 1, 2], [3, 9, 2, 1], [1, 2, 9, 3], [2, 1, 3, 9]], float)
    found = score_similarities(TRACKS, [first, second]).queries
    np.testing.assert_array_equal(found[RECALL], [0, 0, 0, 0, 1, 1, 0, np.nan])
    np.testing.assert_array_equal(found[PRECISION], [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, np.nan])
    np.testing.assert_allclose(
        found[MAP], [1 / 3, 1 / 3, 1 / 3, 1 / 3, (1 + 2 / 3) / 2, 1, (1 / 2 + 2 / 3) / 2, np.nan]
    )
    # x made a and c; z made e and f; nobody is named for b, g, h, and y has no other track.
    np.testing.assert_allclose(found[ARTIST], [1 / 2, np.nan, 1 / 2, np.nan, 1, 1, np.nan, np.nan])
    # Without its artist's other track, e finds h before g; f finds g.
    np.testing.assert_array_equal(found[FILTERED], [0, 0, 0, 0, 0, 1, 0, np.nan])


def test_track_that_failed_comes_last_and_has_no_value_itself() -> None:
    first = np.full((4, 4), np.nan)
    first[:3, :3] = [[9, 2, 1], [2, 9, 1], [1, 2, 9]]
    found = score_similarities(TRACKS, [first, similar(4)])
    np.testing.assert_array_equal(found.queries[RECALL][:4], [1, 1, 0, np.nan])
    assert found.queries[MAP][2] == pytest.approx(1 / 3)


def test_hub_skewness_is_that_of_the_engine() -> None:
    similarity = similar(40)
    assert skewness(occurrence_counts(similarity)) == pytest.approx(hub_skewness(similarity))
    tracks = CorpusLabels(tuple(map(str, range(80))), ("A",) * 80, ("",) * 80, np.repeat([0, 1], 40))
    both = score_similarities(tracks, [similarity, similar(40, 1)])
    assert fold_skewness(tracks, both.occurrence) == pytest.approx(
        (hub_skewness(similarity) + hub_skewness(similar(40, 1))) / 2
    )


def test_mutual_proximity_by_brute_force() -> None:
    similarity = similar(12)
    found = mutual_proximity(similarity)
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            chance = 1.0
            for a, b in ((i, j), (j, i)):
                others = np.array([similarity[a, k] for k in range(12) if k != a])
                chance *= 0.5 * (1 + math.erf((similarity[a, b] - others.mean()) / others.std() / math.sqrt(2)))
            assert found[i, j] == pytest.approx(chance)


def test_mutual_proximity_takes_hubs_away() -> None:
    # In 200 dimensions the vectors nearest to the centre are everybody's neighbours.
    distances = closeness(np.random.default_rng(0).standard_normal((300, 200)))
    assert skewness(occurrence_counts(distances)) > 2
    assert skewness(occurrence_counts(mutual_proximity(distances))) < 0.7


def test_mutual_proximity_leaves_failed_tracks_out() -> None:
    similarity = similar(9)
    holed = np.full((10, 10), np.nan)
    holed[:9, :9] = similarity
    found = mutual_proximity(holed)
    np.testing.assert_allclose(found[:9, :9], mutual_proximity(similarity))
    assert np.isnan(found[9]).all()


@given(st.integers(0, 100), st.floats(0.1, 10), st.floats(-5, 5))
def test_z_scores_do_not_know_units(seed: int, scale: float, offset: float) -> None:
    vectors = np.random.default_rng(seed).standard_normal((8, 3))
    np.testing.assert_allclose(z_scored(scale * vectors + offset), z_scored(vectors), atol=1e-9)


def test_distances_by_brute_force() -> None:
    vectors = np.random.default_rng(1).standard_normal((6, 3))
    expected = [[-np.linalg.norm(a - b) for b in vectors] for a in vectors]
    np.testing.assert_allclose(closeness(vectors), expected, atol=1e-6)


def test_best_of_several_per_column() -> None:
    one, two = (score_similarities(TRACKS, [similar(4, seed), similar(4, seed + 1)]) for seed in (0, 2))
    best = report.best_per_column({"one": one, "two": two})
    for column in QUALITY:
        means = [np.nanmean(each.queries[column]) for each in (one, two)]
        assert np.nanmean(best[column].queries[column]) == max(means)


def test_table() -> None:
    rows = {"musly": {RECALL: Estimate(0.5, 0.25, 0.75)}, "bliss": {RECALL: Estimate(0.4), MAP: Estimate(math.nan)}}
    assert report.format_table(rows, [RECALL, MAP]) == (
        "| system | same-soundtrack R@1 | mAP |\n"
        "| --- | --- | --- |\n"
        "| musly | 0.500 [0.250, 0.750] |  |\n"
        "| bliss | 0.400 | - |"
    )
    assert report.format_cell(Estimate(0.1, -0.1, 0.3), signed=True) == "+0.100 [-0.100, +0.300]"


def test_seconds_add_up() -> None:
    text = report.format_seconds({"ours": {"networks": 0.15, "decoding": 0.2}, "random": {}})
    assert text.splitlines()[0] == "| system | whole path | decoding | networks |"
    assert text.splitlines()[2:] == ["| ours | 0.350 | 0.200 | 0.150 |"]


def unit(count: int, width: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embeddings_of(vectors: np.ndarray, windows: np.ndarray | None = None) -> CorpusEmbeddings:
    rows = windows if windows is not None else vectors[:, None]
    pairs = zip(TRACKS.paths, vectors, rows, strict=False)
    return CorpusEmbeddings({path: {"embedding": own, "windows": each} for path, own, each in pairs})


def test_system_is_asked_pool_by_pool() -> None:
    vectors = unit(8, 4)
    embeddings = embeddings_of(vectors)
    found = score_embeddings(TRACKS, embeddings, compared("embedding", cosine))
    expected = score_similarities(TRACKS, [cosine(vectors[:4].astype(float)), cosine(vectors[4:].astype(float))])
    for column in QUALITY:
        np.testing.assert_array_equal(found.queries[column], expected.queries[column])
    del embeddings.arrays["b"]
    assert np.isnan(score_embeddings(TRACKS, embeddings, compared("embedding", cosine)).queries[RECALL][1])


def test_leads_and_rows_have_all_columns() -> None:
    one, two = (score_similarities(TRACKS, [similar(4, seed), similar(4, seed + 1)]) for seed in (0, 2))
    sections = report.compare_systems(TRACKS, {"Resonance": one, "musicnn MSD, tags": two}, "Resonance")
    systems, leads = (text.splitlines() for text, _ in sections.values())
    names = ["Resonance", "musicnn MSD, tags", "musicnn MSD, best pooling per column", "best single network per column"]
    assert [line.split(" | ")[0] for line in systems[2:]] == [f"| {name}" for name in names]
    # The best of one pooling is that pooling.
    assert leads[2].split(" | ")[1:6] == leads[3].split(" | ")[1:6]
    expected = np.nanmean(one.queries[MAP] - two.queries[MAP])
    assert f"{expected:+.3f} [" in leads[2]


def test_seeds_are_drawn_from_soundtracks_that_leave_something_to_find() -> None:
    labels = np.array(["A"] * 6 + ["B"] * 5 + ["C"] * 2)
    for seeds, (first, second) in draw_seeds(labels, (2, 2), 0):
        assert labels[seeds].tolist() == [first] * 2 + [second] * 2
        assert {first, second} == {"A", "B"}
        assert len(set(seeds)) == 4
    assert len(draw_seeds(labels, (2, 2), 0)) == 40
    assert draw_seeds(labels, (4,), 0) == []
    assert draw_seeds(labels, (3, 3), 0) == []


def test_of_two_soundtracks_the_lesser_one_counts() -> None:
    labels = np.array(["A"] * 9 + ["B"] * 4 + ["C"] * 9)
    found = score_list("1 + 1", labels, np.array([0, 9]), [1, 2, 3, 4, 5, 6, 10, 13, 14, 15], ["A", "B"])
    assert found == {"1 + 1: P@10": 0.7, "1 + 1: both": pytest.approx(1 / 3)}
    assert score_list("2", labels, np.array([0, 1]), [2, 3, 13, 14], ["A"]) == {"2: P@10": 0.5}


def test_agreement_finds_both_of_two_soundtracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.quality.scores.DRAWS", 3)
    axes = np.eye(35, dtype=np.float32)
    labels = np.repeat(np.arange(5), 7)
    vectors = axes[labels] + 0.3 * axes
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = CorpusLabels(tuple(map(str, range(35))), tuple(map(str, labels)), ("",) * 35, np.zeros(35, np.intp))
    embeddings = CorpusEmbeddings({str(i): {WHOLE: vector} for i, vector in enumerate(vectors)})
    found = score_combinations(tracks, embeddings)
    assert found["agreement"]["2 + 2: both"][0] == [1.0] * 3
    assert found["agreement"]["3 + 3: P@10"][0] == [pytest.approx(0.8)] * 3  # eight are left
    assert "5: P@10" not in found["agreement"]  # would leave two


def test_segments_of_tracks_with_fewer_windows() -> None:
    axes = np.eye(8, dtype=np.float32)
    windows = np.stack([axes, axes], axis=1)  # both windows of a track sound the same
    windows[3, 1] = np.nan
    values, soundtracks = score_segments(TRACKS, embeddings_of(axes, windows))
    assert soundtracks[:8] == ["A"] * 4 + ["B"] * 3 + ["C"]
    assert np.isnan(values[6])
    assert np.nanmean(values) == 1
