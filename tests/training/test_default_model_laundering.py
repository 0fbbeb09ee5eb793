"""Laundered copies: the same music, with everything else drawn anew for each track and the same for everyone."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import ResonanceError
from tests.audio_files import tune
from training.default_model import laundering
from training.default_model.corpus import CorpusTrack
from training.default_model.laundering import (
    CODECS,
    LONGEST_OFFSET,
    LOWEST_GAIN,
    MP3_TABLE,
    STEEPEST_TILT,
    Laundering,
    draw_laundering,
    launder_audio,
    launder_track,
    launder_tracks,
    read_copies,
    read_gain,
    tilt_filter,
)
from training.default_model.transcoding import StereoAudio, decode, encode

if TYPE_CHECKING:
    from pathlib import Path

RATE = 44100
PATHS = [f"music/game/{number}.ogg" for number in range(400)]


def save_track(folder: Path, name: str, level: float = 1.0) -> CorpusTrack:
    (folder / "music").mkdir(exist_ok=True)
    encode(StereoAudio(level * tune(6.0, RATE, seed=1), RATE), folder / "music" / name, "flac", RATE)
    return CorpusTrack("game", "Someone", f"music/{name}")


def first_names(wanted: int) -> list[str]:
    """Return names of tracks, `wanted` for each codec."""
    names: dict[str, list[str]] = {codec: [] for codec in CODECS}
    for number in range(200):
        name = f"{number}.flac"
        chosen = names[draw_laundering(f"music/{name}").codec]
        if len(chosen) < wanted:
            chosen.append(name)
    return [name for chosen in names.values() for name in chosen]


def response(taps: np.ndarray, frequency: float, rate: int) -> float:
    """Return a filter's gain at a frequency, in dB, by the definition of the Fourier transform."""
    turns = np.exp(-2j * np.pi * frequency / rate * np.arange(len(taps)))
    return float(20 * np.log10(abs(np.sum(taps.astype(np.float64) * turns))))


def test_what_is_drawn_depends_on_the_path_alone_and_keeps_within_its_ranges() -> None:
    drawn = [draw_laundering(path) for path in PATHS]
    assert drawn == [draw_laundering(path) for path in PATHS]
    assert drawn[7] == draw_laundering("music/game/7.ogg") != draw_laundering("music/other/7.ogg")
    codecs = [each.codec for each in drawn]
    assert min(codecs.count(codec) for codec in CODECS) > 70
    assert all(each.bit_rate in CODECS[each.codec].bit_rates for each in drawn)
    for name, low, high in (
        ("gain", LOWEST_GAIN, 0.0),
        ("offset", 0.0, LONGEST_OFFSET),
        ("tilt", -STEEPEST_TILT, STEEPEST_TILT),
    ):
        values = np.array([getattr(each, name) for each in drawn])
        assert values.min() >= low
        assert values.max() <= high
        # Uniform: the mean of 400 draws is within four of its standard errors.
        assert abs(values.mean() - (low + high) / 2) < 4 * (high - low) / np.sqrt(12 * len(values))


def test_another_machine_draws_the_same() -> None:
    assert draw_laundering("music/0ad-data/audio/music/Red_Dawn.ogg") == Laundering("vorbis", 48, -0.54, 2.878, 2.77)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize("tilt", [-3.0, 1.5, 3.0])
def test_tilt_is_a_straight_line_over_log_frequency(rate: int, tilt: float) -> None:
    taps = tilt_filter(tilt, rate)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-9)  # linear phase
    for frequency in (200.0, 500.0, 1000.0, 2000.0, 5000.0, 9000.0):
        assert response(taps, frequency, rate) == pytest.approx(tilt * np.log10(frequency / 1000), abs=0.05)
    assert response(taps, 30.0, rate) == pytest.approx(-tilt, abs=0.02)


def test_audio_is_cut_attenuated_and_not_moved() -> None:
    samples = 0.5 * tune(4.0, RATE, seed=2)
    laundered, gain = launder_audio(StereoAudio(samples, RATE), Laundering("mp3", 128, -6.0, 1.5, 0.0))
    assert gain == -6.0
    assert laundered.samples.dtype == np.float32
    expected = samples[:, round(1.5 * RATE) :] * 10 ** (-6 / 20)
    inner = slice(RATE // 10, -RATE // 10)
    np.testing.assert_allclose(laundered.samples[:, inner], expected[:, inner], atol=2e-4)


def test_nothing_exceeds_full_scale_and_the_gain_tells() -> None:
    seconds = np.arange(2 * RATE) / RATE
    samples = np.tile(0.99 * np.sin(2 * np.pi * 8000 * seconds), (2, 1)).astype(np.float32)
    laundered, gain = launder_audio(StereoAudio(samples, RATE), Laundering("mp3", 128, -0.5, 0.0, 3.0))
    assert np.abs(laundered.samples).max() == pytest.approx(1.0, abs=1e-5)
    tilt = 3.0 * np.log10(8.0)
    level = 20 * np.log10(laundered.samples[:, RATE // 2 : -RATE // 2].std() / samples.std())
    assert level == pytest.approx(gain + tilt, abs=0.2)
    assert gain < -0.5


@pytest.mark.parametrize("name", first_names(1))
def test_a_copy_is_the_same_music_by_its_own_codec(tmp_path: Path, name: str) -> None:
    track = save_track(tmp_path, name)
    copy = launder_track(track, tmp_path)
    assert copy is not None
    drawn = draw_laundering(track.path)
    assert {**asdict(copy), **asdict(drawn), "gain": 0} == {**asdict(copy), "gain": 0}
    assert copy.path == f"laundered/{track.path}{CODECS[drawn.codec].suffix}"
    assert (copy.soundtrack, copy.artist, copy.source) == ("game", "Someone", track.path)
    original, heard = decode(tmp_path / track.path), decode(tmp_path / copy.path)
    seconds = [sound.samples.shape[1] / sound.rate for sound in (original, heard)]
    assert seconds[0] - seconds[1] == pytest.approx(drawn.offset, abs=0.06)
    level = 20 * np.log10(heard.samples.std() / original.samples.std())
    assert level == pytest.approx(copy.gain, abs=3.5)  # what the tilt and the missing start may change


def test_current_copies_are_kept_others_rewritten(tmp_path: Path) -> None:
    track = save_track(tmp_path, "1.flac")
    copy = launder_track(track, tmp_path)
    assert copy is not None
    path = tmp_path / copy.path
    content, stamp = path.read_bytes(), path.stat().st_mtime_ns
    assert launder_track(track, tmp_path) == copy
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(content[:40])
    assert read_gain(path, draw_laundering(track.path)) is None
    assert launder_track(track, tmp_path) == copy
    assert path.stat().st_size == len(content)
    assert read_gain(path, draw_laundering("another")) is None
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_all_tracks_go_to_a_table_in_order(tmp_path: Path) -> None:
    tracks = [save_track(tmp_path, name) for name in ("b.flac", "a.flac")]
    (tmp_path / "music" / "c.flac").write_bytes(b"no music")
    copies = launder_tracks([*tracks, CorpusTrack("game", "", "music/c.flac")], tmp_path)
    assert [copy.source for copy in copies] == [track.path for track in tracks]
    assert read_copies(tmp_path) == copies


def test_a_second_copy_is_the_whole_track_as_mp3_and_nothing_else(tmp_path: Path) -> None:
    track = save_track(tmp_path, "a.flac")
    (copy,) = launder_tracks([track], tmp_path, MP3_TABLE)
    assert read_copies(tmp_path, MP3_TABLE) == [copy]
    assert (copy.path, copy.codec, copy.bit_rate) == ("mp3-64/music/a.flac.mp3", "mp3", 64)
    original, altered = decode(tmp_path / track.path), decode(tmp_path / copy.path)
    assert 20 * np.log10(altered.samples.std() / original.samples.std()) == pytest.approx(0, abs=1)  # no treble
    assert altered.samples.shape[1] - original.samples.shape[1] == pytest.approx(0, abs=0.1 * RATE)


def test_what_is_missing_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ResonanceError, match=r"run: python -m training\.default_model\.laundering"):
        read_copies(tmp_path)
    monkeypatch.setattr(sys, "argv", ["laundering", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"run: python -m training\.default_model\.corpus"):
        laundering.main()
    capsys.readouterr()
