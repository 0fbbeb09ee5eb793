"""Good files of every format: the windows are the music, from the places they name, at a song's cost."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.audio.seeking import find_wavpack_block
from resonance_engine.audio.spans import Recording, window_starts
from resonance_engine.audio.windows import read_windows
from resonance_engine.features.spec import Decoding
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio, write_looped

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOSSLESS = ("flac", "alac", "wav", "aiff", "wavpack", "wav24", "flac24", "aiff24", "wav-float")
SOUGHT_EXACTLY = ("mp3", "mp3-vbr", "mp3-vbr-without-xing", "flac", "vorbis", "opus", "alac", "wav", "wavpack")


class Track(NamedTuple):
    path: Path
    samples: NDArray[np.float32]
    rate: int

    @property
    def mono(self) -> NDArray[np.float32]:
        return self.samples.mean(axis=0)

    @property
    def decoding(self) -> Decoding:
        return Decoding(rate=self.rate, seconds=2.0, hop_seconds=1.0)

    def recording(self) -> Recording:
        return read_windows(self.path, self.decoding)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Track]:
    """The same fourteen seconds in every format."""
    folder = tmp_path_factory.mktemp("tracks")
    music = {rate: tune(14.0, rate) for rate in (44100, 48000)}
    made = {}
    for kind in {*MUSIC_FORMATS, *LOSSLESS}:
        rate = 48000 if kind == "opus" else 44100
        path = folder / f"{kind}{FORMATS[kind].suffix}"
        made[kind] = Track(write_audio(path, music[rate], rate, kind), music[rate], rate)
    for kind, muxer_options in (("mp3-vbr", {}), ("mp3-vbr-without-xing", {"write_xing": "0"})):
        path = folder / f"{kind}.mp3"
        write_audio(path, music[44100], 44100, quality=4.0, muxer_options=muxer_options)
        made[kind] = Track(path, music[44100], 44100)
    return made


def decoded_from_the_start(path: Path) -> NDArray[np.float64]:
    """The oracle: the whole file, mono, without any seeking."""
    chunks = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            data = frame.to_ndarray()
            if frame.format.is_packed:
                data = data.reshape(-1, len(frame.layout.channels)).T
            full = 1.0 if data.dtype.kind == "f" else -float(np.iinfo(data.dtype).min)
            chunks.append(data.astype(np.float64).mean(axis=0) / full)
    return np.concatenate(chunks)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_windows_of_lossless_files_are_the_recording(tracks: dict[str, Track], kind: str) -> None:
    track = tracks[kind]
    recording = track.recording()

    assert recording.windows.dtype == np.float32
    assert recording.windows.shape == (4, 2 * track.rate)
    assert recording.starts == pytest.approx((1.5, 4.5, 7.5, 10.5))
    assert recording.duration == pytest.approx(14.0)
    assert not recording.short
    for window, start in zip(recording.windows, recording.starts, strict=True):
        original = track.mono[round(start * track.rate) :][: len(window)]
        np.testing.assert_allclose(window, original, atol=1.01 / 32768)


@pytest.mark.parametrize(
    ("kind", "late"), [("mp3", 0.001), ("vorbis", 0.001), ("opus", 0.001), ("aac", 0.001), ("wma", 0.1)]
)
def test_windows_of_lossy_files_come_from_where_they_say(tracks: dict[str, Track], kind: str, late: float) -> None:
    """WMA's timestamps are those of its packets, a tenth of a second from its sound."""
    track = tracks[kind]
    recording = track.recording()

    assert len(recording.windows) == 4
    for window, start in zip(recording.windows, recording.starts, strict=True):
        begin = round(start * track.rate)
        original = track.mono[begin : begin + len(window)]
        spectrum = np.fft.rfft(window, 2 * len(window)) * np.conj(np.fft.rfft(original, 2 * len(window)))
        lag = int(np.argmax(np.fft.irfft(spectrum)))
        lag = min(lag, 2 * len(window) - lag)
        assert lag <= late * track.rate


@pytest.mark.parametrize("kind", SOUGHT_EXACTLY)
def test_seeking_gives_what_decoding_from_the_start_gives(tracks: dict[str, Track], kind: str) -> None:
    track = tracks[kind]
    whole = decoded_from_the_start(track.path)

    recording = track.recording()

    for window, start in zip(recording.windows, recording.starts, strict=True):
        begin = round(start * track.rate)
        # A step of float32: the oracle takes its mean in float64.
        np.testing.assert_allclose(window, whole[begin : begin + len(window)], rtol=0, atol=2e-7)


@pytest.mark.parametrize("kind", [*SOUGHT_EXACTLY, "aac"])
def test_a_window_at_the_very_beginning_is_whole(tracks: dict[str, Track], kind: str) -> None:
    track = tracks[kind]
    recording = read_windows(track.path, Decoding(rate=track.rate, seconds=13.98, windows=1))

    assert recording.starts == pytest.approx(((recording.duration - 13.98) / 2,), abs=1 / track.rate)


@pytest.mark.parametrize("kind", ["aac", "wma"])
def test_reading_twice_gives_the_same(tracks: dict[str, Track], kind: str) -> None:
    """These two decode differently after a seek (noise substitution, a lag), yet always in the same way."""
    first, second = tracks[kind].recording(), tracks[kind].recording()

    np.testing.assert_array_equal(first.windows, second.windows)
    assert first.starts == second.starts


@pytest.mark.parametrize(
    ("duration", "starts"),
    [
        (18.0, (0.0,)),
        (21.9, (1.95,)),
        (22.0, (1.0, 3.0)),
        (30.0, (1.5, 4.5, 7.5, 10.5)),
        (258.0, (30.0, 90.0, 150.0, 210.0)),
    ],
)
def test_windows_begin_at_the_middles_of_equal_parts(duration: float, starts: tuple[float, ...]) -> None:
    assert window_starts(duration, Decoding()) == pytest.approx(starts)


@given(duration=st.floats(18.0, 20_000.0), windows=st.integers(1, 50))
def test_windows_lie_inside_the_track_evenly(duration: float, windows: int) -> None:
    decoding = Decoding(windows=windows)

    starts = np.array(window_starts(duration, decoding))

    assert 1 <= len(starts) <= windows
    assert (starts >= 0).all()
    assert (starts + decoding.seconds <= duration).all()
    np.testing.assert_allclose(starts + starts[::-1], duration - decoding.seconds, atol=1e-6)
    if len(starts) > 1:
        assert np.diff(starts).min() >= decoding.hop_seconds / 2 - 1e-6


@pytest.mark.parametrize(("kind", "rate"), [("flac", 8000), ("wav24", 192_000), ("wavpack", 48_000)])
def test_other_rates_are_resampled(tmp_path: Path, kind: str, rate: int) -> None:
    seconds = np.arange(20 * rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 1000.0 * seconds)).astype(np.float32)
    path = write_audio(tmp_path / "tone", tone, rate, kind)

    recording = read_windows(path, Decoding())

    assert recording.windows.shape == (1, 18 * 44100)
    heard = recording.starts[0] + np.arange(18 * 44100) / 44100
    inside = slice(1000, -1000)  # the resampler rings where the window is cut off
    np.testing.assert_allclose(
        recording.windows[0][inside], 0.5 * np.sin(2 * np.pi * 1000.0 * heard)[inside], atol=2e-4
    )


@pytest.mark.parametrize("kind", ["wav", "flac", "opus", "aac"])
def test_mono_is_the_mean_of_six_channels(tmp_path: Path, kind: str) -> None:
    rate = 48_000
    seconds = np.arange(4 * rate) / rate
    tones = np.sin(2 * np.pi * 110.0 * np.arange(1, 7)[:, None] * seconds)
    tones[3] = 0.0  # lossy encoders cut the bass channel off at 120 Hz
    path = write_audio(tmp_path / "surround", 0.5 * tones, rate, kind, bit_rate=384_000)

    recording = read_windows(path, Decoding(rate=rate, seconds=2.0))

    spectrum = np.abs(np.fft.rfft(recording.windows[0])) / rate
    assert spectrum[[220, 440, 660, 1100, 1320]] == pytest.approx(0.5 / 6, rel=0.05)


def test_a_short_file_is_repeated_to_fill_one_window(tmp_path: Path) -> None:
    music = tune(5.0)
    recording = read_windows(write_audio(tmp_path / "short.flac", music, 44100), Decoding())

    assert recording.short
    assert recording.starts == (0.0,)
    assert recording.duration == pytest.approx(5.0)
    expected = np.resize(music.mean(axis=0), 18 * 44100)
    np.testing.assert_allclose(recording.windows, [expected], atol=1.01 / 32768)


def test_a_short_file_at_another_rate_is_repeated_without_gaps(tmp_path: Path) -> None:
    """Seven periods a second, whole at every seam."""
    seconds = np.arange(5 * 48_000) / 48_000
    path = write_audio(tmp_path / "short.wav", np.cos(2 * np.pi * 7.0 * seconds) * 0.5, 48_000)

    window = read_windows(path, Decoding()).windows[0]

    np.testing.assert_allclose(window, 0.5 * np.cos(2 * np.pi * 7.0 * np.arange(len(window)) / 44100), atol=0.05)


@pytest.mark.parametrize("kind", ["mp3", "flac", "opus", "aac", "alac", "wav", "wavpack"])
def test_a_short_file_is_repeated_without_what_fills_its_last_frame(tmp_path: Path, kind: str) -> None:
    count = 160_032  # whole milliseconds, in which FFmpeg 7 counts
    path = write_audio(tmp_path / "short", tune(4.0, 48_000)[:, :count], 48_000, kind)

    recording = read_windows(path, Decoding(rate=48_000))

    assert recording.duration == pytest.approx(count / 48_000)
    np.testing.assert_array_equal(recording.windows[0, count:], recording.windows[0, :-count])


def test_silent_windows_are_left_out(tmp_path: Path) -> None:
    music = tune(14.0)
    music[:, : 7 * 44100] = 0.0
    path = write_audio(tmp_path / "hidden track.flac", music, 44100)

    recording = read_windows(path, Decoding(seconds=2.0, hop_seconds=1.0))

    assert recording.starts == pytest.approx((7.5, 10.5))


def bytes_read() -> int:
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("counting what is read needs Linux's /proc")
    return int(dict(line.split(": ") for line in counters.read_text().splitlines())["rchar"])


@pytest.fixture(scope="module")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Mixes of two hours: one minute of music, 120 times."""
    folder = tmp_path_factory.mktemp("mixes")
    minute = tune(60.0, 4000, channels=1)
    made = {kind: write_audio(folder / kind, minute, 4000, kind, repeats=120) for kind in ("flac", "wavpack")}
    minute = tune(60.0, 8000, channels=1)
    for kind in ("mp3", "adts"):
        suffix = FORMATS[kind].suffix
        once = write_audio(folder / f"minute{suffix}", minute, 8000, kind, bit_rate=16_000)
        made[kind] = write_looped(folder / f"mix{suffix}", once, 120)
    return made


@pytest.mark.parametrize("kind", ["mp3", "flac", "wavpack"])
def test_two_hours_cost_no_more_than_a_song(two_hours: dict[str, Path], kind: str) -> None:
    path = two_hours[kind]
    decoding = Decoding(rate=8000)
    before = bytes_read()
    tracemalloc.start()

    recording = read_windows(path, decoding)

    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    read = bytes_read() - before
    assert recording.duration == pytest.approx(7200.0, rel=0.02)
    assert recording.starts == pytest.approx((900, 2690, 4490, 6280), rel=0.02)
    assert read < path.stat().st_size / 10
    assert memory < 8 * recording.windows.nbytes


def test_where_seeking_would_read_hours_the_first_minutes_are_heard(two_hours: dict[str, Path]) -> None:
    path = two_hours["adts"]
    before = bytes_read()

    recording = read_windows(path, Decoding(rate=8000))

    assert bytes_read() - before < path.stat().st_size / 2
    assert recording.starts == pytest.approx((20.25, 60.75, 101.25, 141.75))
    assert recording.duration > 7000


def test_a_wavpack_block_is_found_by_bisection(two_hours: dict[str, Path]) -> None:
    """Against a walk from block to block over the whole file."""
    content = two_hours["wavpack"].read_bytes()
    first_samples = {}
    offset = 0
    while content[offset : offset + 4] == b"wvpk":
        first_samples[offset] = int.from_bytes(content[offset + 16 : offset + 20], "little")
        offset += 8 + int.from_bytes(content[offset + 4 : offset + 8], "little")
    last = max(first_samples.values())

    with two_hours["wavpack"].open("rb") as file:
        for sample in range(0, last, last // 50):
            found = find_wavpack_block(file, sample)
            assert first_samples[found] <= sample
            nearest = max(offset for offset, first in first_samples.items() if first <= sample)
            assert nearest - found <= 1 << 17
