"""What the quality benchmark does with files: hearing, keeping, altering, recognising."""

from __future__ import annotations

import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.quality.alterations import SHIFT, cut, moved, quieter, tilted, wav
from benchmarks.quality.baselines import Bliss, Lots, Mfcc
from benchmarks.quality.hearing import heard_by, seconds_of
from benchmarks.quality.kept import Kept, read, write
from benchmarks.quality.listening import Heard, Listening, timed
from benchmarks.quality.robustness import recognitions, spread
from benchmarks.quality.scores import Tracks
from resonance_engine.audio.windows import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding
from tests.audio_files import tune, write_audio
from training.default_model.transcoding import Sound, decoded, mp3

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DECODING = Decoding(seconds=2.0, hop_seconds=0.5, windows=2)
RATE = 44100


class Reader:
    """Hears a file's length and its place, and fails on what is no audio."""

    name, made_by = "reader", "1"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, listening: Listening) -> Heard:
        self.heard.append(listening.path.name)
        windows, seconds = listening.windows(DECODING)
        return Heard({"numbers": np.array([len(windows), listening.place])}, {"decoding": seconds})

    def rows(self) -> dict[str, object]:
        return {}


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for number in range(3):
        write_audio(tmp_path / f"{number}.wav", tune(6.0, seed=number), RATE)
    (tmp_path / "3.wav").write_bytes(b"no audio")
    return tmp_path


PATHS = [f"{number}.wav" for number in range(4)]


def silently(_: str) -> None:
    pass


def test_tracks_are_heard_once_and_kept(songs: Path, tmp_path: Path) -> None:
    reader = Reader()
    first = heard_by([reader], songs, PATHS, tmp_path / "kept", False, silently)["reader"]
    assert sorted(first.heard) == PATHS[:3]
    assert "3.wav" in first.failed["3.wav"]
    again = heard_by([reader], songs, PATHS, tmp_path / "kept", False, silently)["reader"]
    assert reader.heard == PATHS
    assert again.heard["1.wav"].arrays["numbers"].tolist() == [2, 1]
    assert again.failed == first.failed
    heard_by([reader], songs, PATHS, tmp_path / "kept", True, silently)
    assert reader.heard == PATHS * 2


def test_some_tracks_keep_their_places(songs: Path, tmp_path: Path) -> None:
    found = heard_by([Reader()], songs, PATHS, tmp_path / "kept", False, silently, ["2.wav"])["reader"]
    assert {path: each.arrays["numbers"][1] for path, each in found.heard.items()} == {"2.wav": 2}


def test_another_version_hears_anew(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", Kept("1", {"a": Heard({"x": np.arange(3.0)}, {"analysis": 0.5})}, {"b": "why"}))
    same, other = read(tmp_path / "a.npz", "1"), read(tmp_path / "a.npz", "2")
    np.testing.assert_array_equal(same.heard["a"].arrays["x"], np.arange(3.0))
    assert (same.heard["a"].seconds, same.failed) == ({"analysis": 0.5}, {"b": "why"})
    assert (other.heard, other.failed) == ({}, {})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04damaged"])
def test_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    assert read(tmp_path / "a.npz", "1").heard == {}


def test_seconds_of_every_system_and_no_failed_track(songs: Path) -> None:
    found = seconds_of([Reader(), Lots()], songs, PATHS, ["1.wav", "3.wav"])
    assert found["reader"]["decoding"] > 0
    assert found["random"] == {}


def test_seconds_are_of_the_processor() -> None:
    import time

    _, asleep = timed(lambda: time.sleep(0.05))
    _, busy = timed(lambda: sum(range(2_000_000)))
    assert asleep < 0.02 < busy


def test_panic_is_a_sentence(monkeypatch: pytest.MonkeyPatch, songs: Path) -> None:
    class PanicException(BaseException):
        pass

    def song(_: str) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setitem(sys.modules, "bliss_audio", SimpleNamespace(Song=song))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.2")
    with pytest.raises(AudioError, match="index out of bounds"):
        Bliss().hear(Listening(0, songs / "0.wav"))


def test_mfcc_statistics() -> None:
    pytest.importorskip("librosa")
    mfcc = Mfcc()
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((2, 22050)).astype(np.float32)
    found = mfcc.statistics(windows)
    assert found.shape == (60,)
    np.testing.assert_allclose(mfcc.statistics(windows[::-1]), found, atol=1e-3)
    # Ten times louder: only the mean of the first coefficient rises.
    louder = mfcc.statistics(10 * windows)
    np.testing.assert_allclose(louder[1:], found[1:], atol=1e-3)
    assert louder[0] > found[0] + 100


def stereo(seconds: float, rate: int = RATE) -> Sound:
    return Sound(tune(seconds, rate, seed=1), rate)


def test_wav_is_what_went_in(tmp_path: Path) -> None:
    sound = stereo(3.0)
    found = decoded(wav(sound, tmp_path / "a.wav"))
    np.testing.assert_array_equal(found.samples, sound.samples)
    assert found.rate == RATE


def test_one_channel_keeps_its_level(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "mono.wav", tune(3.0, 22050, channels=1), 22050, "wav-float")
    found = decoded(path)
    assert found.rate == 22050
    np.testing.assert_array_equal(found.samples[0], found.samples[1])
    np.testing.assert_allclose(
        read_windows(wav(found, tmp_path / "a.wav"), DECODING).windows, read_windows(path, DECODING).windows, atol=1e-6
    )


def test_file_that_is_no_audio_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no audio")
    with pytest.raises(AudioError, match="from end to end"):
        decoded(tmp_path / "a.mp3")


@pytest.mark.parametrize("rate", [RATE, 22050, 37800])
def test_mp3_is_the_same_music_in_stereo(tmp_path: Path, rate: int) -> None:
    sound = stereo(6.0, rate)
    path = mp3(sound, tmp_path, 128_000)
    found = decoded(path)
    length = sound.samples.shape[1] / sound.rate
    assert found.samples.shape[1] / found.rate == pytest.approx(length, abs=0.1)
    assert path.stat().st_size * 8 / length == pytest.approx(128_000, rel=0.05)
    ours, theirs = (read_windows(each, DECODING).windows for each in (wav(sound, tmp_path / "a.wav"), path))
    for before, after in zip(ours, theirs, strict=True):
        # The header's length may move the windows by a few samples, and LAME takes 0.45 dB off.
        lags = np.fft.irfft(np.fft.rfft(before) * np.conj(np.fft.rfft(after)))
        assert lags.max() / np.square(before).sum() == pytest.approx(10 ** (-0.45 / 20), abs=0.05)


def test_cut_and_moved_files(tmp_path: Path) -> None:
    sound = stereo(6.0)
    shift = round(SHIFT * RATE)
    np.testing.assert_array_equal(decoded(cut(sound, tmp_path)).samples, sound.samples[:, shift:])
    later = read_windows(moved(sound, tmp_path), DECODING)
    whole = read_windows(wav(sound, tmp_path / "a.wav"), DECODING)
    assert later.starts == whole.starts
    mono = sound.samples.mean(axis=0)
    for start, window in zip(later.starts, later.windows, strict=True):
        first = round(start * RATE) + shift
        expected = mono[first : first + len(window)]
        np.testing.assert_allclose(window[: len(expected)], expected, atol=1e-6)


def test_quieter_and_tilted() -> None:
    moments = np.arange(RATE) / RATE
    low, high = (0.1 * np.sin(2 * np.pi * pitch * moments).astype(np.float32)[None] for pitch in (40.0, 11025.0))

    def decibels(after: NDArray[np.float32], before: NDArray[np.float32]) -> float:
        return float(20 * np.log10(np.sqrt(np.square(after).mean() / np.square(before).mean())))

    assert decibels(quieter(low, RATE), low) == pytest.approx(-6, abs=0.01)
    octaves = np.log2(22050 / 20)
    assert decibels(tilted(low, RATE, 6.0), low) == pytest.approx(6 * (1 / octaves - 0.5), abs=0.05)
    assert decibels(tilted(high, RATE, 6.0), high) == pytest.approx(6 * (0.5 - 1 / octaves), abs=0.05)
    assert decibels(tilted(high, RATE, -6.0), high) == pytest.approx(-6 * (0.5 - 1 / octaves), abs=0.05)


TRACKS = Tracks(tuple("abcdef"), ("A", "A", "A", "B", "B", "C"), ("",) * 6, np.array([0, 0, 0, 1, 1, 1]))


def test_tracks_are_spread_over_soundtracks() -> None:
    assert spread(TRACKS, 3) == ["a", "d", "f"]
    assert spread(TRACKS, 5) == ["a", "b", "d", "e", "f"]
    assert spread(TRACKS, 99) == list("abcdef")


def test_recognition() -> None:
    axes = np.eye(6, dtype=np.float32)
    originals = Kept("1", {path: Heard({"embedding": axes[i]}, {}) for i, path in enumerate(TRACKS.paths)})
    near, lost = (np.array([value, np.sqrt(1 - value**2), 0, 0, 0, 0], np.float32) for value in (0.99, 0.6))
    altered = Kept("1", {"a": Heard({"MP3": near, "cut": lost}, {}), "f": Heard({"MP3": axes[5], "cut": axes[5]}, {})})
    first, second = recognitions(TRACKS, originals, altered, TRACKS.pools())
    assert (first.guise, first.tracks, first.enough, first.found) == ("MP3", 2, 1.0, 1.0)
    assert first.mean == pytest.approx(0.995)
    assert (second.guise, second.enough, second.found) == ("cut", 0.5, 0.5)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "pymusly", None)
    found = import_module("benchmarks.quality.__main__").others(None)
    assert "musly" not in [system.name for system in found]
    said = capsys.readouterr().err
    assert "install pymusly" in said
    assert "--musicnn" in said
