"""Tracks that never stand in one playlist: said, listed, taken back, and kept through a new import."""

from __future__ import annotations

from itertools import combinations

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.commands import apart
from beetsplug.resonance.commands.apart import count_pairs
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.playlist.candidates import incompatible_pairs
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary
from tests.plugin.test_importer import Imports


class TestApart(AnalysedLibrary):
    """Of five tracks by two artists: 0, 2 and 4 are by artist 0."""

    def apart(self, *words: str) -> list[str]:
        return self.beet("resonance", "apart", *words)

    def listed(self) -> set[str]:
        """The numbers of the titles of each pair that is listed."""
        return {"".join(part[-1] for part in line.split("  never with  ")) for line in self.apart()}

    def test_every_track_of_the_one_with_every_track_of_the_other(self) -> None:
        assert self.apart("title:song 0", "--and", "artist:'artist 1'") == ["2 pairs kept apart from now on"]
        assert self.apart() == [
            "artist 0 - Album - song 0  never with  artist 1 - Album - song 1",
            "artist 0 - Album - song 0  never with  artist 1 - Album - song 3",
        ]
        assert self.apart("title:song 1", "--and", "song") == ["3 pairs kept apart from now on, 1 already"]
        assert self.apart("title:song 1", "--and", "title:'song 0'") == ["they are kept apart already"]
        assert self.listed() == {"01", "03", "21", "41", "13"}

    def test_removing_says_how_many_pairs_that_were(self) -> None:
        self.apart("artist:artist 0", "title:song 2", "--and", "artist:'artist 0' title:'song 4'")
        assert self.listed() == {"24"}
        self.apart("artist:artist 0", "--and", "artist:'artist 1'")
        assert self.apart("--remove", "title:song 0", "--and", "title:'song 1'") == ["1 pair may be together again"]
        assert self.apart("--remove", "title:song 0", "--and", "title:'song 2'") == [
            "none of these tracks was kept apart"
        ]
        assert self.apart("--remove", "title:song 3") == ["3 pairs may be together again"]
        assert self.listed() == {"24", "21", "41"}

    def test_a_pair_whose_track_left_the_library_is_counted(self) -> None:
        self.apart("title:song 0", "--and", "title:'song 1'")
        self.apart("title:song 2", "--and", "title:'song 3'")
        self.run_command("remove", "-f", "title:song 1")
        assert self.apart() == [
            "artist 0 - Album - song 2  never with  artist 1 - Album - song 3",
            "1 pair more with a track that this library does not have now",
        ]
        self.run_command("remove", "-f", "title:song 2")
        assert self.apart() == ["2 pairs with a track that this library does not have now"]

    def test_two_files_of_one_sound_are_one_recording(self) -> None:
        path = self.lib_path / "copy.flac"
        path.write_bytes(self.lib.items("title:song 0")[0].filepath.read_bytes())
        self.add_item(title="copy", artist="Z", album="Album", path=str(path))
        self.beet("resonance", "analyze")
        assert self.refused("resonance", "apart", "title:copy", "--and", "title:'song 0'") == (
            "resonance: both queries match the same recording alone, and a pair takes two"
        )
        self.apart("title:copy", "--and", "title:'song 1'")
        assert self.listed() == {"01"}

    def test_tracks_that_are_not_analysed_are_left_out(self, capteesys: pytest.CaptureFixture[str]) -> None:
        self.song("new", artist="artist 1")
        assert self.refused("resonance", "apart", "title:new", "--and", "song") == (
            "resonance: the track that matches title:new is not analysed yet; run `beet resonance analyze title:new`"
        )
        self.song("newer", artist="artist 1")
        said = self.refused("resonance", "apart", "title:new", "--and", "song")
        assert said.startswith("resonance: none of the 2 tracks that match title:new is analysed yet; run ")
        capteesys.readouterr()
        self.run_command("resonance", "apart", "artist:artist 1", "--and", "title:'song 0'")
        printed = capteesys.readouterr()
        assert printed.out == "2 pairs kept apart from now on\n"
        assert "2 of 4 tracks left out, not analysed yet; see `beet resonance status`" in printed.err

    def test_too_many_pairs_are_refused_before_any_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apart, "MOST_PAIRS", 9)
        assert self.refused("resonance", "apart", "song", "--and", "song") == (
            "resonance: that makes 10 pairs, and 9 are the most at a time; name fewer tracks"
        )
        assert self.apart()[0].startswith("no tracks are kept apart")
        monkeypatch.setattr(apart, "MOST_PAIRS", 10)
        assert self.apart("song", "--and", "song") == ["10 pairs kept apart from now on"]

    def test_a_query_that_matches_nothing(self) -> None:
        for words in ("title:x --and song", "song --and title:x", "--remove title:x"):
            said = self.refused("resonance", "apart", *words.split())
            assert said == "resonance: no track matches title:x; try `beet ls title:x`"

    def test_a_playlist_learns_the_pairs_among_its_candidates(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            ids = store.tracks.vector_ids(sidecar.id, range(1, 6), "fake")
            assert incompatible_pairs(sidecar, ids.values()) == frozenset()
            self.apart("title:song 4", "--and", "title:'song 0'")
            self.apart("title:song 1", "--and", "title:'song 2'")
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
        ("", [], True, "apart --remove takes a query; `beet resonance apart` shows the pairs that there are"),
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
        said = self.refused("resonance", "apart", "one", "--and", "one")
        assert said.startswith("no track is analysed yet; run `beet resonance analyze`")
        sidecar = Sidecar(self.lib)
        assert incompatible_pairs(sidecar, [1, 2]) == frozenset()
        assert not sidecar.exists


class TestImportedAgain(Imports):
    def test_pairs_survive(self) -> None:
        self.songs("one", "two", "three")
        self.run_import()
        before = {item.title: item.id for item in self.lib.items()}
        self.run_command("resonance", "apart", "title:one", "--and", "title:three")
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
