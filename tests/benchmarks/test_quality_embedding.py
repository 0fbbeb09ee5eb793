"""What the quality benchmark does with files: hearing, keeping, altering, recognising."""

from __future__ import annotations

import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.quality.baselines import Bliss, RandomBaseline, mfcc_statistics
from benchmarks.quality.embedding_run import CorpusEmbeddings, EmbeddingCache, embed_corpus, time_systems
from benchmarks.quality.robustness import (
    FIRST,
    SHIFT,
    SIMILAR_SHARE,
    attenuate,
    cut_start,
    delay_windows,
    score_distortions,
    tilt,
    write_wav,
)
from benchmarks.quality.scores import CorpusLabels
from benchmarks.quality.systems import SystemOutput, TrackAudio, timed
from resonance_engine.audio.windows import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding
from tests.audio_files import tune, write_audio
from training.default_model.transcoding import StereoAudio, decode, encode_mp3

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DECODING = Decoding(seconds=2.0, hop_seconds=0.5, windows=2)
RATE = 44100


class Reader:
    """A system that returns the number of windows and the place, and fails on what is no audio."""

    name, version = "reader", "1"

    def __init__(self) -> None:
        self.files: list[str] = []

    def embed(self, audio: TrackAudio) -> SystemOutput:
        self.files.append(audio.path.name)
        windows, seconds = audio.windows(DECODING)
        return SystemOutput({"numbers": np.array([len(windows), audio.place])}, {"decoding": seconds})

    def similarities(self) -> dict[str, object]:
        return {}


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for number in range(3):
        write_audio(tmp_path / f"{number}.wav", tune(6.0, seed=number), RATE)
    (tmp_path / "3.wav").write_bytes(b"no audio")
    return tmp_path


PATHS = [f"{number}.wav" for number in range(4)]


def test_tracks_are_embedded_once_and_cached(songs: Path, tmp_path: Path) -> None:
    reader = Reader()
    first = embed_corpus([reader], songs, PATHS, tmp_path / "cache")["reader"]
    assert sorted(first.arrays) == PATHS[:3]
    assert "3.wav" in first.failures["3.wav"]
    again = embed_corpus([reader], songs, PATHS, tmp_path / "cache")["reader"]
    assert reader.files == PATHS
    assert again.arrays["1.wav"]["numbers"].tolist() == [2, 1]
    assert again.failures == first.failures
    embed_corpus([reader], songs, PATHS, tmp_path / "cache", fresh=True)
    assert reader.files == PATHS * 2


def test_some_tracks_keep_their_places(songs: Path, tmp_path: Path) -> None:
    found = embed_corpus([Reader()], songs, PATHS, tmp_path / "cache", only=["2.wav"])["reader"]
    assert {path: arrays["numbers"][1] for path, arrays in found.arrays.items()} == {"2.wav": 2}


def test_another_version_has_a_cache_of_its_own(tmp_path: Path) -> None:
    same, other = EmbeddingCache(tmp_path, "a", "1"), EmbeddingCache(tmp_path, "a", "2")
    same.save("a", {"x": np.arange(3.0)})
    same.save("b", "why")
    found = same.load("a")
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found["x"], np.arange(3.0))
    assert same.load("b") == "why"
    assert (other.load("a"), other.load("b")) == (None, None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04damaged"])
def test_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    cache = EmbeddingCache(tmp_path, "a", "1")
    cache.save("a", "why")
    cache.file("a").write_bytes(content)
    assert cache.load("a") is None


def test_seconds_of_every_system_and_no_failed_track(songs: Path) -> None:
    found = time_systems([Reader(), RandomBaseline()], songs, PATHS, ["1.wav", "3.wav"])
    assert found["reader"]["decoding"] > 0
    assert found["random"] == {}


def test_seconds_are_of_the_processor() -> None:
    import time

    def work() -> None:
        start = time.process_time()
        while time.process_time() < start + 0.05:
            pass

    _, asleep = timed(lambda: time.sleep(0.05))
    _, busy = timed(work)
    assert asleep < 0.05 <= busy


def test_panic_is_a_sentence(monkeypatch: pytest.MonkeyPatch, songs: Path) -> None:
    class PanicException(BaseException):
        pass

    def song(_: str) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setitem(sys.modules, "bliss_audio", SimpleNamespace(Song=song))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.2")
    with pytest.raises(AudioError, match="index out of bounds"):
        Bliss().embed(TrackAudio(0, songs / "0.wav"))


def test_mfcc_statistics() -> None:
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((2, 22050)).astype(np.float32)
    found = mfcc_statistics(windows)
    assert found.shape == (60,)
    np.testing.assert_allclose(mfcc_statistics(windows[::-1]), found, atol=1e-3)
    # Ten times louder: only the mean of the first coefficient rises.
    louder = mfcc_statistics(10 * windows)
    np.testing.assert_allclose(louder[1:], found[1:], atol=1e-3)
    assert louder[0] > found[0] + 100


@pytest.mark.slow
def test_mfcc_statistics_are_those_of_librosa() -> None:
    feature = pytest.importorskip("librosa").feature
    windows = np.random.default_rng(0).standard_normal((2, 22050)).astype(np.float32)
    frames = [feature.mfcc(y=window, sr=22050, n_mfcc=20) for window in windows]
    values, deltas = (np.concatenate(each, axis=1) for each in (frames, [feature.delta(x) for x in frames]))
    expected = np.concatenate([values.mean(axis=1), values.std(axis=1), deltas.std(axis=1)])
    np.testing.assert_allclose(mfcc_statistics(windows), expected, atol=1e-4)


def stereo(seconds: float, rate: int = RATE) -> StereoAudio:
    return StereoAudio(tune(seconds, rate, seed=1), rate)


def test_wav_is_what_went_in(tmp_path: Path) -> None:
    sound = stereo(3.0)
    found = decode(write_wav(sound, tmp_path / "a.wav"))
    np.testing.assert_array_equal(found.samples, sound.samples)
    assert found.rate == RATE


def test_one_channel_keeps_its_level(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "mono.wav", tune(3.0, 22050, channels=1), 22050, "wav-float")
    found = decode(path)
    assert found.rate == 22050
    np.testing.assert_array_equal(found.samples[0], found.samples[1])
    np.testing.assert_allclose(
        read_windows(write_wav(found, tmp_path / "a.wav"), DECODING).windows,
        read_windows(path, DECODING).windows,
        atol=1e-6,
    )


def test_file_that_is_no_audio_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no audio")
    with pytest.raises(AudioError, match="from end to end"):
        decode(tmp_path / "a.mp3")


@pytest.mark.parametrize("rate", [RATE, 22050, 37800])
def test_mp3_is_the_same_music_in_stereo(tmp_path: Path, rate: int) -> None:
    sound = stereo(6.0, rate)
    path = encode_mp3(sound, tmp_path, 128_000)
    found = decode(path)
    length = sound.samples.shape[1] / sound.rate
    assert found.samples.shape[1] / found.rate == pytest.approx(length, abs=0.1)
    assert path.stat().st_size * 8 / length == pytest.approx(128_000, rel=0.05)
    ours, theirs = (read_windows(each, DECODING).windows for each in (write_wav(sound, tmp_path / "a.wav"), path))
    for before, after in zip(ours, theirs, strict=True):
        # The header's length may move the windows by a few samples, and LAME takes 0.45 dB off.
        lags = np.fft.irfft(np.fft.rfft(before) * np.conj(np.fft.rfft(after)))
        assert lags.max() / np.square(before).sum() == pytest.approx(10 ** (-0.45 / 20), abs=0.05)


def test_cut_and_moved_files(tmp_path: Path) -> None:
    sound = stereo(6.0)
    shift = round(SHIFT * RATE)
    np.testing.assert_array_equal(decode(cut_start(sound, tmp_path)).samples, sound.samples[:, shift:])
    later = read_windows(delay_windows(sound, tmp_path), DECODING)
    whole = read_windows(write_wav(sound, tmp_path / "a.wav"), DECODING)
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

    assert decibels(attenuate(low, RATE, 13.0), low) == pytest.approx(-13, abs=0.01)
    octaves = np.log2(22050 / 20)
    half = tilt(low[:, ::2], RATE // 2, 6.0)
    assert decibels(half, low[:, ::2]) == pytest.approx(6 * (1 / octaves - 0.5), abs=0.05)
    assert decibels(tilt(low, RATE, 6.0), low) == pytest.approx(6 * (1 / octaves - 0.5), abs=0.05)
    assert decibels(tilt(high, RATE, 6.0), high) == pytest.approx(6 * (0.5 - 1 / octaves), abs=0.05)
    assert decibels(tilt(high, RATE, -6.0), high) == pytest.approx(-6 * (0.5 - 1 / octaves), abs=0.05)


TRACKS = CorpusLabels(tuple("abcdef"), ("A", "A", "A", "B", "B", "C"), ("",) * 6, np.array([0, 0, 0, 1, 1, 1]))


def test_a_sample_is_spread_over_soundtracks() -> None:
    assert TRACKS.sample(3) == ["a", "d", "f"]
    assert TRACKS.sample(5) == ["a", "b", "d", "e", "f"]
    assert TRACKS.sample(99) == list("abcdef")


def test_scores_of_distortions() -> None:
    axes = np.eye(6, dtype=np.float32)
    originals = CorpusEmbeddings({path: {"embedding": axes[i]} for i, path in enumerate(TRACKS.paths)})
    near, lost = (np.array([value, np.sqrt(1 - value**2), 0, 0, 0, 0], np.float32) for value in (0.99, 0.6))
    distorted = CorpusEmbeddings({"a": {"MP3": near, "cut": lost}, "f": {"MP3": axes[5], "cut": axes[5]}})
    scores = score_distortions(TRACKS, originals, distorted, TRACKS.pools())
    assert list(scores) == ["MP3", "cut"]
    assert scores["MP3"]["mean cosine"] == pytest.approx(0.995)
    assert (scores["MP3"]["tracks"], scores["MP3"][SIMILAR_SHARE], scores["MP3"][FIRST]) == (2, 1.0, 1.0)
    assert (scores["cut"][SIMILAR_SHARE], scores["cut"][FIRST]) == (0.5, 0.5)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "pymusly", None)
    found = import_module("benchmarks.quality.__main__").other_systems(None, None)
    assert "musly" not in [system.name for system in found]
    said = capsys.readouterr().err
    assert "install pymusly" in said
    assert "--musicnn" in said
