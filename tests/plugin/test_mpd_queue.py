"""MPD's queue: where MPD is, what its songs are in the library, and `--mpd` of `similar` and `playlist`."""

from __future__ import annotations

import gc
import logging
import os
import socket
from pathlib import Path
from threading import Thread

import pytest
from beets import config
from beets.exceptions import UserError

from tests.mpd_server import MpdServer, needs_mpd
from tests.plugin.mpd_library import MpdLibrary

pytestmark = needs_mpd


def titles(server: MpdServer) -> list[str]:
    return [Path(name).stem for name in server.queue()]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


class TestQueueing(MpdLibrary):
    def test_what_similar_lists_is_appended_in_its_order(self) -> None:
        self.circle(20)
        with self.serve() as server:
            with server.client() as client:
                client.add("9.flac")
            lines = self.beet("similar", "-n", "5", "-f", "$title", "--mpd", "title:3")
            assert lines[-1] == "5 tracks queued"
            assert titles(server) == ["9", *lines[:-1]]
            assert len(lines) == 6

    def test_a_playlist_and_its_total(self) -> None:
        self.circle(20)
        with self.serve() as server:
            lines = self.beet("playlist", "-n", "3", "--mpd", "title::^3$")
            assert titles(server) == [line.split(" - ")[-1] for line in lines[:-1]]
            assert (len(lines), lines[-1]) == (4, "3 tracks queued")

    def test_one_track(self) -> None:
        self.circle(5)
        with self.serve():
            assert self.beet("similar", "-n", "1", "--mpd", "title:3")[-1] == "1 track queued"

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["similar", "--mpd", "--json", "title:3"], "similar: --json takes no --mpd"),
            (["similar", "--mpd", "--artists", "title:3"], "similar: --artists takes no --mpd"),
            (["similar", "--mpd", "-a", "title:3"], "similar: --album takes no --mpd"),
            (["similar", "--mpd", "-i", "title:3"], "similar: --interactive takes no --mpd"),
            (["playlist", "--mpd", "--json", "title:3"], "playlist: give one of --json and --mpd"),
            (["playlist", "--mpd", "-o", "a.m3u8", "title:3"], "playlist: give one of --output and --mpd"),
            (
                ["playlist", "--mpd", "--refresh", "a.m3u8"],
                "playlist: --refresh makes a list by the recipe in its file; leave --mpd out",
            ),
        ],
    )
    def test_what_does_not_go_together(self, arguments: list[str], sentence: str) -> None:
        self.circle(5)
        assert self.refused(*arguments) == sentence

    def test_reasons_go_with_it(self) -> None:
        self.circle(5)
        with self.serve() as server:
            assert self.beet("similar", "-n", "2", "--mpd", "--explain", "title:3")[-1] == "2 tracks queued"
            assert len(titles(server)) == 2


class TestFiles(MpdLibrary):
    def test_a_track_outside_the_folder_goes_over_the_socket_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        self.circle(4)
        self.add_track("stray", 13.0, "../stray.flac")
        with self.serve() as server:
            assert self.beet("similar", "-n", "9", "--mpd", "title::^3$")[-1] == "4 tracks queued"
            assert len(titles(server)) == 4
            config["mpd"].set({"host": "127.0.0.1", "port": server.port})
            assert self.beet("similar", "-n", "9", "--mpd", "title::^3$")[-1] == "3 tracks queued"
        stray = os.fsdecode(self.item("stray").path)
        folder = os.fsdecode(self.lib.directory)
        assert warnings(caplog)[-1] == (
            f"1 track, {stray}, not queued: outside MPD's music folder {folder}; "
            "`music_directory` under `mpd:` says where that is"
        )

    def test_a_track_that_mpd_has_not_read_is_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        self.circle(4)
        with self.serve() as server:
            config["mpd"].set({"host": "127.0.0.1", "port": server.port})
            self.item("2").filepath.unlink()
            server.update()
            assert self.beet("similar", "-n", "9", "--mpd", "title::^3$")[-1] == "2 tracks queued"
            assert warnings(caplog)[-1] == (
                f"1 track, {self.item('2').filepath}, not queued: MPD does not know the file; "
                "`mpc update` reads new ones"
            )

    def test_none_that_mpd_can_play_is_an_error(self) -> None:
        self.circle(3)
        with self.serve() as server:
            config["mpd"].set({"host": "127.0.0.1", "port": server.port, "music_directory": "/elsewhere"})
            with pytest.raises(UserError) as caught:
                self.run_command("similar", "--mpd", "title::^2$")
            assert str(caught.value).startswith("similar: 2 tracks, such as ")
            assert "outside MPD's music folder /elsewhere;" in str(caught.value)
            assert titles(server) == []

    @pytest.mark.parametrize("name", ["a \"b\" 'c' \\ d.flac", "ä 日本.flac", "a\nclear\n.flac", b"\xff\xfe.flac"])
    def test_names_of_any_kind(self, name: str | bytes, caplog: pytest.LogCaptureFixture) -> None:
        self.circle(3)
        self.add_track("odd", 9.0, name)
        with self.serve() as server:
            with server.client() as client:
                client.add("0.flac")
            is_known = isinstance(name, str) and "\n" not in name
            assert self.beet("similar", "-n", "9", "--mpd", "title::^2$")[-1] == f"{2 + is_known} tracks queued"
            assert len(server.queue()) == 3 + is_known
            assert ("1 track," in caplog.text) is not is_known

    def test_links_to_the_music_lead_to_the_library(self, tmp_path: Path) -> None:
        """The usual way to show MPD one's music: a link in its own folder."""
        self.circle(15)
        self.write_files()
        link = tmp_path / "music"
        link.symlink_to(os.fsdecode(self.lib_path))
        with self.serve(music=link) as server, self.radio() as steps:
            with server.client() as client:
                client.playid(client.addid("3.flac"))
            steps.follow()
            assert titles(server) == ["3", *steps.queued()]
            assert len(steps.queued()) == 10
            assert not any(name.startswith("/") for name in server.queue())

    def test_a_prefix_is_that_of_mpdstats(self) -> None:
        self.circle(15)
        music = Path(os.fsdecode(self.lib_path))
        with self.serve(music=music.parent) as server:
            config["mpd"].set({
                "host": "127.0.0.1", "port": server.port, "music_directory": str(music), "strip_path": f"{music.name}/"
            })  # fmt: skip
            with self.radio() as steps:
                with server.client() as client:
                    client.playid(client.addid(f"{music.name}/3.flac"))
                steps.follow()
                assert len(steps.queued()) == 10


class TestReaching(MpdLibrary):
    def queue_one(self) -> str:
        return self.beet("similar", "-n", "1", "--mpd", "title:3")[-1]

    def test_by_the_environment_as_mpc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.circle(5)
        with self.serve("secret") as server:
            config["mpd"].set({"host": None, "password": None})
            monkeypatch.setenv("MPD_HOST", "secret@127.0.0.1")
            monkeypatch.setenv("MPD_PORT", str(server.port))
            assert self.queue_one() == "1 track queued"
            monkeypatch.setenv("MPD_HOST", f"secret@{server.socket}")
            assert self.queue_one() == "1 track queued"

    def test_by_the_socket_of_a_user_s_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.circle(5)
        with self.serve() as server:
            config["mpd"].set({"host": None})
            (server.folder / "mpd").symlink_to(server.folder)
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(server.folder))
            assert self.queue_one() == "1 track queued"
            assert len(server.queue()) == 1

    def test_a_wrong_password_and_a_missing_one(self) -> None:
        self.circle(5)
        with self.serve("secret") as server:
            advice = "; set `password` under `mpd:` in beets' configuration"
            config["mpd"]["password"].set("other")
            where = f"similar: MPD at {server.socket}"
            assert self.refused("similar", "--mpd", "title:3") == f"{where} takes another password{advice}"
            config["mpd"]["password"].set("")
            with pytest.raises(UserError, match="wants a password") as caught:
                self.run_command("similar", "--mpd", "title:3")
            assert str(caught.value) == f"{where} wants a password{advice}"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # python-mpd2 leaves the socket open
    def test_nobody_there(self) -> None:
        self.circle(5)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config["mpd"].set({"host": "127.0.0.1", "port": port})
        sentence = f"similar: MPD at 127.0.0.1:{port} does not answer (Connection refused)"
        assert self.refused("similar", "--mpd", "title:3") == sentence
        config["mpd"].set({"host": "/nowhere/socket"})
        sentence = "playlist: MPD at /nowhere/socket does not answer (No such file or directory)"
        assert self.refused("playlist", "--mpd", "title:3") == sentence
        gc.collect()  # here, where the warning is expected

    @pytest.mark.parametrize("hello", [b"HTTP/1.0 400 Bad Request\r\n", b"\xff\xfe\n"])
    def test_something_else_there(self, hello: bytes) -> None:
        self.circle(5)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(hello)

            thread = Thread(target=answer)
            thread.start()
            config["mpd"].set({"host": "127.0.0.1", "port": port})
            assert self.refused("radio") == f"radio: what answers at 127.0.0.1:{port} is not MPD"
            thread.join()

    def test_python_mpd2_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.circle(5)
        monkeypatch.setattr("beetsplug.resonance.commands.mpd.find_spec", lambda _: None)
        for command in (["similar", "--mpd", "title:3"], ["playlist", "--mpd", "title:3"], ["radio"]):
            assert self.refused(*command) == (
                f"{command[0]}: MPD is reached through python-mpd2; install it into beets' environment with "
                "`pip install '.[serve]'` in a checkout of Resonance"
            )


def test_what_mpd_says_of_itself_may_be_more_than_its_folder() -> None:
    """As it is since 0.24, where python-mpd2 returns nothing."""
    from beetsplug.resonance.players.mpd_queue import Client

    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        theirs.sendall(b"music_directory: /music\nplaylist_directory: /lists\npcre: 1\nOK\n")
        client = Client()
        client._rbfile, client._wfile = ours.makefile("rb"), ours.makefile("w")
        assert client.config()["music_directory"] == "/music"
        client._rbfile.close()
        client._wfile.close()
