"""A playlist from somebody else that is made again changes the file that the user named, and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from beets.exceptions import UserError

from resonance_engine.errors import ResonanceError
from resonance_engine.playlist import m3u
from tests.plugin.circle_library import CircleLibrary

if TYPE_CHECKING:
    from pathlib import Path

Tree = dict[str, tuple[int, int, bytes]]

RECIPES: list[dict[str, Any]] = [
    {"query": ["title::^0$"]},
    {"query": ["path:/etc"], "count": 5},
    {"query": ["title::^0$"], "file": ["/etc/passwd"]},
    {"file": ["/dev/zero"], "count": 3},
    {"file": ["../../secret.flac"]},
    {"file": ["$(touch planted)", "`touch planted`", "| touch planted"]},
    {"query": ["'; DROP TABLE items; --"], "among": ['title:"; touch planted']},
    {"query": ["title::^0$"], "weights": "timbre=$(touch planted)"},
    {"query": ["title::(a+)+$"], "arc": "/etc/passwd", "like": "/etc/passwd"},
    {"query": ["title::^0$"], "absolute": True, "count": 2},
    {"query": ["%s%n{0.__class__}"], "text": "{0}"},
    {"query": ["title::^0$"], "to": "/etc/passwd", "via": ["../x"]},
]
ENTRIES = b"../../../../etc/passwd\nfile:///etc/shadow\nhttp://127.0.0.1:9/x.mp3\n/dev/zero\n0.flac\n1.flac\n2.flac\n"


class TestStrangers(CircleLibrary):
    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(12, name=lambda number: f"{number}.flac")

    def tree(self, folder: Path) -> Tree:
        """Every file below a folder with its time and content, but for those that SQLite keeps beside a database."""
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size, path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm", ".index"))
        }

    def test_nothing_but_the_file_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lists = tmp_path / "lists"
        lists.mkdir()
        monkeypatch.chdir(lists)
        target = lists / "strange.m3u8"
        self.beet("similar", "title::^0$")  # what the first command makes is made
        target.touch()
        before = self.others(tmp_path, target)
        for recipe in RECIPES:
            text = json.dumps({"version": 1, **recipe}).encode()
            target.write_bytes(b"#EXTM3U\n#RESONANCE:" + text + b"\n" + ENTRIES)
            with contextlib.suppress(UserError, ResonanceError):
                self.run_command("playlist", "--refresh", str(target))
            assert self.others(tmp_path, target) == before
            if recipe == RECIPES[0]:
                assert b"0.flac" in target.read_bytes()
                assert b"passwd" not in target.read_bytes()

    def others(self, folder: Path, target: Path) -> Tree:
        """Every file that is there, but the one that may change."""
        found = {**self.tree(self.temp_path), **self.tree(folder)}
        del found[str(target)]
        return found


class TestOutput(CircleLibrary):
    """Where `-o` leads."""

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.circle(4, name=lambda number: f"{number}.flac")

    def test_a_link_stays_and_its_target_is_written(self, tmp_path: Path) -> None:
        link, target = tmp_path / "link.m3u8", tmp_path / "target.m3u8"
        target.write_text("before")
        target.chmod(0o640)
        link.symlink_to(target)
        self.run_command("playlist", "-o", str(link), "title::^0$")
        assert link.readlink() == target
        assert [entry.title for entry in m3u.read_playlist(target).entries] == ["0", "1", "2", "3"]
        assert target.stat().st_mode & 0o777 == 0o640
        assert {path.name for path in tmp_path.iterdir()} == {"link.m3u8", "target.m3u8"}

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder.m3u8"
        folder.mkdir()
        assert self.refused("playlist", "-o", str(folder), "title::^0$")
        assert not list(folder.iterdir())
        assert [path.name for path in tmp_path.iterdir()] == ["folder.m3u8"]

    def test_another_kind_of_file_is_not_overwritten(self, tmp_path: Path) -> None:
        song = tmp_path / "song.mp3"
        song.write_bytes(b"music")
        assert "ends in .m3u8 or .m3u" in self.refused("playlist", "-o", str(song), "title::^0$")
        assert song.read_bytes() == b"music"
