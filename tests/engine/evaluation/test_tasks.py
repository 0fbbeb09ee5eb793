"""Which tracks answer which question, and which may not take part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.evaluation.metrics import segment_chance, segment_recall
from resonance_engine.evaluation.tasks import album_groups, tasks
from tests.engine.evaluation.labelled_tracks import LabelledTrack

if TYPE_CHECKING:
    import pytest

TRACKS = st.lists(
    st.builds(
        LabelledTrack, *(st.sampled_from(["", *names]) for names in (("X", "x", "Y"), ("A", "B"), ("rock", "jazz")))
    ),
    min_size=1,
    max_size=10,
)
NAMES = ("album", "artist", "genre")


@given(TRACKS)
def test_against_the_definitions(songs: list[LabelledTrack]) -> None:
    found = tasks(songs)
    for i, query in enumerate(songs):
        for j, other in enumerate(songs):
            album = query.album == other.album != ""
            artist = query.artist.lower() == other.artist.lower() != ""
            genre = query.genre == other.genre != ""
            allowed = {"album": not artist, "artist": not album, "genre": not artist and not album}
            for name, same in zip(NAMES, (album, artist, genre), strict=True):
                filtered, unfiltered = found[name], found[f"{name}, unfiltered"]
                assert unfiltered.allowed[i, j] == (i != j)
                assert unfiltered.relevant[i, j] == (i != j and same)
                assert filtered.allowed[i, j] == (i != j and allowed[name])
                assert filtered.relevant[i, j] == (i != j and allowed[name] and same)


def test_tracks_without_an_artist_stay_in() -> None:
    songs = [
        LabelledTrack("x", "a"),
        LabelledTrack("", "a"),
        LabelledTrack("Various Artists", "a"),
        LabelledTrack("various artists", "a"),
    ]
    album = tasks(songs)["album"]
    assert album.relevant.sum() == 12


def test_albums_of_one_name_are_told_apart_by_album_artist_or_by_folder() -> None:
    hits = "Greatest Hits"
    songs = [
        LabelledTrack("one", hits, albumartist="One", folder="cd 1"),
        LabelledTrack("two", hits, albumartist="Two", folder="cd 1"),
        LabelledTrack("guest", hits, albumartist="ONE", folder="cd 2"),
        LabelledTrack("one", hits, folder="p"),
        LabelledTrack("two", hits, folder="p"),
        LabelledTrack("two", hits, folder="q"),
    ]
    relevant = tasks(songs)["album, unfiltered"].relevant
    assert np.argwhere(np.triu(relevant)).tolist() == [[0, 2], [3, 4]]


def test_pairs_are_a_task_where_there_are_any() -> None:
    assert "pair" not in tasks([LabelledTrack(), LabelledTrack()])
    relevant = tasks([LabelledTrack(identity="p"), LabelledTrack(identity="p"), LabelledTrack()])["pair"].relevant
    assert np.argwhere(relevant).tolist() == [[0, 1], [1, 0]]


def test_intervals_draw_albums_and_tracks_without_one() -> None:
    first, second, third, fourth = album_groups(
        [LabelledTrack("x", "A"), LabelledTrack("y", "a"), LabelledTrack("x"), LabelledTrack("x")]
    )
    assert first == second
    assert len({first, third, fourth}) == 3


class TestSegments:
    def test_against_loops(self) -> None:
        rng = np.random.default_rng(0)
        song = np.repeat([0, 1, 2, 3], [3, 1, 4, 2])
        windows = rng.standard_normal((10, 3)).astype(np.float32)
        windows /= np.linalg.norm(windows, axis=1, keepdims=True)
        found = segment_recall(windows, song)
        for i in range(10):
            others = [j for j in range(10) if j != i]
            best = max(others, key=lambda j: float(windows[i] @ windows[j]))
            if i == 3:
                assert np.isnan(found[i])
            else:
                assert found[i] == (song[best] == song[i])
        assert 0 < np.nanmean(found) < 1

    def test_many_windows_are_ranked_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(1)
        windows = rng.standard_normal((50, 4)).astype(np.float32)
        song = np.arange(50) // 4
        whole = segment_recall(windows, song)
        monkeypatch.setattr("resonance_engine.evaluation.metrics.QUERIES_AT_A_TIME", 7)
        np.testing.assert_array_equal(segment_recall(windows, song), whole)

    def test_chance_is_the_share_of_its_own_among_all_others(self) -> None:
        found = segment_chance(np.array([0, 0, 0, 1, 2, 2]))
        np.testing.assert_array_equal(found, [2 / 5, 2 / 5, 2 / 5, np.nan, 1 / 5, 1 / 5])

    def test_an_only_window_has_no_value(self) -> None:
        assert np.isnan(segment_recall(np.ones((1, 2), np.float32), np.array([0]))).all()
        assert np.isnan(segment_chance(np.array([0]))).all()
