"""A report of a small world in which everything can be known beforehand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from resonance_engine.evaluation.evaluate import EvaluatedTracks, evaluate_model
from resonance_engine.evaluation.metrics import chance_scores, query_scores
from resonance_engine.evaluation.report import EvaluationReport, format_report
from resonance_engine.evaluation.tasks import tasks
from tests.embeddings import unit_vectors
from tests.engine.evaluation.labelled_tracks import LabelledTrack

MODALITIES = ("timbre", "harmony", "rhythm")
SONGS = [LabelledTrack(artist=f"Artist {i % 5}", album=f"Album {i // 6}", genre="") for i in range(48)]


def world(songs: list[LabelledTrack]) -> EvaluationReport:
    """Two windows a song, and albums far apart."""
    count = len(songs)
    albums = sorted({song.album for song in songs})
    centres = unit_vectors(count, seed=1)[[albums.index(song.album) for song in songs]]
    vectors = centres + 0.1 * unit_vectors(count, seed=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gates = np.tile(np.array([[0.5, 0.3, 0.2]], np.float32), (count, 1))
    heard = EvaluatedTracks(vectors, np.repeat(vectors, 2, axis=0), np.repeat(np.arange(count), 2), gates)
    return evaluate_model(("tiny", "0" * 16), MODALITIES, songs, heard)


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return world(SONGS)


def test_where_albums_lie_apart_they_are_found(report: EvaluationReport) -> None:
    album = next(task for task in report.tasks if task.name == "album")
    assert album.queries == 48
    for name in ("recall@1", "mrr", "map"):
        estimate = album.metrics[name]
        assert (estimate.value, estimate.low, estimate.high) == (1.0, 1.0, 1.0)
        assert 0 < estimate.chance < 0.5
    assert report.segment_recall.value == 1.0
    assert report.segment_recall.chance == pytest.approx(1 / 95)
    assert (report.songs, report.albums, report.windows) == (48, 8, 96)
    assert report.gates["timbre"].mean == pytest.approx(0.5)
    assert report.gates["timbre"].deviation == pytest.approx(0, abs=1e-6)


def test_what_is_drawn_by_lot_is_found_by_chance() -> None:
    many = [
        LabelledTrack(artist=f"Artist {i % 7}", album=f"Album {i // 8}", genre=f"genre {i % 3}") for i in range(600)
    ]
    for task, relevance in tasks(many).items():
        found, expected = query_scores(unit_vectors(600, width=64), relevance), chance_scores(relevance)
        for name, values in found.items():
            assert np.nanmean(values) == pytest.approx(np.nanmean(expected[name]), abs=0.05), (task, name)


def test_queries_are_those_that_have_an_answer(report: EvaluationReport) -> None:
    counted = {task.name: task.queries for task in report.tasks}
    assert counted == {name: int(each.relevant.any(axis=1).sum()) for name, each in tasks(SONGS).items()}
    assert counted["genre"] == 0


def test_gains_are_those_of_the_same_queries(report: EvaluationReport) -> None:
    ways = {(way.task, way.ranking): way for way in report.rankings}
    assert {task for task, _ in ways} == {"album", "artist"}
    for (task, ranking), way in ways.items():
        plain = ways[task, "plain"]
        if ranking == "plain":
            assert way.recall_gain is None
        else:
            assert way.recall_gain is not None
            assert way.recall_gain.value == pytest.approx(way.recall.value - plain.recall.value)


def test_ways_to_rank_are_compared_unfiltered_where_the_filter_leaves_nothing() -> None:
    own = [
        LabelledTrack(artist=f"Artist {i // 4}", album=f"Album {i // 4}", genre=f"genre {i // 8}") for i in range(16)
    ]
    report = world(own)
    assert {way.task for way in report.rankings} == {"album, unfiltered", "artist, unfiltered", "genre"}


def test_it_is_the_same_every_time(report: EvaluationReport) -> None:
    assert world(SONGS).to_json() == report.to_json()


def test_json_holds_every_number_and_null_where_there_is_none(report: EvaluationReport) -> None:
    document = json.loads(report.to_json(), parse_constant=pytest.fail)
    by_name = {task["name"]: task for task in document["tasks"]}
    assert by_name["album"]["metrics"]["map"]["value"] == 1.0
    assert by_name["genre"]["metrics"]["map"] == {"value": None, "low": None, "high": None, "chance": None}
    assert document["model_id"] == "0" * 16


@pytest.mark.parametrize("songs", [SONGS, SONGS[:2], [LabelledTrack()] * 3, [LabelledTrack(identity="a")] * 30])
def test_the_table_fits_a_terminal(songs: list[LabelledTrack]) -> None:
    text = format_report(world(songs))
    assert max(map(len, text.splitlines())) <= 100
    assert "nan" not in text


def test_the_table_says_what_was_asked(report: EvaluationReport) -> None:
    lines = format_report(report).splitlines()
    assert lines[0] == "tiny (0000000000000000) on 48 held-out songs of 8 albums, 96 windows"
    (start,) = (place for place, line in enumerate(lines) if line.startswith("Same album"))
    assert lines[start] == "Same album, the query's artist left out (48 queries, 48 unfiltered)"
    assert lines[start + 1].split() == ["recall@1", "recall@5", "recall@10", "recall@20", "mrr", "map"]
    assert lines[start + 2].split() == ["filtered", *["1.000"] * 6]
    assert lines[start + 4].split()[:2] == ["by", "chance"]
    assert any(line.startswith("Same genre") and "no two held-out songs" in line for line in lines)


def test_metadata_that_says_nothing_leaves_segments_and_hubs() -> None:
    bare = world([LabelledTrack()] * 3)
    assert bare.rankings == []
    assert all(math.isnan(each.metrics["map"].value) for each in bare.tasks)
    assert bare.segment_recall.value == 1.0
