"""What `beet playlist` writes and prints, and `--refresh`: read back, kept, dropped and filled up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search import session
from resonance_engine.playlist import m3u
from tests.embeddings import key
from tests.plugin.circle_library import CircleLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

ODD = b"caf\xe9 # 3.flac"


class TestFiles(CircleLibrary):
    """Of twelve tracks, one of them in a file whose name is no text."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(12, name=lambda number: ODD if number == 3 else f"{number}.flac")

    def written(self, target: Path, *args: str) -> list[str]:
        assert self.beet("playlist", "-o", str(target), *args)[0].endswith(f" written to {target}")
        return self.titles(target)

    def titles(self, target: Path) -> list[str]:
        """The titles of the items that a file lists, found by their paths."""
        titles = {item.path: item.title for item in self.lib.items()}
        return [titles[entry.path] for entry in m3u.read_playlist(target).entries]

    def remake(self, target: Path, *args: str) -> list[str]:
        """What `--refresh` prints; the first line without the file's name."""
        first, *lines = self.beet("playlist", "--refresh", *args, str(target))
        assert first.startswith(f"{target}: ")
        return [first.removeprefix(f"{target}: "), *lines]

    def refreshed_to(self, target: Path, kept: Sequence[str], lines: Sequence[str]) -> list[str]:
        """The titles of a file made again, which keeps what it should and says what it did not."""
        first, *others = self.remake(target)
        assert first == f"{len(kept)} kept, {len(lines)} dropped, {len(others) - len(lines)} added"
        assert others[: len(lines)] == list(lines)
        titles = self.titles(target)
        assert titles[: len(kept)] == list(kept)
        assert [line.rpartition(" - ")[2] for line in others[len(lines) :]] == titles[len(kept) :]
        return titles

    def test_a_file_holds_what_is_printed_and_the_recipe(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        args = ("-n", "5", "--seed", "7", "--spacing", "1", "--from", "title::^.$", "title::^0$")
        assert self.written(target, *args) == self.playlist_titles(*args)
        recipe = m3u.read_playlist(target).recipe
        assert recipe is not None
        assert json.loads(recipe) == {
            "version": 1,
            "query": ["title::^0$"],
            "among": ["title::^.$"],
            "count": 5,
            "seed": 7,
            "spacing": 1,
        }
        entries = [line for line in target.read_bytes().splitlines() if not line.startswith(b"#")]
        assert all(not entry.startswith(b"/") for entry in entries)
        self.written(target, "--absolute", *args)
        absolute = [line for line in target.read_bytes().splitlines() if not line.startswith(b"#")]
        assert absolute == [os.path.normpath(os.path.join(os.fsencode(tmp_path), entry)) for entry in entries]  # noqa: PTH118
        assert any(entry.endswith(ODD) for entry in absolute)

    def test_a_file_that_is_gone_is_named_and_stays_in_the_list(self, caplog: pytest.LogCaptureFixture) -> None:
        for number in range(4):
            (self.lib_path / f"{number}.flac").write_bytes(b"")
        path = self.lib_path / "1.flac"
        assert self.playlist_titles("-n", "3", "title::^0$") == ["0", "1", "2"]
        assert "without a file" not in caplog.text
        path.unlink()
        assert self.playlist_titles("-n", "3", "title::^0$") == ["0", "1", "2"]
        assert f"1 track of the list without a file, such as {path}; where it is gone for good, " in caplog.text

    def test_absolute_is_about_a_file(self) -> None:
        assert self.refused("playlist", "--absolute", "title::^0$") == (
            "playlist: --absolute is about the paths in a file; name it with -o"
        )

    def test_json_is_a_list_of_tracks(self) -> None:
        rows = self.playlist_rows("-n", "4", "title::^0$")
        assert [row["title"] for row in rows] == ["0", "1", "2", "3"]
        items = {item.id: item for item in self.lib.items()}
        assert all(os.fsencode(row["path"]) == items[row["id"]].path for row in rows)

    def test_paths_are_absolute_and_alone(self) -> None:
        lines = self.beet("playlist", "--paths", "-n", "3", "title::^0$")
        assert lines == [str(self.lib_path / f"{number}.flac") for number in range(3)]

    def test_what_still_holds_is_kept_and_what_is_missing_filled_up(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        assert self.written(target, "-n", "5", "title::^0$") == ["0", "1", "2", "3", "4"]
        before = target.stat()
        assert self.remake(target) == ["5 kept, 0 dropped, 0 added"]
        assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        self.run_command("remove", "-f", "title::^1$")
        told = self.remake(target, "--pretend")
        assert target.stat().st_mtime_ns == before.st_mtime_ns
        titles = self.refreshed_to(target, ["0", "2", "3", "4"], ["- artist 2 - 1: is not in the library"])
        assert titles == ["0", "2", "3", "4", "5"]
        assert told[1:] == ["- artist 2 - 1: is not in the library", "+ artist 6 - album 6 - 5"]
        assert self.remake(target) == ["5 kept, 0 dropped, 0 added"]

    def test_lines_of_another_computer_become_paths_though_no_track_changes(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        titles = self.written(target, "-n", "4", "title::^0$")
        paths = target.read_bytes()
        target.write_bytes(paths.replace(b"/", b"\\"))
        assert self.remake(target, "--pretend")[1:] == ["4 tracks under the path of this computer"]
        assert target.read_bytes() != paths
        assert self.remake(target) == ["4 kept, 0 dropped, 0 added", "4 tracks under the path of this computer"]
        assert self.titles(target) == titles
        assert target.read_bytes() == paths
        assert self.remake(target) == ["4 kept, 0 dropped, 0 added"]

    def test_several_files_are_refreshed_with_one_index(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        targets = [tmp_path / f"{number}.m3u8" for number in range(3)]
        for number, target in enumerate(targets):
            self.written(target, "-n", "4", f"title::^{number}$")
        opened: list[str] = []
        open_one = session.open_index
        monkeypatch.setattr(session, "open_index", lambda *given: opened.append(given[3]) or open_one(*given))
        lines = self.beet("playlist", "--refresh", *map(str, targets))
        assert lines == [f"{target}: 4 kept, 0 dropped, 0 added" for target in targets]
        assert opened == ["embedding"]

    def test_a_path_with_a_line_break_is_in_no_file(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for number, title in ((1, "1"), (2, "3")):
            item = self.lib.items(f"title:={title}")[0]
            item.path = self.lib_path.as_posix().encode() + b"/two" + b"\r\n"[number - 1 : number] + b"lines.flac"
            item.store()
        target = tmp_path / "list.m3u8"
        assert self.playlist_titles("-n", "4", "title::^0$") == ["0", "1", "2", "3"]
        self.take_notes(caplog)
        for options in (("title::^0$",), ("title::^0$", "--arc", "tempo:rise"), ("title::^0$", "--to", "title::^5$")):
            titles = self.written(target, "-n", "4", *options)
            assert len(titles) == 4
            assert {"1", "3"}.isdisjoint(titles)
            assert self.take_notes(caplog).count("2 tracks left out: no line of a list can hold the line break") == 1
        assert len(self.written(target, "-n", "4", "title::^1$")) == 4
        assert self.beet("playlist", "--paths", "-n", "3", "title::^[01]$") == [
            str(self.lib_path / f"{number}.flac") for number in (0, 2, 4)
        ]
        self.run_command("remove", "-f", "title::^2$")
        assert self.remake(target)[0].endswith(" 0 dropped, 0 added") or "3" not in self.titles(target)
        said = self.refused("playlist", "-o", str(target), "title::^0$", "--to", "title::^3$")
        assert said.startswith("playlist: the path of the track that 'title::^3$' names has a line break")

    def test_lengths_are_printed(self, tmp_path: Path) -> None:
        assert self.beet("playlist", "-n", "3", "title::^0$") == [
            "1:47  artist 1 - album 1 - 0",
            "1:54  artist 2 - album 2 - 1",
            "2:01  artist 3 - album 3 - 2",
        ]
        lines = self.beet("playlist", "-m", "6", "title::^0$")
        assert lines == [*self.beet("playlist", "-n", "3", "title::^0$"), "3 tracks, 5:42"]
        item = self.lib.items("title:=5")[0]
        item.length = 0.0
        item.store()
        assert self.beet("playlist", "-n", "1", "title::^5$") == ["-:--  artist 6 - album 6 - 5"]
        assert self.beet("playlist", "-n", "1", "-f", "$title", "title::^0$") == ["0"]
        target = tmp_path / "list.m3u8"
        assert self.beet("playlist", "-n", "3", "-o", str(target), "title::^0$") == [
            f"3 tracks, 5:42 written to {target}"
        ]

    def test_a_list_that_another_program_saved_keeps_all_of_it(self, tmp_path: Path) -> None:
        """Each file in another spelling; the names of all spellings are those of the matcher's own tests."""
        target = tmp_path / "list.m3u8"
        assert len(self.written(target, "-n", "12", "title::^0$")) == 12
        paths = [entry.path for entry in m3u.read_playlist(target).entries]
        folder = os.fsencode(self.lib_path)
        spellings = [
            lambda path: b"file://" + quote(path).encode(),
            lambda path: b"file:///C:/Music/" + quote(path.removeprefix(folder + b"/")).encode(),
            lambda path: b"\\\\NAS\\Music" + path.removeprefix(folder).replace(b"/", b"\\"),
            lambda path: b'"D:' + path.removeprefix(folder).upper().replace(b"/", b"\\") + b'"',
            lambda path: quote(path).encode(),
            lambda path: b"  " + path + b"  ",
        ]
        lines = [spellings[number % len(spellings)](path) for number, path in enumerate(paths) if ODD not in path]
        recipe = next(line for line in target.read_bytes().splitlines() if line.startswith(b"#RESONANCE"))
        odd = "file:///elsewhere/" + quote(ODD.decode("latin-1"))
        target.write_bytes(b"\xef\xbb\xbf#EXTM3U\r\n" + b"\r\n".join([recipe, *lines, odd.encode()]) + b"\r\n")
        assert self.remake(target)[0] == "12 kept, 0 dropped, 0 added"
        assert {entry.path for entry in m3u.read_playlist(target).entries} == {*paths}
        before = target.read_bytes()
        assert self.remake(target) == ["12 kept, 0 dropped, 0 added"]
        assert target.read_bytes() == before
        self.run_command("remove", "-f", "title::^4$")
        assert self.remake(target)[0] == "11 kept, 1 dropped, 0 added"
        assert {entry.path for entry in m3u.read_playlist(target).entries} == {
            path for path in paths if not path.endswith(b"/4.flac")
        }

    def test_a_list_of_which_less_than_half_is_recognised_stays_as_it_is(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        self.written(target, "-n", "4", "title::^0$")
        for unknown, refused in ((4, False), (5, True)):
            content = target.read_bytes() + b"".join(b"/else/%d.mp3\n" % number for number in range(unknown))
            other = tmp_path / f"{unknown}.m3u8"
            other.write_bytes(content)
            if refused:
                assert self.refused("playlist", "--refresh", str(other)) == (
                    f"playlist: 5 of the 9 files in {other} are not recognised as ones of the library, such as "
                    "/else/0.mp3; nothing was changed. If they were moved, make the list anew with `beet playlist -o`; "
                    "else import them"
                )
                assert other.read_bytes() == content
            else:
                assert self.remake(other)[0] == "4 kept, 4 dropped, 0 added"

    def test_the_reasons_why_tracks_go(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        self.written(target, "-n", "6", "--from", "title::^.$ ^genres:loud", "title::^0$")
        for title, name, value in (("1", "genres", ["loud"]), ("2", "genres", ["speech"])):
            item = self.lib.items(f"title:={title}")[0]
            item[name] = value
            item.store()
        self.configure(exclude=["genres:speech"])
        with Sidecar(self.lib).store as store:
            store.incompatible_pairs.add([key(4)], [key(5)])  # the tracks 3 and 4
        item = self.lib.items("title:=5")[0]
        sidecar = Sidecar(self.lib)
        sidecar.store.tracks.unlink(sidecar.id, [item.id or 0])
        sidecar.close()
        with target.open("ab") as file:
            file.write(b"/elsewhere/x.flac\n" + self.lib.items("title:=0")[0].path + b"\n")
        titles = self.refreshed_to(
            target,
            ["0", "3"],
            [
                "- artist 2 - album 2 - 1: does not match --from",
                "- artist 3 - album 3 - 2: is excluded by the configuration",
                "- artist 5 - album 5 - 4: is never to be together with one in the list",
                "- artist 6 - album 6 - 5: is not analysed",
                "- /elsewhere/x.flac: is not in the library",
                "- artist 1 - album 1 - 0: is in the list twice",
            ],
        )
        assert len(titles) == 6
        assert {"1", "2", "4", "5"}.isdisjoint(titles)

    def test_a_list_of_recent_plays_rolls_on(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"

        def play(title: str, moment: float) -> None:
            item = self.lib.items(f"title:={title}")[0]
            item["last_played"] = moment
            item.store()

        play("0", 1000)
        assert self.written(target, "-n", "3", "--recent", "1") == ["1", "2", "3"]
        play("1", 2000)
        assert self.remake(target) == [
            *("2 kept, 1 dropped, 1 added", "- artist 2 - album 2 - 1: was played lately", "+ artist 5 - album 5 - 4")
        ]

    def test_a_name_that_is_no_text_is_kept_byte_for_byte(self, tmp_path: Path) -> None:
        target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xefste.m3u8"))
        self.beet("playlist", "-n", "5", "-o", str(target), "title::^2$")
        before = target.read_bytes()
        assert b"/" + ODD in before
        self.run_command("remove", "-f", "title::^[24]$")
        item = self.lib.items("title:=5")[0]
        item.title = "2"
        item.store()
        assert self.beet("playlist", "--refresh", str(target))[0].startswith(f"{tmp_path}/l\\xefste.m3u8: 3 kept")
        assert b"/" + ODD in target.read_bytes()
        assert m3u.read_playlist(target).recipe == m3u.read_playlist(self.backup(tmp_path, before)).recipe

    @staticmethod
    def backup(folder: Path, content: bytes) -> Path:
        path = folder / "before.m3u8"
        path.write_bytes(content)
        return path

    def test_options_of_a_list_are_those_of_its_recipe(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        args: list[Any] = ["-n", "4", "--per-artist", "1", "--not", "title::^9$", "--not", "title::^8$", "--absolute"]
        self.written(target, *args, "--works", "avoid", "title::^[01]$")
        self.run_command("remove", "-f", "title::^2$")
        self.remake(target)
        entries = [line for line in target.read_bytes().splitlines() if not line.startswith(b"#")]
        assert len(entries) == 4
        assert all(entry.startswith(b"/") for entry in entries)

    def test_a_file_that_cannot_be_made_again_stays_and_does_not_stop_others(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        good, plain, odd = tmp_path / "good.m3u8", tmp_path / "plain.m3u8", tmp_path / "odd.m3u8"
        self.written(good, "-n", "3", "title::^0$")
        plain.write_text("0.flac\n")
        odd.write_text('#EXTM3U\n#RESONANCE:{"version":1,"mood":"sad"}\n0.flac\n')
        assert self.refused("playlist", "--refresh", str(plain)) == (
            f"playlist: {plain} has no recipe, so it cannot be made again; `beet playlist -o` writes one"
        )
        assert 'The recipe has the option "mood"' in self.refused("playlist", "--refresh", str(odd))
        assert "cannot be read: No such file" in self.refused("playlist", "--refresh", str(tmp_path / "none.m3u8"))
        self.run_command("remove", "-f", "title::^1$")
        self.io.getoutput()
        with pytest.raises(UserError, match="2 of 3 playlists could not be made again"):
            self.run_command("playlist", "--refresh", str(plain), str(odd), str(good))
        assert self.io.getoutput().splitlines()[0] == f"{good}: 2 kept, 1 dropped, 1 added"
        notes = self.take_notes(caplog)
        assert f"playlist: {plain} has no recipe" in notes
        assert f'{odd}: The recipe has the option "mood"' in notes
        assert plain.read_text() == "0.flac\n"

    def test_recipes_that_a_stranger_wrote_are_refused_in_a_sentence(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        for recipe in (
            '{"version":1}',
            '{"version":1,"count":-3}',
            '{"version":1,"query":["year:soon"]}',
            '{"version":1,"query":["0"],"bpm":"x"}',
        ):
            target.write_text(f"#RESONANCE:{recipe}\n")
            assert self.refused("playlist", "--refresh", str(target))
