"""`beet radio` with a real MPD: what it queues, what it learns, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mpd_server import MpdServer, needs_mpd
from tests.plugin.mpd_library import MpdLibrary, RadioSteps, wait_until

pytestmark = needs_mpd


def titles(server: MpdServer) -> list[str]:
    return [Path(name).stem for name in server.queue()]


def play(server: MpdServer, name: str) -> None:
    """Put a song on, as a user does."""
    with server.client() as client:
        client.playid(client.addid(f"{name}.flac"))


def skip(server: MpdServer, steps: RadioSteps, seconds: float = 0.0) -> None:
    """Go on to the next song after so many seconds of the current one, and let the radio follow."""
    seek(server, steps, seconds)
    with server.client() as client:
        client.next()
    steps.follow()


def seek(server: MpdServer, steps: RadioSteps, seconds: float) -> None:
    """Stop the current song at so many seconds."""
    with server.client() as client:
        client.play()
        client.pause(1)
        client.seekcur(seconds)
    steps.follow()


class TestFollowing(MpdLibrary):
    def test_ten_tracks_follow_the_current_song_and_the_nearest_come_first(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio() as steps:
            play(server, "3")
            steps.follow()
            assert steps.lines[0] == "playing 3"
            assert titles(server) == ["3", *steps.queued()]
            assert len(steps.queued()) == 10
            assert all(abs(int(title) - 3) <= 14 for title in steps.queued())
            steps.follow()
            assert len(titles(server)) == 11

    def test_a_song_later_one_more_is_queued_and_none_comes_twice(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio() as steps:
            play(server, "3")
            steps.follow()
            for count in range(1, 16):
                skip(server, steps)
                assert len(titles(server)) == 11 + count
        queued = steps.queued()
        assert len({"3", *queued}) == 1 + len(queued) == 26
        assert not [line for line in steps.lines if line.startswith("skipped")]

    def test_with_a_query_it_plays_from_there(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio("title::^7$") as steps:
            play(server, "30")
            steps.radio.start()
            steps.follow()
            assert steps.queued()[0] == "7"
            assert steps.lines[-1] == "playing 7"
            assert titles(server) == ["30", *steps.queued()]
            assert len(steps.queued()) == 11
            with server.client() as client:
                assert client.status()["state"] == "play"

    def test_songs_of_the_user_stay_and_count_as_ahead(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio() as steps:
            play(server, "3")
            with server.client() as client:
                for name in ("30", "31", "5"):
                    client.add(f"{name}.flac")
            steps.follow()
            assert titles(server)[:4] == ["3", "30", "31", "5"]
            assert len(steps.queued()) == 7
            assert "5" not in steps.queued()

    def test_a_song_that_the_user_puts_on_is_what_it_goes_by(self) -> None:
        self.circle(60)
        with self.serve() as server, self.radio("title:3") as steps:
            steps.radio.start()
            steps.follow()
            first = len(steps.queued())
            play(server, "45")
            steps.follow()
            later = steps.queued()[first:]
            assert len(later) == 10
            assert all(abs(int(title) - 45) <= 14 for title in later)

    def test_what_is_queued_in_random_order_is_ahead_until_it_was_played(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio() as steps:
            play(server, "3")
            with server.client() as client:
                client.random(1)
            steps.follow()
            for _ in range(3):
                with server.client() as client:
                    client.play(len(titles(server)) - 1)
                steps.follow()
                assert len(titles(server)) == 11 + len(steps.radio.session.played) - 1


class TestRules(MpdLibrary):
    def test_caps_hold_over_what_was_queued_before(self) -> None:
        self.circle(60, artist=lambda number: f"artist {number % 12}")
        with self.serve() as server, self.radio(per_artist=1) as steps:
            play(server, "3")
            steps.follow()
            for _ in range(10):
                skip(server, steps)
        artists = [int(title) % 12 for title in ["3", *steps.queued()]]
        assert len(set(artists)) == len(artists) == 12
        assert any("no other track fits" in line for line in steps.warnings)

    def test_tracks_kept_apart_stay_out_of_the_whole_session(self) -> None:
        self.circle(60)
        self.run_command("resonance", "apart", "title:3", "--and", "title::^[0-9]*[02468]$")
        with self.serve() as server, self.radio() as steps:
            play(server, "3")
            steps.follow()
            for _ in range(16):
                skip(server, steps)
        queued = steps.queued()
        assert len(queued) == 26
        assert all(int(title) % 2 for title in queued)

    def test_options_hold(self) -> None:
        self.circle(60)
        with self.serve() as server, self.radio(among=["title::^[0-9]*5$"]) as steps:
            play(server, "3")
            steps.follow()
        assert sorted(steps.queued()) == ["15", "25", "35", "45", "5", "55"]
        assert steps.warnings == ["radio: no other track fits, or all were played; what is queued plays on"]


class TestLearning(MpdLibrary):
    def test_a_track_skipped_early_is_one_to_keep_away_from(self) -> None:
        self.circle(60)
        with self.serve() as server, self.radio("title:30") as steps:
            steps.radio.start()
            steps.follow()
            skip(server, steps, 9.0)
            assert not steps.radio.session.skipped  # the seed is none
            second = steps.queued()[1]
            skip(server, steps, 9.0)
            assert f"skipped {second}" in steps.lines
            assert [*steps.radio.session.skipped] == [self.item(second).id]

    @pytest.mark.parametrize("seconds", [40.0, 0.0], ids=["late", "unheard"])
    def test_what_was_skipped_late_or_at_once_says_nothing(self, seconds: float) -> None:
        self.circle(40)
        with self.serve() as server, self.radio("title:30") as steps:
            steps.radio.start()
            for place in (1, 2):
                with server.client() as client:
                    client.play(place)
                seek(server, steps, seconds)
            assert (steps.radio.session.skipped, steps.radio.session.finished) == ({}, {})

    def test_to_go_back_skips_nothing(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio("title:30") as steps:
            steps.radio.start()
            steps.follow()
            skip(server, steps, 9.0)
            seek(server, steps, 9.0)
            with server.client() as client:
                client.previous()
            steps.follow()
            assert steps.lines[-1] == "playing 30"
            assert steps.radio.session.skipped == {}

    def test_a_track_that_plays_to_its_end_is_one_to_come_near_to(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio("title:30") as steps:
            steps.radio.start()
            with server.client() as client:
                client.play(1)
                client.seekcur(119.0)
                steps.follow()
                wait_until(lambda: client.status()["song"] == "2")
            steps.follow()
            assert [*steps.radio.session.finished] == [self.item(steps.queued()[1]).id]
            assert steps.radio.session.skipped == {}


class TestTrouble(MpdLibrary):
    def test_an_empty_queue_is_waited_for_and_one_that_is_cleared_stays_empty(self) -> None:
        self.circle(20)
        with self.serve() as server, self.radio() as steps:
            steps.follow()
            steps.follow()
            assert steps.warnings == ["radio: nothing plays; the radio goes on with the next song"]
            play(server, "3")
            steps.follow()
            with server.client() as client:
                client.clear()
            steps.follow()
            assert (titles(server), steps.warnings) == ([], 2 * steps.warnings[:1])
            assert steps.radio.session.skipped == {}

    def test_a_song_from_elsewhere_is_named_and_the_next_one_goes_on(self) -> None:
        self.circle(20)
        with self.serve() as server, self.radio() as steps:
            item = self.item("19")
            other = item.filepath.with_name("stray.flac")
            other.write_bytes(item.filepath.read_bytes())
            server.update()
            play(server, "stray")
            steps.follow()
            assert steps.warnings == [
                "radio: stray.flac is no track of the library; the radio goes on with the next song"
            ]
            assert titles(server) == ["stray"]
            play(server, "3")
            steps.follow()
            assert len(titles(server)) == 12

    def test_a_song_that_is_not_analysed_is_named(self) -> None:
        self.circle(20)
        self.add_item(title="new", path=self.lib_path / "new.flac")
        with self.serve() as server, self.radio() as steps:
            play(server, "new")
            steps.follow()
            number = self.item("new").id
            assert steps.warnings == [
                f"radio: the track that matches is not analysed yet; run `beet resonance analyze id:{number}`"
            ]

    def test_tracks_that_mpd_does_not_know_are_counted_and_others_take_their_place(self) -> None:
        self.circle(40)
        with self.serve() as server, self.radio() as steps:
            for item in self.lib.items():
                if int(item.title) in (2, 4, 5):
                    item.filepath.unlink()
            server.update()
            play(server, "3")
            steps.follow()
            assert len(titles(server)) == 11
            assert not {"2", "4", "5"} & {*steps.queued()}
            assert any(line.startswith("radio: 3 tracks, such as") for line in steps.warnings)

    def test_a_folder_that_mpd_has_not_read_is_given_up(self) -> None:
        self.circle(20)
        with self.serve(host="127.0.0.1") as server, self.radio_at(server) as steps:
            play(server, "3")
            for item in self.lib.items():
                if item.title != "3":
                    item.filepath.unlink()
            server.update()
            steps.follow()
            assert titles(server) == ["3"]
            assert steps.warnings[-1].startswith("radio: no other track fits")

    def radio_at(self, server: MpdServer) -> Any:
        """A radio that reaches MPD over TCP, where no file may be named by its path."""
        from beets import config

        config["mpd"]["port"].set(server.port)
        return self.radio()

    def test_a_queue_that_is_cleared_while_tracks_are_chosen_stays_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.circle(20)
        with self.serve() as server, self.radio() as steps:
            choose = steps.radio.session.choose

            def choose_and_clear(*arguments: Any) -> Any:
                with server.client() as client:
                    client.clear()
                return choose(*arguments)

            monkeypatch.setattr(steps.radio.session, "choose", choose_and_clear)
            play(server, "3")
            steps.follow()
            assert titles(server) == []
            steps.follow()
            assert steps.warnings == ["radio: nothing plays; the radio goes on with the next song"]

    def test_a_queue_that_is_cleared_before_it_is_read_is_looked_at_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.circle(20)
        with self.serve() as server, self.radio() as steps:
            uris = steps.radio.queue.uris

            def clear_and_read(first: int) -> list[str]:
                with server.client() as client:
                    client.clear()
                return uris(first)

            monkeypatch.setattr(steps.radio.queue, "uris", clear_and_read)
            play(server, "3")
            steps.follow()
            assert (titles(server), steps.warnings) == ([], [])
