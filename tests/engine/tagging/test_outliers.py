"""Outliers: mis-tagged genres, tracks on the wrong album and recordings that differ come first, others do not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.tagging.outliers import (
    LEAST_GAP,
    album_outliers,
    closest_album,
    label_outliers,
    recording_outliers,
)
from resonance_engine.tagging.tracks import LabelledTracks, build_table
from resonance_engine.tagging.vote import VoteSettings
from tests.embeddings import crowded, unit_vectors, vectors_around

SIZE = 12  # tracks of a style


def make_styles(wrong: dict[int, int], albums: bool) -> LabelledTracks:
    """Three styles of SIZE tracks, each a label and, with `albums`, an album; `wrong` tracks sound like others."""
    styles = np.repeat(np.arange(3), SIZE)
    sounds = styles.copy()
    for place, style in wrong.items():
        sounds[place] = style
    vectors = vectors_around(sounds.tolist())
    names = [f"style {style}" for style in styles]
    artists = [""] * len(names) if albums else [f"artist {number}" for number in range(len(names))]
    return build_table(
        vectors, range(len(names)), artists, names if albums else [""] * len(names), [[n] for n in names]
    )


def test_a_wrong_genre_is_named_with_the_counts_of_its_neighbours() -> None:
    (outlier,) = label_outliers(make_styles({3: 1}, albums=False), VoteSettings())
    assert (outlier.place, outlier.own, outlier.other) == (3, ("style 0",), "style 1")
    assert (outlier.own_carriers, outlier.other_carriers, outlier.neighbours) == (0, 10, 10)
    assert 0.8 < outlier.strength < 1


def test_tags_that_agree_with_the_sound_give_no_outlier() -> None:
    assert label_outliers(make_styles({}, albums=False), VoteSettings()) == []
    assert album_outliers(make_styles({}, albums=True)) == []


def test_where_genres_are_not_audible_the_evidence_is_weak() -> None:
    clear, unclear = make_styles({3: 1}, albums=False), make_styles({3: 1}, albums=False)
    labels = np.random.default_rng(0).permutation(unclear.has_label)
    unclear = LabelledTracks(
        unclear.vectors, unclear.recordings, unclear.artists, unclear.albums, unclear.labels, labels
    )
    strongest = max((each.strength for each in label_outliers(unclear, VoteSettings())), default=0.0)
    assert strongest < 0.5 < label_outliers(clear, VoteSettings())[0].strength


def test_a_genre_of_one_artist_alone_is_no_outlier() -> None:
    tracks = make_styles({3: 1}, albums=False)
    alone = tracks.has_label.copy()
    alone[:SIZE, 0] = False
    alone[3, 0] = True
    only = LabelledTracks(tracks.vectors, tracks.recordings, tracks.artists, tracks.albums, tracks.labels, alone)
    assert [each.place for each in label_outliers(only, VoteSettings())] == []


def test_swapped_files_of_two_albums_are_both_named() -> None:
    outliers = album_outliers(make_styles({3: 1, SIZE + 4: 0}, albums=True))
    assert {each.place for each in outliers} == {3, SIZE + 4}
    assert all(each.other_cosine - each.own_cosine >= LEAST_GAP for each in outliers)
    nearest = {each.place: each.nearest // SIZE for each in outliers}
    assert nearest == {3: 1, SIZE + 4: 0}


@pytest.mark.parametrize("sizes", [[], [3], [12], [4, 4, 4]])
def test_too_few_tracks_for_an_album_s_sound(sizes: list[int]) -> None:
    names = [f"album {number}" for number, size in enumerate(sizes) for _ in range(size)]
    tracks = build_table(unit_vectors(len(names)), range(len(names)), [""] * len(names), names, [[]] * len(names))
    assert album_outliers(tracks) == []
    assert label_outliers(tracks, VoteSettings()) == []


@given(st.lists(st.integers(3, 9), min_size=1, max_size=6), st.floats(-1, 1), st.integers(0, 2**31))
def test_the_closest_album_is_that_with_the_greatest_mean(sizes: list[int], least: float, seed: int) -> None:
    edges = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    scores = np.random.default_rng(seed).uniform(-1, 1, edges[-1]).astype(np.float32)
    blocks = [slice(*pair) for pair in pairwise(edges)]
    means = [float(np.sort(scores[block])[-3:].mean()) for block in blocks]
    greatest = np.array([scores[block].max() for block in blocks])
    best, mean = closest_album(scores, greatest, blocks, least)
    assert best == (int(np.argmax(means)) if max(means) >= least else None)
    assert mean == pytest.approx(max([least, *means]), abs=1e-6)


def test_differences_count_by_the_spread_of_the_library() -> None:
    """What differs in one network differs in another whose tracks are all near each other."""
    styles = make_styles({3: 1, SIZE + 4: 0}, albums=True).vectors
    count = len(styles) + 400
    albums = [f"album {place // SIZE}" if place < len(styles) else "" for place in range(count)]
    vectors = crowded(np.concatenate([styles, unit_vectors(400)]))
    near = build_table(vectors, range(count), [""] * count, albums, [[]] * count)
    assert (vectors @ vectors.T).min() > 0.8
    assert {each.place for each in album_outliers(near)} == {3, SIZE + 4}
    ids = ["one" if place in (5, 6, 2 * SIZE) else "" for place in range(count)]
    (outlier,) = recording_outliers(near, ids, [200.0] * count)
    assert outlier.place == 2 * SIZE


def test_a_recording_s_tracks_are_compared_with_the_most_usual_one() -> None:
    """The wrong one of three is listed, though its number is the lowest, and not the two that it differs from."""
    vectors = vectors_around([0, 1, 1, 2, 2, 2])
    tracks = build_table(vectors, range(6), [""] * 6, [""] * 6, [[]] * 6)
    outliers = recording_outliers(tracks, ["a", "a", "a", "b", "b", "b"], [100.0, 200.0, 201.0, 90.0, 200.0, 200.5])
    assert {each.place: each.other for each in outliers} == {0: 1, 3: 4}


def test_one_recording_of_two_lengths_or_sounds() -> None:
    vectors = np.eye(8, dtype=np.float32)[[0, 0, 1, 0, 2]]
    tracks = build_table(vectors, range(5), [""] * 5, [""] * 5, [[]] * 5)
    outliers = recording_outliers(tracks, ["a", "a", "a", "a", ""], [200.0, 204.0, 200.0, 100.0, 1.0])
    assert [(each.place, each.other) for each in outliers] == [(2, 0), (3, 0)]
    assert [each.strength for each in outliers] == pytest.approx([0.5 / tracks.spread, 0.5])
    assert recording_outliers(tracks, ["", "", "", "", ""], [0.0] * 5) == []
