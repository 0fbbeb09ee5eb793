"""Sizes in files of chunks are mended where audio lies behind them, and nowhere else."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.audio.chunk_sizes import MendedFile, mend_sizes
from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.windows import read_windows
from resonance_engine.features.spec import Decoding
from tests.audio_files import tune, write_audio
from tests.wrong_length_files import MORE_FORMATS, put, rf64, sections, times, write

if TYPE_CHECKING:
    from pathlib import Path

DATA = np.random.default_rng(0).bytes(10_000)


def wav(data: bytes = DATA, size: int | None = None, before: bytes = b"", behind: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    size = len(data) if size is None else size
    chunks = b"fmt \x10\0\0\0" + form + before + b"data" + struct.pack("<I", size) + data + behind
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


@pytest.mark.parametrize(
    "content",
    [
        wav(),
        wav(before=chunk(b"LIST", b"x" * 601), behind=chunk(b"id3 ", b"y" * 3001) + chunk(b"bext", b"z" * 600)),
        wav(DATA[:-1], behind=b"\0" + chunk(b"LIST", b"x" * 5000)),
        wav(behind=b"TAG" + bytes(125)),
        wav(size=0),
        wav(size=0xFFFFFFFF),
        wav(size=90_000),
        wav()[:40],
        b"RIFF",
        b"",
        b"fLaC" + DATA,
        b"RIFF" + bytes(8) + b"\0\0\0\0\0\0\0\0" * 5000,
    ],
)
def test_nothing_is_mended_where_ffmpeg_reads_all(content: bytes) -> None:
    assert mend_sizes(io.BytesIO(content)) == {}


@pytest.mark.parametrize("size", [2, 400, 3000, 9000])
def test_a_wrong_size_becomes_that_of_the_rest(size: int) -> None:
    content = wav(size=size)
    assert mend_sizes(io.BytesIO(content)) == {40: struct.pack("<I", len(DATA))}


def test_more_than_32_bits_hold_is_left_open(tmp_path: Path) -> None:
    """A sparse file of 4 GiB and 12 seconds, as recorders leave it whose size wrapped."""
    path = write_audio(tmp_path / "long.wav", tune(12.0, 44_100), 44_100)
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(len(content) + (1 << 32))
    with path.open("rb") as file:
        assert mend_sizes(file) == {content.index(b"data") + 4: bytes(4)}
    with open_audio(path) as source:
        assert source.duration == pytest.approx(((1 << 32) + len(content)) / 176_400, rel=1e-3)


@pytest.mark.parametrize("kind", ["wav", "aiff", *(name for name in MORE_FORMATS if name in ("w64", "caf"))])
def test_right_files_of_every_kind_are_left_alone(tmp_path: Path, kind: str) -> None:
    with write(tmp_path, "right", sections(5.0), kind).open("rb") as file:
        assert mend_sizes(file) == {}


def test_a_mended_file_reads_as_one_written_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    random = np.random.default_rng(1)
    with path.open("rb") as file:
        mended = MendedFile(file, {100: b"abcd", 7000: b"efghijkl"})
        whole = DATA[:100] + b"abcd" + DATA[104:7000] + b"efghijkl" + DATA[7008:]
        assert mended.read() == whole
        for _ in range(300):
            begin, count = int(random.integers(len(DATA))), int(random.integers(200))
            begin = begin if random.random() < 0.3 else int(random.choice([100, 7000])) - int(random.integers(20))
            assert mended.seek(begin) == begin
            assert mended.read(count) == whole[begin : begin + count]
        assert mended.seek(0, os.SEEK_END) == len(DATA) == mended.tell()


def test_an_rf64_file_that_is_right_is_left_alone(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", tune(5.0, 44_100), 44_100)
    content = path.read_bytes()
    size = len(content) - content.index(b"data") - 8
    assert mend_sizes(io.BytesIO(rf64(content, size))) == {}
    path.write_bytes(rf64(content, size // 3))
    assert read_windows(path, Decoding(rate=44_100, seconds=2.0)).duration == pytest.approx(5.0)


def test_a_size_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", tune(5.0, 44_100), 44_100)
    path.write_bytes(times(b"data", 4, "<I", 0.37777)(put(b"data", 4, struct.pack("<I", 882_000))(path.read_bytes())))
    assert read_windows(path, Decoding(rate=44_100, seconds=2.0)).duration == pytest.approx(5.0, abs=0.01)
