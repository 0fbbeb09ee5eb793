"""Files in which another stream appears on the way, and samples of 64 bits: what can be decoded is analysed."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from resonance_engine.audio.windows import content_key, read_passage, read_tags, read_windows
from resonance_engine.features.spec import Decoding
from tests.audio_files import Format, tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

RATE = 44_100
DECODING = Decoding(rate=RATE, seconds=2.0, hop_seconds=1.0)


def write_streams(path: Path, muxer: str, encoders: Sequence[str], samples: NDArray[np.float32]) -> Path:
    """Write samples once for each encoder; one of video makes grey pictures."""
    with av.open(os.fspath(path), "w", format=muxer) as container:
        streams = [container.add_stream(each, rate=10 if each == "flv" else RATE) for each in encoders]
        for stream in streams:
            if isinstance(stream, av.AudioStream):
                stream.codec_context.layout = "stereo"
        for stream in streams:
            if isinstance(stream, av.VideoStream):
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for _ in range(10 * samples.shape[1] // RATE):
                    picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
                    container.mux(stream.encode(picture))
            elif isinstance(stream, av.AudioStream):
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = RATE, 0
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def join(path: Path, first: Path, second: Path, skip: int = 0) -> Path:
    path.write_bytes(first.read_bytes() + second.read_bytes()[skip:])
    return path


@pytest.fixture(scope="module")
def music() -> NDArray[np.float32]:
    return tune(14.0, RATE)


@pytest.fixture(params=["flv", "ogg: more streams", "ogg: another codec"])
def late(tmp_path: Path, music: NDArray[np.float32], request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A file in which a stream appears, and its first part."""
    end = tune(5.0, RATE, seed=1)
    if request.param == "flv":
        first = write_audio(tmp_path / "first.flv", music, RATE, Format("flv", "aac", "fltp", ".flv"))
        second = write_streams(tmp_path / "second.flv", "flv", ["flv", "libmp3lame"], end)
        return join(tmp_path / "late.flv", first, second, 13), first
    first = write_audio(tmp_path / "first.ogg", music, RATE, "vorbis")
    encoders = ["flac", "flac"] if request.param.endswith("more streams") else ["flac"]
    second = write_streams(tmp_path / "second.ogg", "ogg", encoders, end)
    return join(tmp_path / "late.ogg", first, second), first


def test_the_music_before_a_late_stream_is_analysed(late: tuple[Path, Path]) -> None:
    path, first = late
    recording, expected = read_windows(path, DECODING), read_windows(first, DECODING)

    assert len(recording.windows) == len(expected.windows) == 4
    assert 13.5 <= recording.duration <= 19.5
    assert np.abs(recording.windows).max(axis=1).min() > 0.1
    assert len(content_key(path)) == 16
    read_tags(path)
    np.testing.assert_allclose(
        read_passage(path, DECODING, (2.0, 5.0)).windows, read_passage(first, DECODING, (2.0, 5.0)).windows, atol=1e-3
    )


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_64_bits(tmp_path: Path, channels: int) -> None:
    music = tune(8.0, RATE, channels=channels)
    data = (music.T.astype(np.float64) * 2.0**63).astype("<i8").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, RATE, RATE * 8 * channels, 8 * channels, 64)
    path = tmp_path / "wide.wav"
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt \x10\0\0\0" + form
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip

    recording = read_windows(path, DECODING)

    assert recording.starts == pytest.approx((0.75, 2.25, 3.75, 5.25))
    for window, start in zip(recording.windows, recording.starts, strict=True):
        begin = round(start * RATE)
        np.testing.assert_allclose(window, music.mean(axis=0)[begin : begin + len(window)], atol=1e-6)
