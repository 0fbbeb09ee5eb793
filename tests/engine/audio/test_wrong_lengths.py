"""Files whose header is wrong about the length have the windows of the same music under a right header."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import resonance_engine
from resonance_engine.audio import windows
from resonance_engine.audio.decoding import AudioSource
from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.features.spec import Decoding
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio, write_looped
from tests.wrong_length_files import MORE_FORMATS, RATE, sections, write
from tests.wrong_lengths import WRONG_LENGTHS

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray

DECODING = Decoding(rate=RATE)
MODEL = Path(resonance_engine.__file__).parent / "models" / "default" / "model.onnx"


@pytest.fixture
def packets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the packets that are decoded."""
    sizes: list[int] = []
    decode = AudioSource.decode

    def counted(source: AudioSource, packet: Packet[AudioStream] | None) -> list[AudioFrame]:
        sizes.append(0 if packet is None else packet.size)
        return decode(source, packet)

    monkeypatch.setattr(AudioSource, "decode", counted)
    return sizes


@pytest.mark.parametrize("kind", WRONG_LENGTHS)
def test_windows_are_those_of_the_right_header(tmp_path: Path, kind: str, packets: list[int]) -> None:
    wrong, right = WRONG_LENGTHS[kind](tmp_path)
    expected = read_windows(right, DECODING)
    decoded = len(packets)

    recording = read_windows(wrong, DECODING)

    assert len(recording.windows) == len(expected.windows)
    assert recording.duration == pytest.approx(expected.duration, rel=0.02)
    assert recording.starts == pytest.approx(expected.starts, abs=1.5)
    assert len(packets) - decoded <= 2 * decoded
    levels, right_levels = (np.sqrt((each.windows**2).mean(axis=1)) for each in (recording, expected))
    np.testing.assert_allclose(levels, right_levels, rtol=0.15, atol=0.01)


@pytest.mark.rest
@pytest.mark.parametrize("kind", WRONG_LENGTHS)
def test_embeddings_are_those_of_the_right_header(tmp_path: Path, kind: str) -> None:
    encoder = Encoder(MODEL)

    def embed(path: Path) -> NDArray[np.float32]:
        recording = read_windows(path, encoder.manifest.spec.decoding)
        return encoder.embed(encoder.front_end(recording.windows), tuple(recording.starts)).vector

    wrong, right = (embed(path) for path in WRONG_LENGTHS[kind](tmp_path))
    assert float(wrong @ right) > 0.97


RIGHT = [*MUSIC_FORMATS, *MORE_FORMATS]  # raw AAC has no header, and what FFmpeg estimates is a few per cent off


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_header_is_believed(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is counted, and no more than its end is looked at."""
    path = write(tmp_path, "right", sections(30.0), kind)

    def refuse(*_: object) -> None:
        raise AssertionError("a right header was doubted")

    monkeypatch.setattr(windows, "count_seconds", refuse)
    monkeypatch.setattr(windows, "count_spans", refuse)
    recording = read_windows(path, DECODING)

    assert recording.starts == pytest.approx((1.5, 4.5, 7.5), abs=0.1) or len(recording.starts) == 4


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "vorbis"])
def test_damage_in_the_middle_does_not_make_a_right_header_wrong(tmp_path: Path, kind: str) -> None:
    """The damage is between two windows, which stay where they were."""
    decoding = Decoding(rate=RATE, seconds=2.0)
    path = write_audio(tmp_path / f"right{FORMATS[kind].suffix}", tune(40.0, RATE), RATE, kind)
    expected = read_windows(path, decoding)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    path.write_bytes(content)

    assert read_windows(path, decoding).starts == expected.starts


def test_content_keys_do_not_depend_on_what_is_mended(tmp_path: Path) -> None:
    """Of a WAV whose size wrapped, the key has always been that of the audio which the header states."""
    wrong, right = WRONG_LENGTHS["wav: size wrapped"](tmp_path)
    content = wrong.read_bytes()
    size = content.index(b"data") + 4
    stated = int.from_bytes(content[size : size + 4], "little")
    samples = sections()[:, : stated // 4]

    assert content_key(wrong) == content_key(write_audio(tmp_path / "stated.wav", samples, RATE, "wav"))
    assert content_key(wrong) != content_key(right)


def test_hours_of_a_wrong_header_are_counted_without_decoding(tmp_path: Path, packets: list[int]) -> None:
    """Two hours of MP3 whose Xing header states three minutes."""
    minute = write_audio(tmp_path / "minute.mp3", tune(60.0, 8000, channels=1), 8000, bit_rate=16_000)
    mix = write_looped(tmp_path / "mix.mp3", minute, 120)
    stated = write_audio(tmp_path / "stated.mp3", tune(180.0, 8000, channels=1), 8000, bit_rate=16_000)
    header = stated.read_bytes()
    header = header[: header.index(b"Info") + 512]
    mix.write_bytes(header + mix.read_bytes())

    recording = read_windows(mix, Decoding(rate=8000))

    assert recording.duration == pytest.approx(7200.0, rel=0.02)
    assert recording.starts == pytest.approx((900, 2690, 4490, 6280), rel=0.02)
    assert len(packets) < 4 * 25 * 8000 / 576
