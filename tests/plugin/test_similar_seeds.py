"""Where `beet similar` starts from: tracks, files, passages, and what to keep away from."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.playlist.builder import PlaylistBuilder
from beetsplug.resonance.playlist.request import PlaylistRequest
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from resonance_engine.errors import AudioError, ConfigError
from tests.plugin.synthetic_library import parse_lines
from tests.plugin.synthetic_tracks import BARE, EVERY, NEW, SAME, SOUNDS, STALE, TWIN, expected_list, rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from beetsplug.resonance.playlist.builder import BuiltPlaylist
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession
    from tests.plugin.synthetic_library import SyntheticLibrary
    from tests.plugin.synthetic_tracks import Array

SEED = 36
FEW = (36, 41, 52)


def similar_list(session: SearchSession, options: dict[str, Any]) -> SearchResult:
    return Finder(session, SearchRequest(**options), "similar").find()


def playlist(session: SearchSession, options: dict[str, Any]) -> BuiltPlaylist:
    return PlaylistBuilder(session, PlaylistRequest(**options)).build()


def test_a_track(library: SyntheticLibrary) -> None:
    found = library.find(f"id:{SEED}", **EVERY)
    cosines = library.near(SEED)[0]
    assert [hit.item_id for hit in found.hits] == rank(cosines, [SEED])
    assert [hit.score for hit in found.hits] == pytest.approx(sorted(np.delete(cosines, SEED - 1))[::-1], abs=1e-5)


@pytest.mark.parametrize("make", [similar_list, playlist])
def test_each_query_is_run_once(
    library: SyntheticLibrary,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[SearchSession, dict[str, Any]], object],
) -> None:
    queries: list[Any] = []
    items = library.lib.items

    def counted(query: Any = None, *rest: Any) -> Any:
        queries.append(query)
        return items(query, *rest)

    monkeypatch.setattr(library.lib, "items", counted)
    with library.search() as search:
        make(search, {"query": ("id:36..36",), "avoid": ("id:41..41",), "count": 30})
    assert queries.count(["id:36..36"]) == 1
    assert queries.count(["id:41..41"]) == 1


def test_the_default_is_mutual_proximity(library: SyntheticLibrary) -> None:
    """Schnitzer et al. 2012, over the whole library, which holds a sound more that belongs to no item."""
    with library.search() as search:
        vectors = search.index.vectors(search.index.ids).astype(np.float64)
    cosines = vectors @ vectors.T
    others = [np.delete(row, place) for place, row in enumerate(cosines)]
    normal = [NormalDist(float(row.mean()), float(row.std())) for row in others]
    chances = [normal[SEED - 1].cdf(c) * normal[x].cdf(c) for x, c in enumerate(cosines[SEED - 1][:SOUNDS])]
    expected = rank(np.array(chances), [SEED])
    assert library.ids(f"id:{SEED}", **{**EVERY, "hubness": None}) == expected
    assert expected != rank(library.near(SEED)[0], [SEED])


def agreement(similarity: Array) -> Array:
    """Half the mean, half the nearest."""
    return np.asarray((similarity.mean(axis=0) + similarity.max(axis=0)) / 2)


def test_several_tracks_agree_or_meet_in_their_centroid(library: SyntheticLibrary) -> None:
    query = " , ".join(f"id:{each}" for each in FEW)
    agreed = rank(agreement(library.near(*FEW)), FEW)
    mean = rank(library.near(*FEW).sum(axis=0), FEW)
    assert library.ids(query, **EVERY, combine="agreement") == library.ids(query, **EVERY) == agreed
    assert library.ids(query, **EVERY, combine="centroid") == mean != agreed


def test_an_artist(library: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    """As a person types it."""
    library.beet("-n", "5", "--hubness", "none", "artist:Artist H")
    seeds = range(36, 41)
    expected = expected_list(rank(agreement(library.near(*seeds)), seeds), 5, seeds, 3, 2)
    assert [line.title for line in parse_lines(capsys.readouterr().out)] == [f"Song {each}" for each in expected]


def test_a_query_that_nothing_matches(library: SyntheticLibrary) -> None:
    assert library.refused("title:nothing") == ("similar: no track matches title:nothing; try `beet ls title:nothing`")


@pytest.mark.parametrize("item_id", [NEW, STALE])
def test_a_track_that_is_not_analysed(library: SyntheticLibrary, item_id: int) -> None:
    assert library.refused(f"id:{item_id}") == (
        f"similar: the track that matches is not analysed yet; run `beet resonance analyze id:{item_id}`"
    )


def test_the_number_of_tracks_is_a_setting_too(library: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    library.beet("id:1", settings=Settings(count=2))
    assert len(capsys.readouterr().out.splitlines()) == 2
    library.beet("id:1", "-n", "3", settings=Settings(count=2))
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_no_seed_at_all(library: SyntheticLibrary) -> None:
    said = "similar: name a track to start from, for example `beet similar title:yesterday`"
    assert library.refused() == library.refused("--from", "genres:jazz") == said


def test_a_file_from_elsewhere(library: SyntheticLibrary, tmp_path: Path) -> None:
    library.set_files({"song.mp3": 44, "other.mp3": 50})
    one, two = str(tmp_path / "song.mp3"), str(tmp_path / "other.mp3")
    assert library.ids(file=(one,), **EVERY) == rank(library.near(44)[0])[:59]
    assert library.ids(file=(one, two), **EVERY) == rank(agreement(library.near(44, 50)))[:59]
    assert library.ids("id:50", file=(one,), **EVERY) == rank(agreement(library.near(44, 50)), [50])
    assert [passage for _, passage in library.heard] == [None] * 4


def test_what_sounds_the_same_as_a_file_is_a_version_of_it(library: SyntheticLibrary) -> None:
    """At cosine 0.98 the sound says it alone, for of a file no length is known."""
    library.set_files({"copy.mp3": 1})
    assert not {1, *SAME} & {*library.ids(file=("copy.mp3",), count=30)}
    first, *others = library.ids(file=("copy.mp3",), versions=True, count=3, hubness="none")
    assert (first, {*others}) == (1, {*SAME})


@pytest.mark.parametrize("number", [17, 5])
def test_a_file_of_the_library_is_its_track(
    library: SyntheticLibrary, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """Of two files with that sound, the first names it."""
    library.set_files({f"{number}.mp3": number})
    library.beet(f"id:{number}")
    expected = capsys.readouterr().out
    said = library.beet("--file", f"/elsewhere/{number}.mp3")
    assert capsys.readouterr().out == expected
    artist = "Artist A" if number == 5 else "Artist D"
    assert said.notes[1:] == [f"/elsewhere/{number}.mp3 is in the library: {artist} - Song {number}"]


def test_a_file_that_cannot_be_heard(library: SyntheticLibrary) -> None:
    library.set_files({})
    assert (
        library.refused("--file", "/elsewhere/nothing.mp3") == "similar: /elsewhere/nothing.mp3: there is no such file"
    )
    with pytest.raises(AudioError):
        library.find("id:1", file=("nothing.mp3",))


def test_files_beside_the_first_are_no_query(library: SyntheticLibrary, tmp_path: Path) -> None:
    """As a shell makes them of `--file *.mp3`."""
    names = [str(tmp_path / name) for name in ("a.mp3", "b.mp3")]
    for name in names:
        Path(name).write_bytes(b"")
    assert library.refused("--file", *names) == (
        f"similar: --file takes one file; repeat it: --file {names[0]} --file {names[1]}"
    )


def test_a_passage_of_a_track(library: SyntheticLibrary) -> None:
    """That passage sounds like 50 does; the track itself stays out, and so do its versions."""
    library.set_files({"1.mp3": 50})
    order = rank(library.near(50)[0], [1])
    assert library.ids("id:1", at="1:20-1:50", **EVERY) == order
    [(path, passage)] = library.heard
    assert (path.name, passage) == ("1.mp3", (80.0, 110.0))
    assert not {1, 2, 7, 8} & {*library.ids("id:1", at="1:20-1:50", count=40)}


def test_a_passage_of_a_file(library: SyntheticLibrary) -> None:
    library.set_files({"song.mp3": 50, "17.mp3": 50})
    assert library.ids(file=("song.mp3",), at="3-9.5", **EVERY) == rank(library.near(50)[0])[:59]
    assert library.ids(file=("17.mp3",), at="3-9.5", **EVERY) == rank(library.near(50)[0], [17])
    assert [passage for _, passage in library.heard] == [(3.0, 9.5)] * 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("id:1 , id:2",), "2 are named"),
        (("--file", "x.mp3", "id:1"), "2 are named"),
        (("--text", "rock"), "none is named"),
    ],
)
def test_a_passage_of_more_or_less_than_one_track(
    library: SyntheticLibrary, arguments: tuple[str, ...], named: str
) -> None:
    words = [word for each in arguments for word in (each.split() if "id:" in each else [each])]
    assert library.refused("--at", "0:10-0:20", *words) == f"similar: --at is a passage of one track, and {named}"


def test_keeping_away(library: SyntheticLibrary) -> None:
    """Half of what a track is closer to the nearest of them than two tracks are on average is taken off."""
    with library.search() as search:
        vectors = search.index.vectors(search.index.ids).astype(np.float64)
    cosines = vectors @ vectors.T
    average = (cosines.sum() - np.trace(cosines)) / (len(cosines) * (len(cosines) - 1))
    closeness = np.maximum(library.near(41, 52).max(axis=0) - average, 0.0)
    expected = rank(library.near(SEED)[0] - closeness / 2, [SEED, 41, 52])
    avoid = ("id:41", ",", "id:52")
    assert library.ids(f"id:{SEED}", avoid=avoid, **EVERY) == expected
    assert expected != rank(library.near(SEED)[0], [SEED, 41, 52])


def test_keeping_away_can_be_said_twice(library: SyntheticLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for avoid in (["--not", "id:41", "--not", "id:52"], ["--not", "id:41 , id:52"]):
        library.beet(f"id:{SEED}", *avoid)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_what_to_keep_away_from_is_no_seed(library: SyntheticLibrary) -> None:
    assert library.ids("artist:h", avoid=("id:37..40",)) == library.ids("id:36", avoid=("id:37..40",))
    assert library.refused("id:36", "--not", "artist:h") == "similar: --not names every track to start from"
    assert library.refused("id:36", "--not", "title:nothing") == (
        "similar --not: no track matches title:nothing; try `beet ls title:nothing`"
    )


def test_two_files_of_one_sound_count_once(library: SyntheticLibrary) -> None:
    """And the one that nothing can print the path of is printed like any other."""
    found = library.find("id:5", **EVERY)
    assert TWIN not in {hit.item_id for hit in found.hits}
    assert [hit.item_id for hit in found.hits] == library.ids(f"id:{TWIN}", **EVERY)
    assert library.ids("id:4", **BARE, among=(f"id:{TWIN}",)) == [TWIN]


def test_seeds_are_found_before_anything_is_ranked(library: SyntheticLibrary) -> None:
    with pytest.raises(ConfigError, match="--at: "):
        library.find("title:nothing", at="soon")
    with pytest.raises(UserError, match="no track matches"):
        library.find("title:nothing", like="nonsense")
