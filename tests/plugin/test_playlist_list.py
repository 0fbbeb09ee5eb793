"""`beet playlist QUERY`: what comes up, in which order, how long, and by which rules."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from tests.embeddings import key
from tests.plugin.circle_library import CircleLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item

MISTAKES = {
    "": "name a track to start from",
    "-n 3 -m 3 0": "give either -n or --minutes, not both",
    "-n 0 0": "-n must be 1 to 100,000 tracks, not 0",
    "-m 0 0": "--minutes must be above 0 and at most 10,000, not 0",
    "-m nan 0": "--minutes must be above 0 and at most 10,000, not nan",
    "--spacing -1 0": "--spacing must be 0 to 1,000, not -1",
    "--recent 0": "--recent must be 1 to 500, not 0",
    "--works alone 0": "Works can be together, avoid or ignore, not 'alone'",
    "--pretend 0": "--pretend goes with --refresh",
    "--per-artist -1 0": "--per-artist is a number of tracks",
    "title:nothing": "no track matches title:nothing",
    "--profile dinner": "resonance.profiles in the configuration has no 'dinner'; it has none",
    "-o list.txt 0": "-o takes the name of a file that ends in .m3u8 or .m3u, not 'list.txt'",
    "--paths --json 0": "give one of --paths and --json",
    "--refresh": "--refresh needs a file",
    "--refresh -n 3 list.m3u8": "--refresh makes a list by the recipe in its file; leave --count out",
}


def gaps(names: Sequence[str]) -> list[int]:
    """How many others stand between one and the next of the same name."""
    last: dict[str, int] = {}
    found = []
    for place, name in enumerate(names):
        if name in last:
            found.append(place - last[name] - 1)
        last[name] = place
    return found


class TestList(CircleLibrary):
    """Of 16 tracks, each by another artist on another album."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(16)

    def test_it_opens_with_the_match_and_goes_on_with_what_sounds_alike(self) -> None:
        assert self.playlist_titles("-n", "5", "title::^0$") == ["0", "1", "2", "3", "4"]

    def test_of_several_matches_the_most_typical_opens_and_the_others_may_follow(self) -> None:
        found = self.playlist_titles("-n", "3", "title::^[345]$")
        assert found[:2] == ["4", "3"]

    def test_only_what_from_allows_follows_and_the_list_is_no_shorter_for_it(self) -> None:
        found = self.playlist_titles("-n", "6", "--from", "title::^1.$", "title::^0$")
        assert found == ["0", "10", "11", "12", "13", "14"]
        opens_within = self.playlist_titles("-n", "3", "--from", "title::^[5-9]$", "title::^[0-5]$")
        assert opens_within[0] == "5"

    def test_seeds_that_are_all_that_may_come_up_make_a_list(self) -> None:
        among = "title::^[3-7]$"
        assert sorted(self.playlist_titles("-n", "9", "--from", among, among)) == ["3", "4", "5", "6", "7"]

    def test_a_short_list_says_why(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self.playlist_titles("-n", "6", "--from", "title::^1[01]$", "title::^0$") == ["0", "10", "11"]
        assert "The list is shorter than asked for: there are no other candidates." in self.take_notes(caplog)

    def test_nothing_excluded_comes_up_but_what_is_asked_for_opens(self) -> None:
        self.configure(exclude=["title::^[0-3]$"], max_length=3)
        found = self.playlist_titles("-n", "16", "title::^0$")
        longest = [str(number) for number in range(16) if 100 + 7 * (number + 1) > 180]
        assert found == ["0", *(str(number) for number in range(4, 16) if str(number) not in longest)]

    def test_the_same_number_gives_the_same_list_and_others_vary(self) -> None:
        lists = [self.playlist_titles("-n", "8", "--seed", seed, "title::^0$") for seed in ("1", "1", "2", "3")]
        assert lists[0] == lists[1]
        assert len({tuple(each) for each in lists}) > 1
        assert all(each[0] == "0" and len(set(each)) == 8 for each in lists)

    def test_a_list_of_minutes_takes_as_many_candidates_as_it_needs(self) -> None:
        rows = self.playlist_rows("-m", "20", "title::^0$")
        assert abs(sum(row["length"] for row in rows) - 1200) <= max(row["length"] for row in rows) / 2

    def test_a_first_track_longer_than_the_list_is_noted(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self.playlist_titles("-m", "1", "title::^0$") == ["0"]
        assert "The list is longer than 1 min: its first track alone takes 1:47." in self.take_notes(caplog)
        assert self.playlist_titles("-m", "2", "title::^0$") == ["0"]
        assert "longer" not in self.take_notes(caplog)

    def test_negative_seeds_do_not_come_up(self) -> None:
        found = self.playlist_titles("-n", "16", "--not", "title::^1$", "title::^[0-3]$")
        assert "1" not in found
        assert len(found) == 15

    def test_a_field_that_is_favoured_counts_in_the_list(self, caplog: pytest.LogCaptureFixture) -> None:
        for title in ("4", "5"):
            item = self.lib.items(f"title:={title}")[0]
            item["rating"] = 5.0 if title == "4" else 1.0
            item.store()
        assert self.playlist_titles("-n", "2", "--prefer", "rating=9", "title::^0$") == ["0", "4"]
        assert "5" not in self.playlist_titles("-n", "10", "--prefer", "rating=9", "title::^0$")
        assert "--prefer" not in self.take_notes(caplog)
        self.playlist_titles("--prefer", "stars", "title::^0$")
        assert "no track here has a number in the field stars" in self.take_notes(caplog)

    def test_tracks_that_are_kept_apart_are_never_in_one_list(self, caplog: pytest.LogCaptureFixture) -> None:
        with Sidecar(self.lib).store as store:
            store.incompatible_pairs.add([key(1)], [key(2), key(3)])
            store.incompatible_pairs.add([key(5)], [key(6)])
        found = self.playlist_titles("-n", "16", "title::^0$")
        assert {"1", "2"}.isdisjoint(found)
        assert len({"4", "5"}.intersection(found)) == 1
        assert "3 never to be together with one in the list" in self.take_notes(caplog)

    def test_what_cannot_be_is_one_sentence(self) -> None:
        for args, said in MISTAKES.items():
            assert said in self.refused("playlist", *args.split())


class TestSpacing(CircleLibrary):
    """Of 24 tracks by four artists, each with two albums, whose own tracks are nearest to each other."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(24, artist=lambda number: f"artist {number // 6}", album=lambda number: f"album {number // 3}")

    @pytest.mark.parametrize("spacing", [0, 3])
    def test_so_many_others_stand_between_two_of_one_artist_or_album(self, spacing: int) -> None:
        rows = self.playlist_rows(
            "-n", "12", "--per-artist", "0", "--per-album", "0", "--spacing", str(spacing), "title::^0$"
        )
        assert len(rows) == 12
        assert min(gaps([row["artist"] for row in rows])) == spacing
        assert min(gaps([row["album"] for row in rows])) >= spacing

    def test_the_spacing_of_the_configuration(self) -> None:
        self.configure(spacing=0, per_artist=0, per_album=0)
        assert self.playlist_titles("-n", "4", "title::^0$") == ["0", "1", "2", "3"]

    def test_spacing_that_cannot_be_kept_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        rows = self.playlist_rows(
            "-n", "6", "--spacing", "3", "--from", "title::^[01]?[0-9]$ artist::[01]", "title::^0$"
        )
        assert len(rows) == 6
        assert "come sooner after another of the same artist or album than asked for" in self.take_notes(caplog)

    def test_caps_that_were_asked_for_hold_and_make_the_list_short(self, caplog: pytest.LogCaptureFixture) -> None:
        rows = self.playlist_rows("-n", "12", "--per-artist", "2", "--per-album", "1", "title::^0$")
        artists, albums = [row["artist"] for row in rows], [row["album"] for row in rows]
        assert sorted(artists) == sorted(f"artist {number // 2}" for number in range(8))
        assert len(set(albums)) == len(rows) == 8
        assert "The list is shorter than asked for: left out were" in self.take_notes(caplog)

    def test_caps_of_the_configuration_give_way_before_the_list_is_short(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = self.playlist_rows("-n", "8", "title::^0$")
        assert max([row["artist"] for row in rows].count(f"artist {number}") for number in range(4)) <= 3
        assert "configuration" not in self.take_notes(caplog)
        assert len(self.playlist_rows("-n", "24", "title::^0$")) == 24
        assert "There are more tracks of an artist or album than the configuration wants" in self.take_notes(caplog)


class TestWorks(CircleLibrary):
    """Of a symphony on two albums, whose movements sound each another way, and eight other tracks."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        with self.lib.transaction():
            self.circle(8)
            for album, start in (("Berlin", 40), ("Vienna", 130)):
                self.lib.add_album([self.movement(album, start + 40 * place, place) for place in (1, 2, 0)])

    def movement(self, album: str, degrees: float, place: int) -> Item:
        return self.add_track(
            f"Symphony: {('I', 'II', 'III')[place]}. Part",
            degrees,
            name=f"{album} {place}.flac",
            artist="Brahms",
            albumartist="Brahms",
            album=album,
            track=place + 1,
            comments=f"{album[0]}{place + 1}",
        )

    def playlist_titles(self, *args: str) -> list[str]:
        return self.beet("playlist", "-f", "%if{$comments,$comments,$title}", *args)

    def test_movements_stay_together_and_in_order_though_they_sound_unlike(self) -> None:
        found = self.playlist_titles("-n", "11", "title::^0$", "--from", "album:Berlin , title::^.$")
        place = found.index("B1")
        assert found[place : place + 3] == ["B1", "B2", "B3"]
        assert len(found) == 11

    def test_a_work_that_opens_is_played_whole(self) -> None:
        assert self.playlist_titles("-n", "5", "comments:B2")[:3] == ["B1", "B2", "B3"]

    def test_a_work_longer_than_the_list_is_not_kept_together_and_that_is_told(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = self.playlist_titles("-n", "2", "comments:B2")
        assert found[0] == "B2"
        assert len(found) == 2
        assert "Works are not kept together" in self.take_notes(caplog)

    def test_what_may_not_come_up_is_no_part_of_it_either(self) -> None:
        self.configure(exclude=["comments:B2"])
        found = self.playlist_titles("-n", "11", "title::^0$", "--from", "album:Berlin , title::^.$")
        assert "B2" not in found
        assert found[found.index("B1") + 1] == "B3"

    def test_one_movement_at_most_or_movements_as_any_track(self) -> None:
        found = self.playlist_titles("-n", "14", "--works", "avoid", "--versions", "title::^0$")
        assert sum(title[0] in "BV" for title in found) == 1
        found = self.playlist_titles("-n", "14", "--works", "ignore", "--versions", "title::^0$")
        assert len(found) == 14
        assert all(one[0] not in "BV" or one[0] != other[0] for one, other in pairwise(found[:8]))


class TestStarts(CircleLibrary):
    """Of ten tracks, some of which were played."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(10)

    def played(self, field: str = "last_played", **moments: float) -> None:
        for title, moment in moments.items():
            item = self.lib.items(f"title::^{title[1:]}$")[0]
            item[field] = moment
            item.store()

    def test_it_starts_from_what_was_played_last_which_does_not_come_again(self) -> None:
        self.played(_9=1000.0, _1=3000.0)
        self.played("lastplayed", _0=2000)
        found = self.playlist_titles("-n", "3", "--recent", "2")
        assert found == ["2", "3", "4"]
        assert self.playlist_titles("-n", "2", "--recent", "1", "title::^[89]$") == ["8", "7"]

    def test_nothing_was_played(self) -> None:
        assert self.refused("playlist", "--recent", "5") == (
            "playlist --recent: no track was played yet as far as the library knows; beets' mpdstats plugin notes it "
            "in the field last_played"
        )
        self.played(_9=0.0, _1=3000.0)
        assert "no track that matches was played yet" in self.refused("playlist", "--recent", "5", "title::^9$")

    def test_a_profile_is_what_the_command_line_does_not_say(self) -> None:
        self.configure(
            profiles={"dinner": {"query": "title::^0$", "count": 4, "from": "title::^[0-5]$"}, "long": {"minutes": 5}}
        )
        assert self.playlist_titles("--profile", "dinner") == ["0", "1", "2", "3"]
        assert self.playlist_titles("--profile", "dinner", "-n", "2") == ["0", "1"]
        assert self.playlist_titles("--profile", "dinner", "title::^5$") == ["5", "4", "3", "2"]
        assert self.playlist_titles("--profile", "dinner", "--from", "title::^[78]$") == ["0", "7", "8"]
        assert len(self.playlist_titles("--profile", "long", "title::^0$")) == 3
        assert len(self.playlist_titles("--profile", "long", "-n", "2", "title::^0$")) == 2
        assert len(self.playlist_titles("--profile", "dinner", "-m", "5")) == 3

    def test_a_profile_that_is_not_there_or_makes_no_sense(self) -> None:
        self.configure(profiles={"dinner": {"query": "title::^0$", "arc": "energy:up"}, "bad": {"minuts": 15}})
        assert "has no 'diner'; did you mean dinner?" in self.refused("playlist", "--profile", "diner")
        assert "minuts is no option; did you mean minutes?" in self.refused("playlist", "--profile", "bad")
        assert "there are dinner, bad" in self.refused("playlist", "--profile", "xyz")
        assert "An arc is one of" in self.refused("playlist", "--profile", "dinner")
