"""What is heard of a passage is that passage and nothing else, in every format, or one sentence says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.audio.decoding import AudioSource, open_audio
from resonance_engine.audio.passage import Passage
from resonance_engine.audio.spans import window_starts
from resonance_engine.audio.windows import read_passage, read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding
from tests.audio_files import FORMATS, MUSIC_FORMATS, hiss, tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

RATE = 24_000
SECONDS = 20.0
DECODING = Decoding(rate=RATE, seconds=2.0, hop_seconds=1.0)
LOSSLESS = ("flac", "alac", "wav", "aiff", "wavpack")


@pytest.fixture(scope="module")
def samples() -> NDArray[np.float32]:
    return tune(SECONDS, RATE)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory, samples: NDArray[np.float32]) -> dict[str, Path]:
    """The same twenty seconds in every format."""
    folder = tmp_path_factory.mktemp("music")
    return {
        kind: write_audio(folder / f"{kind}{FORMATS[kind].suffix}", samples, RATE, kind)
        for kind in (*MUSIC_FORMATS, "adts")
    }


@pytest.fixture
def unseekable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be sought."""
    monkeypatch.setattr(AudioSource, "seek_span", lambda *_: None)


def refusal(path: Path, passage: tuple[float, float], decoding: Decoding = DECODING) -> str:
    with pytest.raises(AudioError) as caught:
        read_passage(path, decoding, Passage(*passage))
    assert caught.value.path == path
    return caught.value.reason


@pytest.mark.parametrize("kind", LOSSLESS)
def test_windows_are_spread_over_the_passage(music: dict[str, Path], samples: NDArray[np.float32], kind: str) -> None:
    passage = Passage(6.0, 14.0)
    recording = read_passage(music[kind], DECODING, passage)

    assert recording.starts == pytest.approx([6.0 + each for each in window_starts(8.0, DECODING)])
    assert len(recording.windows) == DECODING.windows
    assert recording.duration == pytest.approx(8.0)
    assert not recording.short
    for window, start in zip(recording.windows, recording.starts, strict=True):
        assert passage.start <= start <= passage.end - DECODING.seconds
        original = samples.mean(axis=0)[round(start * RATE) :][: len(window)]
        np.testing.assert_allclose(window, original, atol=1.01 / 32768)


@pytest.mark.parametrize("kind", MUSIC_FORMATS)
def test_a_passage_sounds_as_a_file_that_holds_nothing_else(
    music: dict[str, Path], samples: NDArray[np.float32], tmp_path: Path, kind: str
) -> None:
    """Up to what lossy encoders change, and WMA's tenth of a second."""
    alone = write_audio(tmp_path / "alone.flac", samples[:, 6 * RATE : 14 * RATE], RATE)
    expected = read_windows(alone, DECODING).windows

    windows = read_passage(music[kind], DECODING, Passage(6.0, 14.0)).windows

    assert windows.shape == expected.shape
    magnitudes = [np.abs(np.fft.rfft(each))[: 2 * 3000] for each in (windows, expected)]  # up to 3 kHz
    likeness = (magnitudes[0] * magnitudes[1]).sum(axis=1) / np.linalg.norm(magnitudes, axis=2).prod(axis=0)
    assert (likeness > (0.85 if kind == "wma" else 0.98)).all()


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_passage_shorter_than_a_window_is_repeated_and_nothing_beside_it_heard(
    music: dict[str, Path], samples: NDArray[np.float32], kind: str
) -> None:
    recording = read_passage(music[kind], Decoding(rate=RATE, seconds=10.0), Passage(6.0, 10.0))

    assert recording.short
    assert recording.starts == (6.0,)
    assert recording.duration == pytest.approx(4.0)
    expected = np.resize(samples.mean(axis=0)[6 * RATE : 10 * RATE], 10 * RATE)
    np.testing.assert_allclose(recording.windows, [expected], atol=1.01 / 32768)


def test_a_passage_of_the_whole_file_is_the_whole_file(music: dict[str, Path]) -> None:
    whole, passage = read_windows(music["flac"], DECODING), read_passage(music["flac"], DECODING, Passage(0.0, SECONDS))
    assert passage.starts == pytest.approx(whole.starts)
    np.testing.assert_array_equal(passage.windows, whole.windows)


@pytest.mark.usefixtures("unseekable")
@pytest.mark.parametrize("kind", ["flac", "mp3", "adts"])
def test_where_seeking_fails_the_same_is_decoded_from_the_start(
    music: dict[str, Path], samples: NDArray[np.float32], kind: str
) -> None:
    recording = read_passage(music[kind], DECODING, Passage(6.0, 14.0))

    assert recording.starts == pytest.approx([6.0 + each for each in window_starts(8.0, DECODING)], abs=1e-4)
    first = samples.mean(axis=0)[round(recording.starts[0] * RATE) :][: len(recording.windows[0])]
    magnitudes = [np.abs(np.fft.rfft(each))[:6000] for each in (recording.windows[0], first)]
    assert np.dot(*magnitudes) / np.linalg.norm(magnitudes, axis=1).prod() > 0.95


@pytest.mark.parametrize("kind", ["flac", "mp3", "vorbis", "adts"])
@pytest.mark.parametrize("passage", [(30.0, 40.0), (15.0, 25.0), (0.0, 22.0)])
def test_a_passage_behind_the_end_is_refused(music: dict[str, Path], kind: str, passage: tuple[float, float]) -> None:
    assert refusal(music[kind], passage).startswith("it lasts 0:20")
    assert refusal(music[kind], passage).endswith(f"so it has no passage {Passage(*passage)}")


def test_the_end_as_a_player_rounds_it_is_the_end(music: dict[str, Path]) -> None:
    recording = read_passage(music["flac"], DECODING, Passage(12.0, 20.9))
    assert recording.duration == pytest.approx(8.0)
    assert refusal(music["flac"], (17.9, 20.9)).startswith("it lasts 0:20, so it has no passage")


def test_a_header_that_promises_too_little_hides_no_passage(tmp_path: Path) -> None:
    """Without a Xing header FFmpeg takes the first frames' bit rate for all, and here it falls after ten seconds."""
    music = 0.01 * np.sin(np.arange(30 * 22050) / 8)[np.newaxis]
    music[:, : 10 * 22050] = 0.3 * np.random.default_rng(0).standard_normal(10 * 22050)
    path = write_audio(tmp_path / "song.mp3", music, 22050, quality=4.0, muxer_options={"write_xing": "0"})
    with open_audio(path) as source:
        promised = source.duration
    assert promised is not None
    assert promised < 28.0, "the file does not show what it is for"

    recording = read_passage(path, Decoding(seconds=2.0), Passage(22.0, 28.0))

    assert len(recording.windows) > 0
    assert all(22.0 <= start <= 26.0 for start in recording.starts)


def cut_short(folder: Path, path: Path) -> Path:
    content = path.read_bytes()
    (folder / path.name).write_bytes(content[: len(content) // 2])
    return folder / path.name


@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_a_passage_that_the_header_only_promises(music: dict[str, Path], tmp_path: Path, kind: str) -> None:
    reason = refusal(cut_short(tmp_path, music[kind]), (14.0, 18.0))
    assert reason in (
        "it ends before the passage 0:14-0:18, or is damaged there",
        "it lasts 0:10, so it has no passage 0:14-0:18",
    )


def test_silence_is_no_seed(tmp_path: Path, samples: NDArray[np.float32]) -> None:
    hushed = samples.copy()
    hushed[:, 6 * RATE : 14 * RATE] = 0.0
    path = write_audio(tmp_path / "hushed.flac", hushed, RATE)
    reason = "the passage 0:07-0:13 of it is silent: none of its windows is louder than -60 dBFS on average"
    assert refusal(path, (7.0, 13.0)) == reason
    hushed += hiss(hushed.shape[1] / RATE, RATE, -75.0)
    assert refusal(write_audio(tmp_path / "hissing.flac", hushed, RATE), (7.0, 13.0)) == reason
    assert len(read_passage(path, DECODING, Passage(0.0, 10.0)).windows) < DECODING.windows


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "there is no such file"),
        (lambda path: path.write_bytes(b"Dear Sir or Madam\n" * 1000) and path, "it is not audio"),
        (
            lambda path: write_audio(path, tune(2.0, RATE), RATE, "flac"),
            "it lasts 0:02, so it has no passage 0:00-0:03",
        ),
    ],
)
def test_what_cannot_be_listened_to_is_refused_in_plain_words(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    assert refusal(make(tmp_path / "song.flac"), (0.0, 3.0)).startswith(reason)
