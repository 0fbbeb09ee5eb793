"""`beet playlist --to`, `--via` and `--arc`: lists with a course of their own."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from tests.embeddings import key
from tests.plugin.circle_library import CircleLibrary

if TYPE_CHECKING:
    from pathlib import Path

MISTAKES = {
    "--via title:x 0": "playlist: --via leads somewhere; name the end of the path with --to",
    "--to title:nothing 0": "no track matches title:nothing",
    "--to title::^0$ title::^0$": "a path has no repeats; 'title::^0$' names a track that is in it already",
    "-n 2 --via title::^1$ --to title::^5$ title::^0$": "playlist: A path through 3 tracks cannot have 2 tracks",
    "--arc energy:rise --to title::^5$ title::^0$": "Give either --to or --arc",
    "--like rhythm --to title::^5$ title::^0$": "--like ranks what is close to the seeds",
    "--not title::^3$ --to title::^5$ title::^0$": "--not ranks what is close to the seeds",
    "--text calm --to title::^5$": "--text ranks what is close to the seeds",
    "--to title::^5$": "playlist: A path with --to begins with a track of the library; name it by a QUERY",
    "--arc loudness:rise 0": "An arc is one of energy, tempo, brightness, a colon, and one of rise, fall, peak, valley",
}


class TestCourse(CircleLibrary):
    """Of 20 tracks that go along a circle, whose energy rises and falls while they do."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(20, measured=lambda number: {"energy": -30.0 + (7 * number) % 20, "tempo": None})

    def test_a_path_has_its_ends_and_goes_in_even_steps_without_a_repeat(self) -> None:
        assert self.playlist_titles("-n", "4", "title::^0$", "--to", "title::^12$") == ["0", "4", "8", "12"]
        assert self.playlist_titles("-n", "5", "title::^12$", "--to", "title::^0$") == ["12", "9", "6", "3", "0"]

    def test_it_leads_through_what_is_named_in_that_order(self) -> None:
        found = self.playlist_titles(
            "-n", "7", "title::^8$", "--via", "title::^2$", "--via", "title::^14$", "--to", "title::^10$"
        )
        assert found[0] == "8"
        assert found[-1] == "10"
        assert found.index("2") < found.index("14")
        assert len(set(found)) == len(found) == 7

    def test_a_path_whose_corners_are_longer_than_the_list_is_noted(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self.playlist_titles("-m", "2.5", "title::^0$", "--to", "title::^12$") == ["0", "12"]
        assert "The list is longer than 2.5 min: the tracks that its path leads through take 4:58." in self.take_notes(
            caplog
        )

    def test_of_several_matches_it_ends_at_the_most_typical(self) -> None:
        assert self.playlist_titles("-n", "3", "title::^[012]$", "--to", "title::^1[678]$") == ["1", "9", "17"]

    def test_only_what_is_allowed_lies_between(self, caplog: pytest.LogCaptureFixture) -> None:
        self.configure(exclude=["title::^4$"])
        with Sidecar(self.lib).store as store:
            store.incompatible_pairs.add([key(3)], [key(4)])  # the tracks 2 and 3
        found = self.playlist_titles("-n", "9", "title::^0$", "--to", "title::^7$", "--from", "title::^[0-5]$")
        assert found in (["0", "1", "2", "5", "7"], ["0", "1", "3", "5", "7"])
        assert (
            "The path has 5 tracks, not 9: there are no more between its ends that the rules let in."
            in self.take_notes(caplog)
        )

    def test_a_track_that_is_known_to_be_too_long_takes_no_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("resonance_engine.playlist.path.NEAREST", 1)
        self.add_track("long", 19.2, length=3600.0)
        self.configure(exclude=["title::^1[789]$"])
        assert "5" in self.playlist_titles("-n", "13", "title::^(0|long)$", "--to", "title::^12$")

    def test_caps_of_the_configuration_give_way_before_a_path_is_short(self, caplog: pytest.LogCaptureFixture) -> None:
        for item in self.lib.items():
            item.artist = "artist"
            item.store()
        path = ("-n", "8", "title::^0$", "--to", "title::^19$")
        assert len(self.playlist_titles(*path)) == 8
        assert "than the configuration wants" in self.take_notes(caplog)
        assert len(self.playlist_titles("--per-artist", "5", *path)) == 5

    def test_a_path_takes_as_long_as_asked(self) -> None:
        rows = self.playlist_rows("-m", "20", "title::^0$", "--to", "title::^19$")
        assert (rows[0]["title"], rows[-1]["title"]) == ("0", "19")
        assert abs(sum(row["length"] for row in rows) - 1200) <= 150

    @pytest.mark.parametrize(("shape", "turns"), [("rise", ""), ("valley", "down up")])
    def test_an_arc_turns_where_it_should(self, shape: str, turns: str, caplog: pytest.LogCaptureFixture) -> None:
        found = self.playlist_titles("-n", "8", "--arc", f"energy:{shape}", "title::^[0-9]$")
        assert len(set(found)) == 8
        heights = [(7 * int(title)) % 20 for title in found]
        bottom = heights.index(min(heights))
        if turns:
            assert 0 < bottom < 7
            assert all(one >= other for one, other in pairwise(heights[: bottom + 1]))
        assert all(one <= other for one, other in pairwise(heights[bottom if turns else 0 :]))
        assert "The energy goes from" in self.take_notes(caplog)

    def test_an_arc_over_what_was_not_measured(self) -> None:
        assert self.refused("playlist", "--arc", "tempo:fall", "title::^0$") == (
            "playlist: None of the 20 tracks to choose from has its tempo measured, which tempo:fall needs"
        )

    def test_what_cannot_be_is_one_sentence(self) -> None:
        for args, said in MISTAKES.items():
            assert said in self.refused("playlist", *args.split())

    def test_a_path_made_again_goes_through_what_is_left_of_it(self, tmp_path: Path) -> None:
        target = tmp_path / "path.m3u8"
        self.beet("playlist", "-n", "5", "-o", str(target), "title::^0$", "--to", "title::^1[678]$")
        assert self.beet("playlist", "--refresh", str(target)) == [f"{target}: 5 kept, 0 dropped, 0 added"]
        self.run_command("remove", "-f", "title::^(4|8)$")
        lines = self.beet("playlist", "--refresh", str(target))
        assert lines[0].endswith(": 4 kept, 1 dropped, 1 added")
        assert lines[1].endswith(" - 4: is not in the library") or lines[1].endswith(" - 8: is not in the library")
        paths = [line for line in target.read_text().splitlines() if not line.startswith("#")]
        titles = [int(path.rpartition("/")[2].removesuffix(".flac")) for path in paths]
        assert (titles[0], titles[-1], len(titles)) == (0, 17, 5)
        assert titles == sorted(titles)

    def test_a_path_whose_end_is_gone_is_made_anew(self, tmp_path: Path) -> None:
        target = tmp_path / "path.m3u8"
        self.beet("playlist", "-n", "3", "-o", str(target), "title::^0$", "--to", "title::^1[678]$")
        self.run_command("remove", "-f", "title::^17$")
        lines = self.beet("playlist", "--refresh", str(target))
        assert lines[0].endswith(": 2 kept, 1 dropped, 1 added") or lines[0].endswith(": 1 kept, 2 dropped, 2 added")
        self.run_command("remove", "-f", "title::^1[68]$")
        assert "no track matches 'title::^1[678]$'" in self.refused("playlist", "--refresh", str(target))

    def test_an_arc_made_again_keeps_its_tracks(self, tmp_path: Path) -> None:
        target = tmp_path / "arc.m3u8"
        self.beet("playlist", "-n", "6", "--arc", "energy:rise", "-o", str(target), "title::^0$")
        before = target.read_text()
        assert self.beet("playlist", "--refresh", str(target)) == [f"{target}: 6 kept, 0 dropped, 0 added"]
        assert target.read_text() == before
        self.run_command("remove", "-f", "title::^[01]$")
        assert "no track matches" in self.refused("playlist", "--refresh", str(target))
