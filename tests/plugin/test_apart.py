"""Tracks that are never in one playlist: rules of queries, and pairs of recordings that survive a new import."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.commands import apart
from beetsplug.resonance.commands.apart import count_pairs
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.playlist.incompatible import incompatible_pairs
from tests.embeddings import key
from tests.plugin.circle_library import CircleLibrary
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary
from tests.plugin.test_importer import Imports

if TYPE_CHECKING:
    from pathlib import Path


class TestRules(AnalysedLibrary):
    """Of five tracks by two artists: 0, 2 and 4 are by artist 0."""

    def apart(self, *words: str) -> list[str]:
        return self.beet("resonance", "apart", *words)

    def test_a_rule_is_kept_as_it_was_written_and_counted_as_it_is_now(self) -> None:
        assert self.apart("title:song 0", "--and", "artist:'artist 1' song") == [
            "'title:song 0' and 'artist:artist 1' song are kept apart from now on: 1 and 2 tracks now"
        ]
        assert self.apart("artist:artist 1", "song", "--and", "title:'song 0'")[0].endswith(
            "are kept apart already: 2 and 1 track now"
        )
        self.apart("year:1970..", "--and", "genres:lullaby")
        assert self.apart() == [
            "1.  'title:song 0'  never with  'artist:artist 1' song  (1 and 2 tracks)",
            "2.  year:1970..     never with  genres:lullaby          (0 and 0 tracks)",
        ]
        self.song("song 5", artist="artist 1")
        assert self.apart()[0].endswith("(1 and 3 tracks)")

    def test_what_matches_nothing_yet_is_said_and_kept(self) -> None:
        assert self.apart("artist:nobody", "--and", "song")[1] == (
            "no track matches artist:nobody yet; `beet ls artist:nobody` lists what does"
        )
        assert len(self.apart()) == 1

    def test_removing_takes_either_query_or_both_in_any_order(self) -> None:
        for other in ("title:a", "title:b", "title:c"):
            self.apart("song", "--and", other)
        self.apart("title:a", "--and", "title:b")
        assert self.apart("--remove", "title:c", "--and", "song") == ["removed: song never with title:c"]
        assert self.apart("--remove", "title:a") == [
            "removed: song never with title:a",
            "removed: title:a never with title:b",
        ]
        assert self.apart() == ["1.  song  never with  title:b  (5 and 0 tracks)"]
        assert self.apart("--remove", "title:song 4") == [
            "no rule has this query, and none of these tracks is of a pair that is kept apart"
        ]
        assert self.refused("resonance", "apart", "--remove", "title:x") == (
            "resonance: no track matches title:x; try `beet ls title:x`"
        )
        assert self.apart("--remove", "song") == ["removed: song never with title:b"]
        assert self.apart()[0].startswith("no tracks are kept apart")

    def test_removing_by_the_number_that_the_list_shows(self) -> None:
        assert self.refused("resonance", "apart", "--remove", "1") == (
            "resonance: apart has no number 1; no tracks are kept apart"
        )
        for other in ("title:a", "title:b"):
            self.apart("song", "--and", other)
        self.apart("id:1", "--and", "id:2")
        assert self.apart()[2].split("  ")[:2] == ["3.", "artist 0 - Album - song 0"]
        for number in ("0", "4"):
            assert self.refused("resonance", "apart", "--remove", number) == (
                f"resonance: apart has no number {number}; the list has 1 to 3"
            )
        assert self.apart("--remove", "3") == [
            "removed: artist 0 - Album - song 0 never with artist 1 - Album - song 1"
        ]
        assert self.apart("--remove", "1") == ["removed: song never with title:a"]
        assert self.apart() == ["1.  song  never with  title:b  (5 and 0 tracks)"]

    def test_one_query_on_both_sides_leaves_one_track(self) -> None:
        assert self.apart("song", "--and", "song") == [
            "song and song are kept apart from now on: 5 and 5 tracks now; of these, a playlist takes one"
        ]

    def test_a_query_that_makes_no_sense_is_refused(self) -> None:
        with pytest.raises(ParsingError):
            self.run_command("resonance", "apart", "year:soon", "--and", "song")
        assert self.apart()[0].startswith("no tracks are kept apart")

    def test_rules_and_pairs_are_listed_together(self) -> None:
        self.apart("id:1", "--and", "id:2")
        self.apart("song", "--and", "title:a")
        assert self.apart() == [
            "1.  song                       never with  title:a                    (5 and 0 tracks)",
            "2.  artist 0 - Album - song 0  never with  artist 1 - Album - song 1",
        ]
        assert self.apart("--remove", "song") == [
            "removed: song never with title:a",
            "removed: artist 0 - Album - song 0 never with artist 1 - Album - song 1",
        ]

    def test_a_rule_that_beets_understands_no_more(self) -> None:
        with Sidecar(self.lib).store as store:
            store.incompatible_queries.add(("year:soon",), ("song",))
        [line] = self.apart()
        assert line.startswith("1.  year:soon  never with  song  (not understood: ")
        said = self.refused("playlist", "title:song 0")
        assert said.startswith("playlist: the rule of `beet resonance apart` with year:soon is not understood (")
        assert said.endswith("`beet resonance apart --remove year:soon` removes it")
        assert self.apart("--remove", "year:soon") == ["removed: year:soon never with song"]


class TestLists(CircleLibrary):
    """Twelve tracks along the circle, the odd ones quiet; which lists the rules let them into."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(12, genres=lambda number: ["loud", "quiet"][number % 2 : number % 2 + 1])

    def apart(self, one: str, other: str) -> None:
        self.beet("resonance", "apart", one, "--and", other)

    def test_what_is_imported_tomorrow_counts(self) -> None:
        self.apart("genres:loud", "genres:new")
        assert self.playlist_titles("-n", "4", "title::^0$") == ["0", "1", "2", "3"]
        self.add_track("x", 1.0, genres=["new"])
        assert self.playlist_titles("-n", "4", "title::^0$") == ["0", "1", "2", "3"]
        self.beet("resonance", "apart", "--remove", "genres:new")
        assert "x" in self.playlist_titles("-n", "4", "title::^0$")

    def test_no_list_holds_both_sides(self) -> None:
        self.apart("genres:loud", "genres:quiet")
        length = ("-n", "5")
        for options in (length, ("-m", "9"), (*length, "--arc", "tempo:rise"), (*length, "--seed", "3")):
            titles = self.playlist_titles(*options, "title::^[0246]$")
            assert len(titles) > 3
            assert len({int(title) % 2 for title in titles}) == 1, options

    def test_two_queries_with_the_same_matches_leave_one_of_them(self) -> None:
        self.apart("genres:quiet", "genres:quiet")
        assert sum(int(title) % 2 for title in self.playlist_titles("-n", "6", "title::^0$")) == 1

    def test_a_path_takes_neither_ends_nor_tracks_that_are_apart(self) -> None:
        self.apart("genres:loud", "genres:quiet")
        titles = self.playlist_titles("-n", "4", "title::^0$", "--to", "title::^10$")
        assert (titles[0], titles[-1], len(titles)) == ("0", "10", 4)
        assert {int(title) % 2 for title in titles} == {0}
        assert self.refused("playlist", "title::^0$", "--to", "title::^9$") == (
            "playlist: 'title::^0$' is never to be in one list with another track that the path leads through; "
            "`beet resonance apart` shows the rules"
        )
        with pytest.raises(UserError, match=r"title::\^3\$|title::\^0\$"):
            self.run_command("playlist", "title::^0$", "--via", "title::^3$", "--to", "title::^10$")
        # Of several matches, one that may be beside the others.
        titles = self.playlist_titles("-n", "3", "title::^[01]$", "--to", "title::^[9]$")
        assert (titles[0], titles[-1]) == ("1", "9")

    def test_a_path_keeps_pairs_apart(self) -> None:
        with Sidecar(self.lib).store as store:
            store.incompatible_pairs.add([key(1)], [key(12)])  # the tracks 0 and 11
            store.incompatible_pairs.add([key(1)], [key(number) for number in range(3, 10)])
        assert "never to be in one list" in self.refused("playlist", "title::^0$", "--to", "title::^11$")
        titles = self.playlist_titles("-n", "3", "title::^0$", "--to", "title::^10$")
        assert titles in (["0", "1", "10"], ["0", "9", "10"])

    def test_a_refreshed_list_drops_what_a_rule_forbids_by_now(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        self.beet("playlist", "-n", "4", "-o", str(target), "title::^0$")
        self.apart("genres:loud", "genres:quiet")
        lines = self.beet("playlist", "--refresh", str(target))
        assert lines[0].endswith("2 kept, 2 dropped, 2 added")
        assert lines[1].endswith("is never to be together with one in the list")


class TestPairs(AnalysedLibrary):
    """Queries by id are kept as pairs of recordings. Of five tracks by two artists, 0, 2 and 4 are by artist 0."""

    def apart(self, *words: str) -> list[str]:
        return self.beet("resonance", "apart", *words)

    def listed(self) -> set[str]:
        """The numbers of the titles of each pair that is listed."""
        rows = (re.split(r"  +never with  +", line) for line in self.apart())
        return {"".join(part[-1] for part in row) for row in rows}

    def test_every_track_of_the_one_with_every_track_of_the_other(self) -> None:
        assert self.apart("id:1", "--and", "artist:'artist 1'") == ["2 pairs kept apart from now on"]
        assert self.apart() == [
            "1.  artist 0 - Album - song 0  never with  artist 1 - Album - song 1",
            "2.  artist 0 - Album - song 0  never with  artist 1 - Album - song 3",
        ]
        assert self.apart("id:2", "--and", "song") == ["3 pairs kept apart from now on, 1 already"]
        assert self.apart("id:2", "--and", "title:'song 0'") == ["they are kept apart already"]
        assert self.listed() == {"01", "03", "21", "41", "13"}

    def test_removing_lists_the_pairs_that_were(self) -> None:
        self.apart("artist:artist 0", "title:song 2", "--and", "artist:'artist 0' id:5")
        assert self.listed() == {"24"}
        self.apart("artist:artist 0", "--and", "id:2 , id:4")
        assert self.apart("--remove", "title:song 0", "--and", "title:'song 1'") == [
            "removed: artist 0 - Album - song 0 never with artist 1 - Album - song 1"
        ]
        assert self.apart("--remove", "title:song 0", "--and", "title:'song 2'") == [
            "no rule has this query, and none of these tracks is of a pair that is kept apart"
        ]
        assert len(self.apart("--remove", "title:song 3")) == 3
        assert self.listed() == {"24", "21", "41"}

    def test_a_pair_whose_track_left_the_library_is_counted(self) -> None:
        self.apart("id:1", "--and", "id:2")
        self.apart("id:3", "--and", "id:4")
        self.run_command("remove", "-f", "title:song 1")
        assert self.apart() == [
            "1.  artist 0 - Album - song 2  never with  artist 1 - Album - song 3",
            "1 pair more with a track that this library does not have now",
        ]
        self.run_command("remove", "-f", "title:song 2")
        assert self.apart() == ["2 pairs with a track that this library does not have now"]

    def test_two_files_of_one_sound_are_one_recording(self) -> None:
        path = self.lib_path / "copy.flac"
        path.write_bytes(self.lib.items("title:song 0")[0].filepath.read_bytes())
        self.add_item(title="copy", artist="Z", album="Album", path=str(path))
        self.beet("resonance", "analyze")
        assert self.refused("resonance", "apart", "title:copy", "--and", "id:1") == (
            "resonance: both queries match the same recording alone, and a pair takes two"
        )
        self.apart("title:copy", "--and", "id:2")
        assert self.listed() == {"01"}

    def test_tracks_that_are_not_analysed_are_left_out(self, capteesys: pytest.CaptureFixture[str]) -> None:
        self.song("new", artist="artist 1")
        assert self.refused("resonance", "apart", "title:new", "--and", "id:1") == (
            "resonance: the track that matches title:new is not analysed yet; run `beet resonance analyze title:new`"
        )
        self.song("newer", artist="artist 1")
        said = self.refused("resonance", "apart", "title:new", "--and", "id:1")
        assert said.startswith("resonance: none of the 2 tracks that match title:new is analysed yet; run ")
        capteesys.readouterr()
        self.run_command("resonance", "apart", "artist:artist 1", "--and", "id:1")
        printed = capteesys.readouterr()
        assert printed.out == "2 pairs kept apart from now on\n"
        assert "2 of 4 tracks left out, not analysed yet; see `beet resonance status`" in printed.err

    def test_too_many_pairs_are_refused_before_any_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apart, "MOST_PAIRS", 9)
        assert self.refused("resonance", "apart", "song", "--and", "id:1..5") == (
            "resonance: that makes 10 pairs, and 9 are the most at a time; name fewer tracks"
        )
        assert self.apart()[0].startswith("no tracks are kept apart")
        monkeypatch.setattr(apart, "MOST_PAIRS", 10)
        assert self.apart("song", "--and", "id:1..5") == ["10 pairs kept apart from now on"]

    def test_a_query_that_matches_nothing(self) -> None:
        for words in ("title:x --and id:1", "id:1 --and title:x", "--remove title:x"):
            said = self.refused("resonance", "apart", *words.split())
            assert said == "resonance: no track matches title:x; try `beet ls title:x`"

    def test_a_playlist_learns_the_pairs_among_its_candidates(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            ids = store.tracks.vector_ids(sidecar.id, range(1, 6), "fake")
            assert incompatible_pairs(sidecar, ids.values()) == frozenset()
            self.apart("id:5", "--and", "id:1")
            self.apart("id:2", "--and", "id:3")
            expected = {tuple(sorted((ids[5], ids[1]))), tuple(sorted((ids[2], ids[3])))}
            assert incompatible_pairs(sidecar, ids.values()) == expected
            assert incompatible_pairs(sidecar, [ids[1], ids[5], ids[2], 999]) == {tuple(sorted((ids[5], ids[1])))}


@pytest.mark.parametrize(
    ("query", "others", "remove", "said"),
    [
        ("song", [], False, "say with --and what these tracks are to be apart from, for example `beet resonance apart"),
        ("", ["song"], False, "apart takes a query on either side of --and, for example `beet resonance apart "),
        ("song", [" "], False, "apart takes a query on either side of --and"),
        ("", ["song"], True, "apart takes a query on either side of --and"),
        ("", ["a", "b"], False, "apart takes --and once; put a query of several words into quotes"),
        ("", [], True, "apart --remove takes a query, or a number of the list that `beet resonance apart` shows"),
    ],
)
def test_a_sentence_says_what_is_wrong(query: str, others: list[str], remove: bool, said: str) -> None:
    with pytest.raises(UserError) as caught:
        apart.check_arguments(query.split(), others, remove)
    assert str(caught.value).startswith(f"resonance: {said}")


class TestNothingAnalysed(CommandLibrary):
    def test_no_file_is_made(self) -> None:
        self.song("one")
        [line] = self.beet("resonance", "apart")
        assert line.startswith("no tracks are kept apart; do so for example with `beet resonance apart ")
        said = self.refused("resonance", "apart", "one", "--and", "id:1")
        assert said.startswith("resonance: no track is analysed yet; run `beet resonance analyze`")
        sidecar = Sidecar(self.lib)
        assert incompatible_pairs(sidecar, [1, 2]) == frozenset()
        assert not sidecar.exists


class TestImportedAgain(Imports):
    def test_pairs_survive(self) -> None:
        self.songs("one", "two", "three")
        self.run_import()
        before = {item.title: item.id for item in self.lib.items()}
        self.run_command("resonance", "apart", f"id:{before['one']}", "--and", f"id:{before['three']}")
        self.add_item(title="other")  # has the highest id, so that beets gives none again
        self.run_import(import_dir=self.lib_path)
        after = {item.title: item.id for item in self.lib.items("^title:other")}
        assert not {before["one"], before["three"]} & {after["one"], after["three"]}
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            ids = store.tracks.vector_ids(sidecar.id, after.values(), "fake")
            assert incompatible_pairs(sidecar, ids.values()) == {
                tuple(sorted((ids[after["one"]], ids[after["three"]])))
            }


def test_the_number_of_pairs_is_counted_without_making_them() -> None:
    sets = [{bytes([n]) for n in range(6) if mask >> n & 1} for mask in range(0, 64, 3)]
    for one, other in combinations(sets, 2):
        assert count_pairs(one, other) == len({frozenset((a, b)) for a in one for b in other if a != b})
