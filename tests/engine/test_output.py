"""Where standard output ends early: processes whose output is closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.audio import pipes
from resonance_engine.audio.pipes import seekable_file
from resonance_engine.errors import AudioError
from tests.audio_files import tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = f"{sys.executable} -m resonance_engine.cli"
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two songs in `music`, and their catalog in `catalog`."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "music").mkdir()
    for seed in range(2):
        write_audio(folder / "music" / f"{seed}.wav", tune(4, 22050, channels=1, seed=seed), 22050)
    assert shell(folder, f"{COMMAND} index music --out catalog --threads 1").returncode == 0
    return folder


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in bash."""
    bash = shutil.which("bash")
    assert bash is not None
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [bash, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


VERBS = {
    "query": "query --audio music/0.wav --index-dir catalog",
    "help": "--help",
    "version": "--version",
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_pipe_without_a_reader_ends_a_command_in_silence(folder: Path, verb: str) -> None:
    done = shell(folder, f"{{ sleep 0.2; {COMMAND} {VERBS[verb]}; echo $? >&3; }} 3>status | true; cat status")
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_closed_streams_are_no_error(folder: Path, verb: str) -> None:
    done = shell(folder, f"{COMMAND} {VERBS[verb]} >&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell(folder, f"{COMMAND} {VERBS[verb]} <&- >&- 2>&-").returncode == 0


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_below_the_output_is_one_sentence(folder: Path, verb: str) -> None:
    done = shell(folder, f"{COMMAND} {VERBS[verb]} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "resonance: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("end", [">&-", ">/dev/full", "| true"])
def test_the_work_is_kept(folder: Path, tmp_path: Path, end: str) -> None:
    music = folder / "music"
    shell(tmp_path, f"{COMMAND} index {music} --out catalog --threads 1 {end}")
    shell(tmp_path, f"{COMMAND} embed {music / '0.wav'} --out embeddings.npz {end}")
    with np.load(tmp_path / "embeddings.npz") as file:
        assert file["embeddings"].shape[0] == 1
    again = shell(tmp_path, f"{COMMAND} index {music} --out catalog --threads 1")
    assert again.stdout.startswith("2 tracks in catalog, 0 of them new")


def test_closed_standard_error_stops_no_work(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "music", tmp_path / "music")
    (tmp_path / "music" / "broken.mp3").write_bytes(b"no music")
    for end in (">/dev/full", ">&-"):
        done = shell(tmp_path, f"{COMMAND} index music --out catalog --threads 1 2{end}")
        assert (done.returncode, done.stdout[:19]) == (0, "2 tracks in catalog")
        shutil.rmtree(tmp_path / "catalog")


def test_what_comes_out_of_a_command_is_a_file(folder: Path) -> None:
    for audio in ("<(cat music/1.wav)", "/dev/stdin <music/1.wav", "/dev/stdin < <(cat music/1.wav)"):
        done = shell(folder, f"{COMMAND} query --audio {audio} --index-dir catalog --topk 1")
        assert done.stdout.splitlines()[1] == "1. 1  score=1.000", done.stderr
    done = shell(folder, f"{COMMAND} embed <(cat music/0.wav) <(true) --out piped.npz")
    assert done.stdout.startswith("1 embedding in piped.npz, 1 failed")
    assert done.stderr.startswith("resonance: /dev/fd/")


class TestPipes:
    @pytest.fixture
    def pipe(self, tmp_path: Path) -> Path:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        return path

    @pytest.fixture
    def writer(self, pipe: Path) -> Iterator[int]:
        """The writing end, beside a reading one without which it could not be opened."""
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(pipe, os.O_WRONLY)
        yield writer
        os.close(reader)

    def test_one_to_which_no_program_writes(self, pipe: Path) -> None:
        with pytest.raises(AudioError, match=r"nothing came out of the pipe in 0\.2 s"), seekable_file(pipe, 0.2):
            pass

    def test_one_whose_writer_rests(self, pipe: Path, writer: int) -> None:
        os.write(writer, b"music")
        with pytest.raises(AudioError, match=r"nothing came out of the pipe in 0\.2 s"), seekable_file(pipe, 0.2):
            pass
        os.close(writer)

    def test_one_that_never_ends(self, pipe: Path, writer: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pipes, "LARGEST", 10)
        os.write(writer, b"x" * 11)
        with pytest.raises(AudioError, match="come out of the pipe; give a file"), seekable_file(pipe):
            pass
        os.close(writer)

    def test_the_copy_is_gone_after_it_was_read(self, pipe: Path, writer: int) -> None:
        os.write(writer, b"music")
        os.close(writer)
        with seekable_file(pipe) as file:
            assert file.read_bytes() == b"music"
        assert not file.exists()

    def test_files_and_what_is_not_there_are_themselves(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("none.mp3", "."):
            with seekable_file(Path(name)) as file:
                assert file == tmp_path / name
