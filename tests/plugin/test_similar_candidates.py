"""What may come up in `beet similar`: what is asked for, what the configuration says, and what if that is little."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beets.dbcore.query import InvalidQueryError

from beetsplug.resonance.config.settings import Settings, parse_exclusions
from resonance_engine.search.constraints import Caps
from tests.plugin.synthetic_tracks import BARE, CHRISTMAS, EVERY, LONG, SAME, TWIN, expected_list, rank, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.synthetic_library import SyntheticLibrary

SEED = 36
OCTAVES = (0.5, 1.0, 2.0)
WHEEL = ("C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "Bb", "F")  # of fifths; Bb stands for A#


def only(library: SyntheticLibrary, may: Callable[[int], bool], seed: int = SEED) -> list[int]:
    """All that may come up, in order of the cosine."""
    return [each for each in rank(library.near(seed)[0], [seed]) if may(each)]


def test_a_query_chooses_before_the_best_are_taken(library: SyntheticLibrary) -> None:
    jazz = only(library, lambda each: tags_of(each)["genres"] == ["Jazz"])
    assert len(jazz) == 13
    assert library.ids(f"id:{SEED}", **BARE, among=("genres:jazz",), count=5) == jazz[:5]
    old = [each for each in jazz if tags_of(each)["year"] < 1990]
    assert library.ids(f"id:{SEED}", **BARE, among=("genres:jazz", "year:..1989")) == old


def test_a_query_that_matches_too_few(library: SyntheticLibrary) -> None:
    said = library.beet("--from", "id:1..4", "--per-artist", "0", "--per-album", "0", f"id:{SEED}")
    assert said.notes[1] == ("3 of 20 tracks found among the matches of --from; turned down: version of another (1)")
    said = library.beet("--from", "id:9..12", f"id:{SEED}")
    assert said.notes[1] == "4 of 20 tracks found among the matches of --from; there are no others"


def test_a_query_that_matches_nothing_else(library: SyntheticLibrary) -> None:
    assert library.refused("--from", "title:none", f"id:{SEED}") == (
        "similar --from: no track matches title:none; try `beet ls title:none`"
    )
    assert library.refused("--from", "", f"id:{SEED}") == (
        "similar --from: a query is missing, for example `--from genres:jazz`"
    )
    # One of the tracks is not analysed yet.
    assert library.refused("--from", f"id:{SEED}", f"id:{SEED}") == (
        "similar: no other track that matches --from is analysed; run `beet resonance analyze`"
    )
    with pytest.raises(InvalidQueryError, match="'soon' is not an int or a float"):
        library.beet("--from", "year:soon", f"id:{SEED}")


def test_of_two_files_with_one_sound_the_one_that_matches_is_listed(library: SyntheticLibrary) -> None:
    assert library.ids("id:4", among=("album:twins",)) == [TWIN]
    assert library.ids("id:4", among=("id:1..10",), per_artist=0, per_album=0) == expected_list(
        only(library, lambda each: each <= 10, 4), 10, [4]
    )


@pytest.mark.parametrize(("asked", "low", "high"), [("120-130", 120, 130), ("124", 124 * 0.97, 124 * 1.03)])
def test_a_tempo_counts_at_half_and_double_too(library: SyntheticLibrary, asked: str, low: float, high: float) -> None:
    def fits(item_id: int) -> bool:
        tempo = library.plan.tempo[item_id - 1]
        return tempo is not None and any(low <= octave * tempo <= high for octave in OCTAVES)

    expected = only(library, fits)
    assert 0 < len(expected) < 50
    assert library.ids(f"id:{SEED}", **EVERY, bpm=asked) == expected


def test_a_tempo_next_to_those_of_the_seeds(library: SyntheticLibrary) -> None:
    def fits(item_id: int) -> bool:
        tempo, seeds = library.plan.tempo[item_id - 1], (library.plan.tempo[35], library.plan.tempo[40])
        return tempo is not None and any(
            0.95 <= octave * tempo / seed <= 1.05 for octave in OCTAVES for seed in seeds if seed is not None
        )

    found = library.ids("id:36 , id:41", **EVERY, bpm="0.95-1.05")
    assert {*found} == {each for each in range(1, 61) if fits(each)} - {36, 41}


def test_a_tempo_that_nothing_has(library: SyntheticLibrary) -> None:
    unknown = library.plan.tempo.count(None) - 1  # the one that is too long
    assert library.refused("--bpm", "10.5-10.6", "--versions", f"id:{SEED}") == (
        f"similar: no track is left to list; turned down: tempo ({59 - unknown - 1}), no tempo known ({unknown}), "
        "too long (1), not in the library (1)"
    )


def test_a_seed_without_a_tempo_or_key(library: SyntheticLibrary) -> None:
    assert library.refused("--bpm", "0.9-1.1", "id:10") == (
        "similar: --bpm: No track to start from has a tempo that was measured; give beats a minute, as 120-130"
    )
    assert library.refused("--key", "compatible", "id:12") == (
        "similar: --key: No track to start from has a key that was measured; leave the key out"
    )
    assert len(library.ids("id:10", bpm="100-140")) == 10


def mixes(one: str, other: str) -> bool:
    """The same key, a fifth up or down, or the relative one: by the wheel that DJs use."""
    places = []
    for key in (one, other):
        tonic, mode = key.split()
        places.append(((WHEEL.index(tonic) - (3 if mode == "minor" else 0)) % 12, mode))
    apart = (places[0][0] - places[1][0]) % 12
    return apart == 0 or (apart in (1, 11) and places[0][1] == places[1][1])


def test_keys_that_mix(library: SyntheticLibrary) -> None:
    keys = library.plan.key
    for seed in (37, 41, 53):
        mixing = {number for number, key in enumerate(keys, 1) if key and mixes(str(keys[seed - 1]), key)}
        expected = only(library, mixing.__contains__, seed)
        assert expected
        assert library.ids(f"id:{seed}", **EVERY, key="compatible") == expected


def test_caps_hold_where_they_are_asked_for(library: SyntheticLibrary) -> None:
    order = rank(library.near(SEED)[0], [SEED])
    bare: dict[str, Any] = {**EVERY, "versions": None}
    for artist, album in ((1, 0), (2, 1), (0, 1), (3, 2)):
        expected = expected_list(order, 59, [SEED], artist, album)
        assert library.ids(f"id:{SEED}", **{**bare, "per_artist": artist, "per_album": album}) == expected


def test_caps_that_leave_too_few(library: SyntheticLibrary) -> None:
    said = library.beet("--per-artist", "1", f"id:{SEED}", "-n", "30")
    assert said.notes[1].startswith("16 of 30 tracks found; turned down: artist already listed often enough (")


def test_caps_of_the_configuration_give_way(library: SyntheticLibrary) -> None:
    order = rank(library.near(SEED)[0], [SEED])
    usual: dict[str, Any] = {"hubness": "none", "max_length": 0.0}
    assert library.ids(f"id:{SEED}", **usual) == expected_list(order, 10, [SEED], 3, 2)
    few: dict[str, Any] = {"among": ("id:16..22",), "count": 5}
    among = [each for each in order if 16 <= each <= 22]
    assert len(expected_list(among, 5, [SEED], 3, 2)) == 4
    assert library.ids(f"id:{SEED}", **usual, **few) == expected_list(among, 5, [SEED], 6, 4)
    # One that was asked for holds while the other gives way.
    assert library.ids(f"id:{SEED}", **usual, **few, per_artist=3) == expected_list(among, 5, [SEED], 3, 0)
    strict = Settings(caps=Caps(1, 1))
    assert library.ids(f"id:{SEED}", strict, **usual) == expected_list(order, 10, [SEED], 1, 1)


def test_on_a_compilation_everybody_plays_for_himself(library: SyntheticLibrary) -> None:
    guests = {*range(56, 61)}
    found = library.ids("id:56", **{**EVERY, "per_artist": 1})
    assert guests - {56} < {*found}
    assert len(guests & {*library.ids("id:51", **{**EVERY, "per_album": 2})}) == 2


def test_long_tracks(library: SyntheticLibrary) -> None:
    near: dict[str, Any] = {"among": (f"id:{LONG - 1}..{LONG + 3}",), "per_artist": 0, "per_album": 0}
    assert LONG not in library.ids(f"id:{SEED}", **near)
    assert LONG in library.ids(f"id:{SEED}", **near, max_length=0.0)
    assert LONG in library.ids(f"id:{SEED}", **near, max_length=25.0)
    assert LONG in library.ids(f"id:{SEED}", Settings(max_length=30), **near)
    assert library.beet("--from", f"id:{LONG}..{LONG + 1}", f"id:{SEED}").notes[1:] == [
        "1 of 20 tracks found among the matches of --from; turned down: too long (1)"
    ]
    assert library.refused("--max-length", "1", f"id:{SEED}") == (
        "similar: no track is left to list; turned down: too long (59), not in the library (1)"
    )


def test_versions(library: SyntheticLibrary) -> None:
    order = rank(library.near(1)[0], [1])
    usual: dict[str, Any] = {"per_artist": 0, "per_album": 0, "max_length": 0.0, "count": 60, "hubness": "none"}
    found = library.find("id:1", **usual)
    names = [hit.item_id for hit in found.hits]
    assert names == expected_list(order, 60, [1])
    assert {2, 7, 8, SAME[0]} < {*order} - {*names}
    assert SAME[1] in names
    assert "version of another (4), sounds the same as another (1)" in found.rejected
    assert library.ids("id:1", **usual, versions=True) == order


def test_what_the_configuration_excludes(library: SyntheticLibrary) -> None:
    rule = parse_exclusions([{"query": "genres:christmas", "except": "12-01..12-31"}, "title:'song 40'"])
    settings = Settings(exclude=rule, max_length=0)
    near: dict[str, Any] = {"among": ("id:31..41",), "hubness": "none", "per_artist": 0, "per_album": 0}
    summer = library.find("id:29", settings, date(2025, 7, 1), **near)
    winter = library.find("id:29", settings, date(2025, 12, 24), **near)
    expected = only(library, lambda each: 31 <= each <= 41 and each != 40, 29)
    assert [hit.item_id for hit in winter.hits] == expected
    assert [hit.item_id for hit in summer.hits] == [each for each in expected if each not in CHRISTMAS]
    assert summer.rejected == "excluded by the configuration (4)"


@pytest.mark.parametrize("query", ["id:37", "id:37..60"])
def test_what_is_excluded_is_left_out_before_the_search_or_after(library: SyntheticLibrary, query: str) -> None:
    """However much of the library it is."""
    settings = Settings(exclude=parse_exclusions(query), max_length=0)
    gone = {37} if query == "id:37" else {*range(37, 61)}
    expected = only(library, lambda each: each not in gone)
    found = library.find(f"id:{SEED}", settings, hubness="none", versions=True, per_artist=0, per_album=0, count=60)
    assert [hit.item_id for hit in found.hits] == expected
    assert f"excluded by the configuration ({len(gone)})" in found.rejected


def test_a_least_score(library: SyntheticLibrary) -> None:
    cosines = library.near(SEED)[0]
    expected = [each for each in rank(cosines, [SEED]) if cosines[each - 1] >= 0.3]
    found = library.find(f"id:{SEED}", **EVERY, min_score=0.3)
    assert [hit.item_id for hit in found.hits] == expected
    assert found.notes == (f"{len(expected)} of 59 tracks found; turned down: {found.rejected}",)
    assert "score too low" in found.rejected
    assert np.sum(cosines >= 0.999) == 1
    assert library.refused("--min-score", "0.999", "--hubness", "none", f"id:{SEED}").startswith(
        "similar: no track is left to list; turned down: score too low ("
    )
