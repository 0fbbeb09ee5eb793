"""Which items may come up, and what rules are told of them."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import pytest
from beets.dbcore.query import InvalidQueryError
from beets.exceptions import UserError
from beets.library import Library
from beets.test.helper import TestHelper
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.config.settings import Exclusion, Season, parse_exclusions
from beetsplug.resonance.library.items import (
    VARIOUS_ARTISTS,
    Movement,
    excluded_ids,
    matching_ids,
    metadata_of,
    movements_of,
)
from resonance_engine.search.names import TrackMetadata

QUERIES = (
    [],
    ["title:one"],
    ["^title:one"],
    ["year:1990..1999"],
    ["genres:jazz", "year:..1995"],
    ["genres:jazz", ",", "title:one"],
    ["mood:calm"],
    ["mood:calm", "genres:jazz"],
    ["genres:jazz", "^mood:calm"],
    ["mood:calm", ",", "title:one"],
    ["^mood:calm", ",", "mood:calm", "year:1991"],
    ["artpath::cover"],
    ["artpath::cover", "title:one"],
    ["albumstatus:x", ",", "one"],
    ["singleton:true"],
    ["id:1..2"],
    ["title:one", "added-"],
)
NO_RULES: list[Exclusion] = []
SUMMER = date(2025, 7, 1)


class TestCandidates(TestHelper):
    """A library without files."""

    db_on_disk: ClassVar[bool] = True

    def setup_beets(self) -> None:
        super().setup_beets()
        self.add_item(title="One", artist="A", album="X", year=1990, genres=["Jazz"], length=100.0)
        self.add_item(title="Two", artist="B", album="X", year=1991, genres=["Jazz", "Pop"], mood="calm", length=2000.0)
        self.add_item(title="Three", artist="C", album="", year=1999, genres=["Rock"], mood="calm angry", length=0.0)
        self.add_item(title="Mood", artist="D", album="Y", year=2005, genres=["Christmas"], length=300.0)
        album = self.lib.add_album(list(self.lib.items("album:X")))
        album.artpath = b"/cover.jpg"
        album.store()

    def test_ids_are_those_of_the_items_that_beets_finds(self) -> None:
        for query in QUERIES:
            assert matching_ids(self.lib, query) == {item.id for item in self.lib.items(query)}, query

    def test_a_path_is_a_query(self) -> None:
        folder = self.lib_path / "folder"
        folder.mkdir(parents=True)
        inside = self.add_item(title="inside", path=str(folder / "song.mp3"))
        assert matching_ids(self.lib, [str(folder)]) == {inside.id}
        assert matching_ids(self.lib, ["path:folder"]) == {inside.id}

    def test_a_fast_query_builds_no_items(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Library, "items", lambda *_: pytest.fail("items are built"))
        assert matching_ids(self.lib, ["genres:jazz", "title:one"]) == {1}

    def test_an_invalid_query_is_a_sentence(self) -> None:
        with pytest.raises(InvalidQueryError, match="'soon' is not an int or a float"):
            matching_ids(self.lib, ["year:soon"])

    def test_what_is_excluded_may_depend_on_the_day(self) -> None:
        rules = parse_exclusions(["mood:calm year:1991", {"query": "genres:christmas", "except": "12-01..12-31"}])
        assert excluded_ids(self.lib, rules, SUMMER) == {2, 4}
        assert excluded_ids(self.lib, rules, date(2025, 12, 24)) == {2}
        assert excluded_ids(self.lib, NO_RULES, SUMMER) == set()

    @pytest.mark.parametrize("query", ["year:soon", "title::["])
    def test_a_rule_that_beets_does_not_understand_is_named(self, query: str) -> None:
        with pytest.raises(UserError, match=r"resonance\.exclude in the configuration: the query"):
            excluded_ids(self.lib, [Exclusion(query)], SUMMER)

    def test_a_rule_may_have_an_apostrophe(self) -> None:
        self.add_item(title="Don't Stop")
        ids = {item.id for item in self.lib.items() if item.title == "Don't Stop"}
        assert ids
        assert excluded_ids(self.lib, parse_exclusions(["title:don't stop"]), SUMMER) == ids

    def test_tracks_are_described_by_who_they_count_for(self) -> None:
        for number, tags in enumerate(DESCRIBED, 5):
            self.add_item(**{"title": "T", "length": 60.0, "album": "", "albumartist": "", **tags})
            del number
        found = metadata_of(self.lib, {*range(5, 5 + len(DESCRIBED)), 999})
        assert [(each.artist, each.album) for each in found.values()] == list(DESCRIPTIONS)
        assert metadata_of(self.lib, [1]) == {1: TrackMetadata("A", "A / X", "One", "", "", 100.0)}

    def test_music_brainz_ids_go_along(self) -> None:
        item = self.add_item(title="T", artist="A", mb_trackid="recording", mb_workid="work", length=1.5)
        found = metadata_of(self.lib, [item.id])[item.id]
        assert (found.recording, found.work, found.seconds) == ("recording", "work", 1.5)

    def test_movements_belong_to_the_parent_work_or_to_what_their_names_tell(self) -> None:
        tagged: list[dict[str, Any]] = [
            {"parentwork": "Symphony", "mb_parentworkid": "id", "mb_workid": "part", "track": 2},
            {"parentwork": "Symphony", "work": "Symphony: I. Allegro", "disc": 1, "track": 1},
            {"work": "Sonata no. 8: II. Adagio", "mb_workid": "part", "track": 3},
            {"title": "Sonata no. 8: III. Rondo", "mb_workid": "other"},
            {"title": "Song", "mb_workid": "song"},
            {"title": "Song"},
        ]
        ids = [self.add_item(**{"title": "", "track": 0, "disc": 0, **tags}).id for tags in tagged]
        found = movements_of(self.lib, ids)
        assert [found[item_id] for item_id in ids] == [
            Movement("id", 2),
            Movement("Symphony", 10_001),
            Movement("Sonata no. 8", 3),
            Movement("Sonata no. 8", 0),
            Movement("song", 0),
            Movement("", 0),
        ]


DESCRIBED: tuple[dict[str, Any], ...] = (
    {"artist": "Guest", "albumartist": "Host", "album": "R"},
    {"artist": "Guest", "albumartist": "Various Artists", "album": "R"},
    {"artist": "Guest", "albumartist": "Host", "album": "R", "comp": True},
    {"artist": "Guest", "albumartist": "Divers", "album": "R", "mb_albumartistid": VARIOUS_ARTISTS},
    {"artist": "Various Artists", "albumartist": "", "album": "R"},
    {"artist": "Guest"},
    {"artist": ""},
)
DESCRIPTIONS = (
    ("Host", "Host / R"),
    ("Guest", " / R"),
    ("Guest", " / R"),
    ("Guest", " / R"),
    ("", " / R"),
    ("Guest", ""),
    ("", ""),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ()),
        ("genre:skit", (Exclusion("genre:skit"),)),
        (["a", {"query": "b"}], (Exclusion("a"), Exclusion("b"))),
        ([{"query": "a", "except": 12}], (Exclusion("a", Season((12, 1), (12, 31))),)),
        ([{"query": "a", "except": "2"}], (Exclusion("a", Season((2, 1), (2, 29))),)),
        ([{"query": "a", "except": "12-24"}], (Exclusion("a", Season((12, 24), (12, 24))),)),
        ([{"query": "a", "except": "11 .. 01-06"}], (Exclusion("a", Season((11, 1), (1, 6))),)),
    ],
)
def test_rules_are_queries_with_or_without_a_season(value: Any, expected: tuple[Exclusion, ...]) -> None:
    assert parse_exclusions(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "lists beets queries, and 7 is none; write for example genres:audiobook"),
        ([["a"]], "lists beets queries"),
        ("", "an empty one would exclude every track"),
        ("''", "an empty one would exclude every track"),
        ([{"except": "12"}], "has no query"),
        ([{"query": "a", "exept": "12"}], "exept is no part of a rule; did you mean except?"),
        ([{"query": "a", "colour": "red"}], "colour is no part of a rule; a rule has query and except"),
        ([{"query": "a", "except": "13-01"}], "'13-01' is no day of the year; write a season as 12-01..12-31"),
        ([{"query": "a", "except": "02-30"}], "'02-30' is no day of the year"),
        ([{"query": "a", "except": "12-01.."}], "'' is no day of the year"),
        ([{"query": "a", "except": "winter"}], "'winter' is no day of the year"),
        ([{"query": "a", "except": ["12"]}], "is no day of the year"),
    ],
)
def test_a_mistake_in_a_rule_is_named(value: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_exclusions(value)
    assert str(caught.value).startswith("resonance.exclude in the configuration")
    assert message in str(caught.value)


DAYS = st.dates(date(2023, 1, 1), date(2026, 12, 31))


@given(DAYS, DAYS, DAYS)
def test_a_season_holds_the_days_from_its_first_to_its_last(first: date, last: date, day: date) -> None:
    season = Season.parse(f"{first:%m-%d}..{last:%m-%d}")
    ordinals = [date(2000, each.month, each.day).toordinal() for each in (first, last, day)]
    begin, end, at = ordinals
    assert (day in season) == ((at - begin) % 366 <= (end - begin) % 366)
