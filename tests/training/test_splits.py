"""What is held out shares no artist, album or identity with what is trained on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import ConfigError
from resonance_engine.training.data.songs import Song, connected_components
from resonance_engine.training.data.splits import link_keys, split_songs

if TYPE_CHECKING:
    import random

NAMES = ["", "Ann", "ann ", "Bo", "Cy", "Di", "Ed", "Various Artists", "VA"]


def song(number: int, artist: str, album: str, albumartist: str = "", identity: str = "", folder: str = "m") -> Song:
    return Song(Path(f"/music/{folder}/{number:03}.mp3"), f"song {number}", artist, album, albumartist, "", identity)


@st.composite
def libraries(draw: st.DrawFn) -> list[Song]:
    count = draw(st.integers(4, 30))
    albums, identities, folders = ["", "One", "Two", "Three", "Four"], ["", "", "", "x", "y"], ["m", "n", "o"]
    drawn = [
        tuple(draw(st.sampled_from(each)) for each in (NAMES, albums, NAMES, identities, folders)) for _ in range(count)
    ]
    return [song(number, *values) for number, values in enumerate(drawn)]


def told(songs: list[Song], places: list[int]) -> dict[str, set[object]]:
    """What a listener could recognise of these songs, without the code under test."""
    nobody = {"", "various artists", "va"}
    chosen = [songs[place] for place in places]
    return {
        "songs": {each.path for each in chosen},
        "artists": {name.strip().lower() for each in chosen for name in (each.artist, each.albumartist)} - nobody,
        "albums": {(each.albumartist or each.artist, each.album) for each in chosen if each.album},
        "folders' albums": {(each.path.parent, each.album) for each in chosen if each.album},
        "identities": {each.identity for each in chosen} - {""},
    }


@given(libraries(), st.floats(0.05, 0.5), st.integers(0, 3))
def test_nothing_is_on_both_sides(songs: list[Song], share: float, seed: int) -> None:
    sizes = list(map(len, connected_components(link_keys(songs, share))))
    half = len(songs) // 2
    if not any(2 <= size <= half for size in sizes) and sizes.count(1) < 2:
        with pytest.raises(ConfigError, match="Nothing can be held out"):
            split_songs(songs, share, seed)
        return
    training, apart = split_songs(songs, share, seed)
    assert sorted(training + apart) == list(range(len(songs)))
    assert len(apart) >= 2
    assert len(apart) <= len(songs) / 2
    one, other = told(songs, training), told(songs, apart)
    assert {kind: one[kind] & other[kind] for kind in one} == {kind: set() for kind in one}


@given(libraries(), st.floats(0.05, 0.5), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_songs_nor_where_they_lie_matters(
    songs: list[Song], share: float, chance: random.Random
) -> None:
    try:
        _, apart = split_songs(songs, share, 0)
    except ConfigError:
        return
    moved = [Song(Path("/mnt") / each.path.relative_to("/"), *list(vars(each).values())[1:]) for each in songs]
    chance.shuffle(moved)
    _, again = split_songs(moved, share, 0)
    assert {moved[place].title for place in again} == {songs[place].title for place in apart}


def albums(count: int, size: int) -> list[Song]:
    return [
        song(size * album + place, f"artist {album}", f"album {album}")
        for album in range(count)
        for place in range(size)
    ]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.33, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_met_to_half_an_album(share: float, seed: int) -> None:
    songs = albums(40, 10)
    _, apart = split_songs(songs, share, seed)
    assert abs(len(apart) - share * 400) <= 5


def test_seeds_hold_out_different_songs_and_every_song_sometimes() -> None:
    songs = albums(20, 5)
    chosen = [frozenset(split_songs(songs, 0.2, seed)[1]) for seed in range(60)]
    assert len(set(chosen)) > 50
    assert frozenset.union(*chosen) == set(range(100))


def test_new_songs_leave_most_of_the_old_ones_where_they_were() -> None:
    old = albums(50, 4)
    new = [song(1000 + place, f"newcomer {place}", "") for place in range(10)]
    before, after = (set(split_songs(songs, 0.2, 0)[1]) for songs in (old, old + new))
    assert len(before & after) >= 0.8 * len(before)


def test_a_compilation_ties_its_artists_together() -> None:
    artists = [f"artist {number}" for number in range(6)]
    compilation = [song(n, artist, "Hits", "Various Artists") for n, artist in enumerate(artists)]
    others = [song(10 + n, artist, f"album {n}") for n, artist in enumerate(artists)] + albums(20, 2)[40 - 8 :]
    training, apart = split_songs(compilation + others, 0.3, 0)
    assert set(range(12)) <= set(training)
    assert set(apart) <= set(range(12, 20))


def test_songs_without_names_go_by_folder_where_it_is_like_an_album() -> None:
    folders = [[song(10 * n + place, "", "", folder=f"album {n}") for place in range(10)] for n in range(10)]
    songs = [each for folder in folders for each in folder]
    _, apart = split_songs(songs, 0.2, 0)
    assert {place // 10 for place in apart} == {apart[0] // 10, apart[-1] // 10}
    assert len(apart) == 20
    _, single = split_songs([song(n, "", "") for n in range(100)], 0.2, 0)
    assert len(single) == 20


def test_what_is_left_of_one_large_group_is_held_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    songs = [song(n, "Ann", f"album {n}") for n in range(96)] + [song(n, "", "") for n in range(96, 100)]
    with caplog.at_level(logging.WARNING):
        _, apart = split_songs(songs, 0.2, 0)
    assert apart == [96, 97, 98, 99]
    assert "only 4 of 100 songs are held out: 96 hang together by artist and album" in caplog.text


@pytest.mark.parametrize(
    ("songs", "sentence"),
    [
        ([], "Nothing can be held out of 0 songs; training needs at least 4."),
        (albums(3, 1), "Nothing can be held out of 3 songs; training needs at least 4."),
        (albums(1, 9), "Nothing can be held out: 9 of 9 songs hang together by artist and album; add music of other"),
    ],
)
def test_nothing_can_be_held_out(songs: list[Song], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        split_songs(songs, 0.2, 0)
    assert sentence in str(caught.value)
