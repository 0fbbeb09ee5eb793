"""Where `beet similar` starts from: tracks, files, passages, and what to keep away from."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from resonance_engine.errors import AudioError, ConfigError
from tests.plugin.synthetic_library import parse_lines
from tests.plugin.synthetic_tracks import BARE, EVERY, NEW, SAME, SOUNDS, STALE, TWIN, expected_list, rank

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.synthetic_library import SyntheticLibrary
    from tests.plugin.synthetic_tracks import Array

SEED = 36
FEW = (36, 41, 52)


def test_a_track(shelf: SyntheticLibrary) -> None:
    found = shelf.find(f"id:{SEED}", **EVERY)
    cosines = shelf.near(SEED)[0]
    assert [hit.item.id for hit in found.hits] == rank(cosines, [SEED])
    assert [hit.score for hit in found.hits] == pytest.approx(sorted(np.delete(cosines, SEED - 1))[::-1], abs=1e-5)


def test_the_default_is_mutual_proximity(shelf: SyntheticLibrary) -> None:
    """Schnitzer et al. 2012, over the whole library, which holds a sound more that belongs to no item."""
    with shelf.search() as search:
        vectors = search.index.vectors(search.index.ids).astype(np.float64)
    cosines = vectors @ vectors.T
    others = [np.delete(row, place) for place, row in enumerate(cosines)]
    normal = [NormalDist(float(row.mean()), float(row.std())) for row in others]
    chances = [normal[SEED - 1].cdf(c) * normal[x].cdf(c) for x, c in enumerate(cosines[SEED - 1][:SOUNDS])]
    expected = rank(np.array(chances), [SEED])
    assert shelf.ids(f"id:{SEED}", **{**EVERY, "hubness": None}) == expected
    assert expected != rank(shelf.near(SEED)[0], [SEED])


def agreement(similarity: Array) -> Array:
    """Half the mean, half the nearest."""
    return np.asarray((similarity.mean(axis=0) + similarity.max(axis=0)) / 2)


def test_several_tracks_agree_or_meet_in_their_centroid(shelf: SyntheticLibrary) -> None:
    query = " , ".join(f"id:{each}" for each in FEW)
    agreed = rank(agreement(shelf.near(*FEW)), FEW)
    mean = rank(shelf.near(*FEW).sum(axis=0), FEW)
    assert shelf.ids(query, **EVERY, combine="agreement") == shelf.ids(query, **EVERY) == agreed
    assert shelf.ids(query, **EVERY, combine="centroid") == mean != agreed


def test_an_artist(shelf: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    """As a person types it."""
    shelf.beet("-n", "5", "--hubness", "none", "artist:Artist H")
    seeds = range(36, 41)
    expected = expected_list(rank(agreement(shelf.near(*seeds)), seeds), 5, seeds, 3, 2)
    assert [line.title for line in parse_lines(capsys.readouterr().out)] == [f"Song {each}" for each in expected]


def test_a_query_that_nothing_matches(shelf: SyntheticLibrary) -> None:
    assert shelf.refused("title:nothing") == ("similar: no track matches title:nothing; try `beet ls title:nothing`")


@pytest.mark.parametrize("item_id", [NEW, STALE])
def test_a_track_that_is_not_analysed(shelf: SyntheticLibrary, item_id: int) -> None:
    assert shelf.refused(f"id:{item_id}") == (
        f"similar: the track that matches is not analysed yet; run `beet resonance analyze id:{item_id}`"
    )


def test_the_number_of_tracks_is_a_setting_too(shelf: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.beet("id:1", settings=Settings(count=2))
    assert len(capsys.readouterr().out.splitlines()) == 2
    shelf.beet("id:1", "-n", "3", settings=Settings(count=2))
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_no_seed_at_all(shelf: SyntheticLibrary) -> None:
    said = "similar: name a track to start from, for example `beet similar title:yesterday`"
    assert shelf.refused() == shelf.refused("--from", "genres:jazz") == said


def test_a_file_from_elsewhere(shelf: SyntheticLibrary, tmp_path: Path) -> None:
    shelf.set_files({"song.mp3": 44, "other.mp3": 50})
    one, two = str(tmp_path / "song.mp3"), str(tmp_path / "other.mp3")
    assert shelf.ids(file=(one,), **EVERY) == rank(shelf.near(44)[0])[:59]
    assert shelf.ids(file=(one, two), **EVERY) == rank(agreement(shelf.near(44, 50)))[:59]
    assert shelf.ids("id:50", file=(one,), **EVERY) == rank(agreement(shelf.near(44, 50)), [50])
    assert [passage for _, passage in shelf.heard] == [None] * 4


def test_what_sounds_the_same_as_a_file_is_a_version_of_it(shelf: SyntheticLibrary) -> None:
    """At cosine 0.98 the sound says it alone, for of a file no length is known."""
    shelf.set_files({"copy.mp3": 1})
    assert not {1, *SAME} & {*shelf.ids(file=("copy.mp3",), count=30)}
    first, *others = shelf.ids(file=("copy.mp3",), versions=True, count=3, hubness="none")
    assert (first, {*others}) == (1, {*SAME})


@pytest.mark.parametrize("number", [17, 5])
def test_a_file_of_the_library_is_its_track(
    shelf: SyntheticLibrary, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """Of two files with that sound, the first names it."""
    shelf.set_files({f"{number}.mp3": number})
    shelf.beet(f"id:{number}")
    expected = capsys.readouterr().out
    said = shelf.beet("--file", f"/elsewhere/{number}.mp3")
    assert capsys.readouterr().out == expected
    artist = "Artist A" if number == 5 else "Artist D"
    assert said.notes[1:] == [f"/elsewhere/{number}.mp3 is in the library: {artist} - Song {number}"]


def test_a_file_that_cannot_be_heard(shelf: SyntheticLibrary) -> None:
    shelf.set_files({})
    assert shelf.refused("--file", "/elsewhere/nothing.mp3") == "/elsewhere/nothing.mp3: there is no such file"
    with pytest.raises(AudioError):
        shelf.find("id:1", file=("nothing.mp3",))


def test_a_passage_of_a_track(shelf: SyntheticLibrary) -> None:
    """That passage sounds like 50 does; the track itself stays out, and so do its versions."""
    shelf.set_files({"1.mp3": 50})
    order = rank(shelf.near(50)[0], [1])
    assert shelf.ids("id:1", at="1:20-1:50", **EVERY) == order
    [(path, passage)] = shelf.heard
    assert (path.name, passage) == ("1.mp3", (80.0, 110.0))
    assert not {1, 2, 7, 8} & {*shelf.ids("id:1", at="1:20-1:50", count=40)}


def test_a_passage_of_a_file(shelf: SyntheticLibrary) -> None:
    shelf.set_files({"song.mp3": 50, "17.mp3": 50})
    assert shelf.ids(file=("song.mp3",), at="3-9.5", **EVERY) == rank(shelf.near(50)[0])[:59]
    assert shelf.ids(file=("17.mp3",), at="3-9.5", **EVERY) == rank(shelf.near(50)[0], [17])
    assert [passage for _, passage in shelf.heard] == [(3.0, 9.5)] * 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("id:1 , id:2",), "2 are named"),
        (("--file", "x.mp3", "id:1"), "2 are named"),
        (("--text", "rock"), "none is named"),
    ],
)
def test_a_passage_of_more_or_less_than_one_track(
    shelf: SyntheticLibrary, arguments: tuple[str, ...], named: str
) -> None:
    words = [word for each in arguments for word in (each.split() if "id:" in each else [each])]
    assert shelf.refused("--at", "0:10-0:20", *words) == f"similar: --at is a passage of one track, and {named}"


def test_keeping_away(shelf: SyntheticLibrary) -> None:
    """Half of what a track is closer to the nearest of them than two tracks are on average is taken off."""
    with shelf.search() as search:
        vectors = search.index.vectors(search.index.ids).astype(np.float64)
    cosines = vectors @ vectors.T
    average = (cosines.sum() - np.trace(cosines)) / (len(cosines) * (len(cosines) - 1))
    closeness = np.maximum(shelf.near(41, 52).max(axis=0) - average, 0.0)
    expected = rank(shelf.near(SEED)[0] - closeness / 2, [SEED, 41, 52])
    avoid = ("id:41", ",", "id:52")
    assert shelf.ids(f"id:{SEED}", avoid=avoid, **EVERY) == expected
    assert expected != rank(shelf.near(SEED)[0], [SEED, 41, 52])


def test_keeping_away_can_be_said_twice(shelf: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for avoid in (["--not", "id:41", "--not", "id:52"], ["--not", "id:41 , id:52"]):
        shelf.beet(f"id:{SEED}", *avoid)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_what_to_keep_away_from_is_no_seed(shelf: SyntheticLibrary) -> None:
    assert shelf.ids("artist:h", avoid=("id:37..40",)) == shelf.ids("id:36", avoid=("id:37..40",))
    assert shelf.refused("id:36", "--not", "artist:h") == "similar: --not names every track to start from"
    assert shelf.refused("id:36", "--not", "title:nothing") == (
        "similar --not: no track matches title:nothing; try `beet ls title:nothing`"
    )


def test_two_files_of_one_sound_count_once(shelf: SyntheticLibrary) -> None:
    """And the one that nothing can print the path of is printed like any other."""
    found = shelf.find("id:5", **EVERY)
    assert TWIN not in {hit.item.id for hit in found.hits}
    assert [hit.item.id for hit in found.hits] == shelf.ids(f"id:{TWIN}", **EVERY)
    assert shelf.ids("id:4", **BARE, among=(f"id:{TWIN}",)) == [TWIN]


def test_seeds_are_found_before_anything_is_ranked(shelf: SyntheticLibrary) -> None:
    with pytest.raises(ConfigError, match="--at: "):
        shelf.find("title:nothing", at="soon")
    with pytest.raises(UserError, match="no track matches"):
        shelf.find("title:nothing", like="nonsense")
