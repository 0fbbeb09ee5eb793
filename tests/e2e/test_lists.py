"""A stranger's evening: what sounds like this, and a playlist of it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.home import Home


FULL = "standard output cannot be written: No space left on device"


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_written_to_the_library(songs: Home) -> Iterator[None]:
    before = hashlib.sha256(songs.library.read_bytes()).digest(), os.stat(songs.library).st_mtime_ns  # noqa: PTH116
    yield
    assert before == (
        hashlib.sha256(songs.library.read_bytes()).digest(),
        os.stat(songs.library).st_mtime_ns,  # noqa: PTH116
    )


def test_similar_in_a_pipe_is_the_list_and_nothing_else(songs: Home) -> None:
    status, out, err = songs.run("similar", "-n", "5", "title:song 3")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    assert {line.rpartition(" - ")[2] for line in lines} == {f"Song {n}" for n in (0, 1, 2, 4, 5)}
    scores = [float(line.split()[0]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    assert all(-1.0 <= score <= 1.0 for score in scores)
    status, out, err = songs.run("similar", "-f", "$similarity $title", "-n", "2", "title:song 3")
    assert (status, err) == (0, "")
    assert [float(line.split()[0]) for line in out.splitlines()] == pytest.approx(scores[:2], abs=5.1e-4)


def test_a_playlist_file_holds_what_the_printed_list_holds(songs: Home, tmp_path: Path) -> None:
    printed = songs.beet("playlist", "-p", "-n", "4", "title:song 3")
    target = tmp_path / "evening.m3u8"
    songs.beet("playlist", "-n", "4", "-o", str(target), "title:song 3")
    entries = [line for line in target.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [os.path.normpath(tmp_path / entry) for entry in entries] == printed
    assert printed[0].endswith("Song 3.flac")
    *tracks, total = songs.beet("playlist", "--minutes", "0.2", "title:song 3")
    assert (len(tracks), total[:9]) == (3, "3 tracks,")


@pytest.mark.parametrize("command", ["similar -n 3 'title:song 3'", "resonance status"])
def test_output_that_ends_early(songs: Home, command: str) -> None:
    assert songs.shell(f"{{ sleep 0.5; beet {command}; echo $? >&2; }} | true") == (0, "", "141\n")
    assert songs.shell(f"beet {command} >&-") == (0, "", "")
    assert songs.shell(f"beet {command} <&- >&- 2>&-") == (0, "", "")
    assert songs.shell(f"beet {command} >/dev/full") == (1, "", f"error: {command.split()[0]}: {FULL}\n")


@pytest.mark.parametrize("end", [">&-", ">/dev/full", "| true"])
def test_work_is_kept_whose_output_ends_early(songs: Home, tmp_path: Path, end: str) -> None:
    target = tmp_path / "list.m3u8"
    songs.shell(f"beet playlist -n 3 -o {target} 'title:song 3' {end}")
    assert target.read_bytes().count(b"#EXTINF") == 3
    target.write_bytes(b"".join(target.read_bytes().splitlines(keepends=True)[:-2]))
    songs.shell(f"beet playlist --refresh {target} {end}")
    assert target.read_bytes().count(b"#EXTINF") == 3


def test_what_comes_out_of_a_command_is_a_file(songs: Home) -> None:
    _, expected, _ = songs.run("similar", "-n", "3", "--file", str(next(songs.music.rglob("*Song 3.flac"))))
    assert songs.shell("beet similar -n 3 --file <(cat music/*/*/*'Song 3.flac')")[:2] == (0, expected)


def test_status_check_and_pretending_only_look(songs: Home) -> None:
    before = songs.sidecar.read_bytes()
    lines = songs.beet("resonance", "status")
    assert lines[:4] == ["tracks:         6", "analysed:       6", "not yet:        0", "failed:         0"]
    assert songs.beet("resonance", "check") == ["no problems"]
    assert songs.beet("resonance", "analyze", "--pretend") == ["would analyse 0 tracks and forget 0"]
    assert songs.sidecar.read_bytes() == before


def test_what_cannot_be_done_is_one_sentence(songs: Home, tmp_path: Path) -> None:
    said = songs.fails("similar", "title:nothing")
    assert said == "error: similar: no track matches title:nothing; try `beet ls title:nothing`\n"
    (tmp_path / "text.mp3").write_text("not music")
    said = songs.fails("similar", "--file", str(tmp_path / "text.mp3"))
    assert said.startswith(f"error: similar: {tmp_path / 'text.mp3'}: ")
    assert said.count("\n") == 1


def test_a_listing_does_not_open_the_store(songs: Home, tmp_path: Path) -> None:
    clone = songs.clone(tmp_path / "clone")
    clone.sidecar.write_bytes(b"whoever opens this fails")
    assert len(clone.beet("ls")) == 6
    assert "is damaged or not a Resonance database" in clone.fails("similar", "song")
    clone.sidecar.unlink()
    clone.beet("ls")
    assert not clone.sidecar.exists()
