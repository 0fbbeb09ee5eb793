"""A file is its old self or its new self, and nothing else is left behind."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path


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
