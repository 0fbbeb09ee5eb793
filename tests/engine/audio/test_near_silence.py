"""Files of dither and hiss are silence; quiet music, and music that begins or ends quietly, stay what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from resonance_engine.audio.spans import window_starts
from resonance_engine.audio.windows import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features.attributes import measure_energy
from resonance_engine.features.spec import Decoding
from tests.audio_files import FORMATS, hiss, tune, write_audio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHORT_WINDOWS = Decoding(rate=22050, seconds=2.0, hop_seconds=1.0)


def at_level(samples: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """The samples at an RMS in dBFS, of all of them together."""
    scaled: NDArray[np.float32] = samples * 10 ** (level / 20) / np.sqrt(np.square(samples).mean())
    return scaled.astype(np.float32)


def dither(seconds: float, rate: int) -> NDArray[np.float32]:
    """What a quantiser to 16 bits leaves of silence: triangular noise of a step."""
    uniform = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 2, round(seconds * rate))).sum(axis=0)
    return (np.rint(uniform + 0.3) / 2**15).astype(np.float32)


@pytest.mark.parametrize("kind", ["flac", "wav", "mp3", "opus", "aac"])
@pytest.mark.parametrize("noise", ["dither", "hiss"])
def test_noise_is_refused_as_silence_is(tmp_path: Path, kind: str, noise: str) -> None:
    rate = 48_000
    samples = dither(14.0, rate) if noise == "dither" else hiss(14.0, rate, -65.0, channels=2)
    path = write_audio(tmp_path / f"side{FORMATS[kind].suffix}", samples, rate, kind)
    with pytest.raises(AudioError, match="it is silent: none of its windows is louder than -60 dBFS on average"):
        read_windows(path, SHORT_WINDOWS)


@pytest.mark.parametrize("window", [2.0, 20.0], ids=["windows", "repeated"])
@pytest.mark.parametrize(("level", "is_silent"), [(-60.5, True), (-59.5, False)])
def test_the_level_is_that_of_the_embedded_samples(
    tmp_path: Path, window: float, level: float, is_silent: bool
) -> None:
    decoding = Decoding(rate=22050, seconds=window, hop_seconds=1.0)
    path = write_audio(tmp_path / "hiss.wav", hiss(14.0, 22050, level), 22050, "wav-float")
    if is_silent:
        with pytest.raises(AudioError, match="it is silent"):
            read_windows(path, decoding)
    else:
        assert len(read_windows(path, decoding).windows)


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_quiet_piece_has_its_windows(tmp_path: Path, kind: str) -> None:
    path = write_audio(tmp_path / f"clavichord{FORMATS[kind].suffix}", at_level(tune(14.0), -50.0), 44100, kind)
    recording = read_windows(path, SHORT_WINDOWS)
    assert recording.starts == pytest.approx(window_starts(recording.duration, SHORT_WINDOWS), abs=1e-3)


def test_quiet_windows_stay_beside_a_loud_one(tmp_path: Path) -> None:
    """A movement that begins and ends far away keeps all of its windows, as they were."""
    music = tune(14.0)
    music *= 10 ** (np.interp(np.arange(music.shape[1]), [0, 7 * 44100, 14 * 44100], [-75, -20, -75]) / 20)
    path = write_audio(tmp_path / "movement.flac", music.astype(np.float32), 44100, "flac24")
    recording = read_windows(path, SHORT_WINDOWS)
    levels = [measure_energy(window) for window in recording.windows]
    assert len(levels) == SHORT_WINDOWS.windows
    assert min(levels) < -65
    assert max(levels) > -60
    expected = music.mean(axis=0)
    for start, window in zip(recording.starts, recording.windows, strict=True):
        at = round(start * 44100)
        part = soxr.resample(expected[at : at + 2 * 44100], 44100, 22050, quality="HQ")
        np.testing.assert_allclose(window, part, atol=1e-6)


def test_windows_before_long_hiss_are_decoded(tmp_path: Path) -> None:
    """As before minutes of silence: the windows are those of the first three minutes."""
    samples = np.concatenate([tune(90.0, 8000, channels=1), hiss(1000.0, 8000, -70.0)], axis=1)
    decoding = Decoding(rate=8000, seconds=2.0, hop_seconds=1.0)
    assert min(window_starts(1090.0, decoding)) > 100
    path = write_audio(tmp_path / "hidden track.flac", samples, 8000, "flac")
    recording = read_windows(path, decoding)
    assert recording.starts == pytest.approx(window_starts(180.0, decoding))
    assert measure_energy(recording.windows[:2]) > -30
    assert measure_energy(recording.windows[2:]) < -60
