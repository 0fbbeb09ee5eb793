"""A file is its old self or its new self, and nothing else is left behind."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import TargetError
from resonance_engine.files import verify_target, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    for content in (b"first", b""):
        write_bytes(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_made_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "written", b"")
    (tmp_path / "opened").write_bytes(b"")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "opened").stat().st_mode


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_bytes(tmp_path / "folder", b"content")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_bytes(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new", 0o640)


class TestLinks:
    """What a symbolic link leads to is written, in the folder where it lies, and the link stays."""

    @pytest.fixture
    def link(self, tmp_path: Path) -> Path:
        for name in ("music", "shared"):
            (tmp_path / name).mkdir()
        link = tmp_path / "music" / "list.m3u8"
        link.symlink_to("../shared/real.m3u8")
        return link

    @pytest.mark.parametrize("dangling", [False, True])
    def test_to_another_folder(self, link: Path, dangling: bool) -> None:
        target = link.parent.parent / "shared" / "real.m3u8"
        if not dangling:
            target.write_bytes(b"old")
            target.chmod(0o640)
        write_bytes(link, b"new")
        assert os.readlink(link) == "../shared/real.m3u8"  # noqa: PTH115 - the text of the link
        assert target.read_bytes() == b"new"
        assert dangling or target.stat().st_mode & 0o7777 == 0o640
        assert (list(link.parent.iterdir()), list(target.parent.iterdir())) == ([link], [target])

    def test_to_a_link(self, link: Path) -> None:
        first = link.with_name("first.m3u8")
        first.symlink_to(link)
        write_bytes(first, b"new")
        assert first.is_symlink()
        assert link.is_symlink()
        assert link.read_bytes() == b"new"

    def test_to_a_folder_that_is_not_there(self, link: Path) -> None:
        (link.parent.parent / "shared").rmdir()
        with pytest.raises(FileNotFoundError):
            write_bytes(link, b"new")
        assert link.is_symlink()

    def test_to_itself(self, tmp_path: Path) -> None:
        link = tmp_path / "list.m3u8"
        link.symlink_to(link.name)
        with pytest.raises(OSError, match="symbolic links"):
            write_bytes(link, b"new")
        assert list(tmp_path.iterdir()) == [link]

    def test_to_a_folder_where_nobody_may_write(self) -> None:
        with read_only_folder() as folder, tempfile.TemporaryDirectory() as other:
            Path(other).chmod(0o777)
            link = Path(other, "list.m3u8")
            link.symlink_to(folder / "real.m3u8")
            with pytest.raises(PermissionError):
                write_bytes(link, b"new")
            assert (link.is_symlink(), link.read_bytes()) == (True, b"old")


@contextmanager
def read_only_folder() -> Iterator[Path]:
    """A folder with one file in which nobody can make another, seen as a user who isn't root."""
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), os.geteuid() == 0
        (folder / "real.m3u8").write_bytes(b"old")
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, os.fsdecode(b"\xff\xfe.m3u8")])
def test_any_name_that_the_disk_takes(tmp_path: Path, name: str) -> None:
    write_bytes(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content"


def test_of_two_writers_one_wins_wholly(tmp_path: Path) -> None:
    path = tmp_path / "contested"
    contents = [bytes([number]) * 100_000 for number in range(4)]
    threads = [threading.Thread(target=write_bytes, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_goes_with_time(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    old, young = tmp_path / f".list.m3u8.{'0' * 16}", tmp_path / f".list.m3u8.{'1' * 16}"
    others = [tmp_path / name for name in (f".other.m3u8.{'0' * 16}", ".list.m3u8.backup", f"list.m3u8.{'0' * 16}")]
    for each in (old, young, *others):
        each.write_bytes(b"half a li")
    for each in (old, *others):
        os.utime(each, (1e9, 1e9))
    write_bytes(path, b"new")
    assert {*tmp_path.iterdir()} == {path, young, *others}


class TestTarget:
    def verify(self, path: Path) -> str:
        """The sentence on a target of two suffixes, of which files with b"own" are replaced; empty for none."""
        try:
            verify_target(path, "--out", (".a", ".b"), lambda each: each.read_bytes() == b"own", "list")
        except TargetError as error:
            return str(error)
        return ""

    @pytest.mark.parametrize("name", ["new.a", "NEW.B", "own.a", "link.b", "nowhere.a"])
    def test_a_new_file_and_one_of_its_kind_are_targets(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "own.a").write_bytes(b"own")
        (tmp_path / "link.b").symlink_to("own.a")
        (tmp_path / "nowhere.a").symlink_to("nothing")
        assert self.verify(tmp_path / name) == ""

    @pytest.mark.parametrize("name", ["song.ogg", "a", ".a", "x.a.ogg"])
    def test_another_suffix_is_refused(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        assert self.verify(path) == f"--out takes the name of a file that ends in .a or .b, not {str(path)!r}."

    @pytest.mark.parametrize("name", ["other.a", "link.a"])
    def test_another_kind_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "other.a").write_bytes(b"other")
        (tmp_path / "link.a").symlink_to("other.a")
        path = tmp_path / name
        assert self.verify(path) == (
            f"--out: {path} is there already and is no list; name another file, or delete it first."
        )

    def test_what_is_no_regular_file_is_refused_and_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.a")  # to open it would take until another program does
        (tmp_path / "folder.a").mkdir()
        for path in (tmp_path / "pipe.a", tmp_path / "folder.a"):
            assert self.verify(path) == f"--out: {path} is there already and is no file; name another one."

    def test_the_error_names_a_missing_folder(self, tmp_path: Path) -> None:
        assert self.verify(tmp_path / "no" / "x.a") == f"--out: there is no folder {tmp_path / 'no'}."

    def test_without_a_kind_any_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "other.a").write_bytes(b"other")
        verify_target(tmp_path / "other.a", "--out", (".a",))
