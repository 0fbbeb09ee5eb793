"""Bad files: each gives either windows or one AudioError that names the file and says in plain words what is wrong."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
import numpy as np
import pytest

from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.windows import content_key, read_tags, read_windows
from resonance_engine.errors import AudioError, printable
from resonance_engine.features.spec import Decoding
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio, write_silent_film

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = 48_000
DECODING = Decoding(rate=RATE, seconds=2.0, hop_seconds=1.0)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Eight seconds in every format."""
    folder = tmp_path_factory.mktemp("music")
    samples = tune(8.0, RATE)
    return {
        kind: write_audio(folder / f"{kind}{FORMATS[kind].suffix}", samples, RATE, kind)
        for kind in (*MUSIC_FORMATS, "adts")
    }


def refusal(path: Path) -> str:
    """The reason why the file is not listened to."""
    with pytest.raises(AudioError) as caught:
        read_windows(path, DECODING)
    message = str(caught.value)
    assert message == f"{printable(path)}: {caught.value.reason}"
    assert "\n" not in message
    return caught.value.reason


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def ring(path: Path) -> Path:
    path.symlink_to(path)
    return path


LETTER = b"Dear Sir or Madam, will you read my book?\n" * 500
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/song.mp3\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda f: f / "missing.mp3", "there is no such file"),
        (lambda f: written(f / "file", b"x") / "song.mp3", "there is no such file"),
        (lambda f: f / "zero\0byte.mp3", "there is no such file"),
        (lambda f: f, "it is a folder"),
        (lambda f: pipe(f / "pipe.mp3"), "it is not a regular file"),
        (lambda f: ring(f / "ring.mp3"), "it cannot be opened"),
        (lambda f: written(f / "empty.mp3", b""), "it is empty"),
        (lambda f: written(f / "zeros.mp3", bytes(100_000)), "it is not audio"),
        (lambda f: written(f / "noise.mp3", np.random.default_rng(0).bytes(100_000)), "it is not audio"),
        (lambda f: written(f / "playlist.mp3", PLAYLIST), "it is not audio"),
        (lambda f: written(f / "list.mp3", b"ffconcat version 1.0\nfile song.mp3\n"), "it is not audio"),
        (lambda f: write_silent_film(f / "film.mp4"), "it holds no audio"),
        (lambda f: write_audio(f / "jingle.flac", tune(2.9, RATE), RATE), "it lasts only 2.90 s"),
        (lambda f: write_audio(f / "still.flac", np.zeros((2, 9 * RATE)), RATE), "it is silent"),
        (lambda f: write_audio(f / "still.mp3", np.zeros((2, 9 * RATE)), RATE), "it is silent"),
        (lambda f: write_audio(f / "nan.wav", np.full((1, 9 * RATE), np.nan), RATE, "wav-float"), "it is silent"),
    ],
)
def test_what_cannot_be_listened_to_is_refused_in_plain_words(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    path = make(tmp_path)

    assert refusal(path).startswith(reason)


@pytest.mark.parametrize("suffix", sorted({form.suffix for form in FORMATS.values()}))
def test_text_with_the_name_of_music_is_refused(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"letter{suffix}", LETTER)

    assert refusal(path).startswith("it is not audio")
    for read in (content_key, read_tags):
        with pytest.raises(AudioError, match="it is not audio"):
            read(path)


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything, so tests of permissions put the crown down for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_an_unreadable_file_is_refused(
    tmp_path: Path, music: dict[str, Path], locked: str, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = Path(shutil.copy(music["wav"], folder / "mine.wav"))
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    (path if locked == "file" else folder).chmod(0)
    request.getfixturevalue("ordinary_user")

    assert "permissions" in refusal(path)


def test_an_unknown_codec_is_refused(tmp_path: Path, music: dict[str, Path]) -> None:
    content = bytearray(music["wav"].read_bytes())
    tag = content.index(b"fmt ") + 8
    content[tag : tag + 2] = b"\x99\x77"

    assert refusal(written(tmp_path / "exotic.wav", content)).startswith("its audio is of a kind")


def test_an_absurd_sample_rate_is_refused_before_memory_is_asked_for_it(tmp_path: Path, music: dict[str, Path]) -> None:
    content = bytearray(music["wav"].read_bytes())
    rate = content.index(b"fmt ") + 12
    content[rate : rate + 4] = (2_000_000_000).to_bytes(4, "little")

    assert "2000000000 samples per second" in refusal(written(tmp_path / "fast.wav", content))


def test_memory_that_ffmpeg_does_not_get_is_said(
    tmp_path: Path, music: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: object, **__: object) -> None:
        raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")

    path = Path(shutil.copy(music["flac"], tmp_path))
    monkeypatch.setattr("av.open", starved)
    assert refusal(path) == "it needs more memory than it may have, so it is damaged or no music"


def test_nothing_is_printed(tmp_path: Path, music: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(music["mp3"].read_bytes())
    content[3000:3600] = bytes(600)
    read_windows(written(tmp_path / "damaged.mp3", content), DECODING)
    refusal(written(tmp_path / "letter.mp3", LETTER))

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [b"na\xefve \xff.flac", "naïve 音楽.flac".encode(), b"concat:a|b %03d.flac"])
def test_any_name_can_be_read(tmp_path: Path, music: dict[str, Path], name: bytes) -> None:
    path = Path(shutil.copy(music["flac"], tmp_path / os.fsdecode(name)))

    assert len(read_windows(path, DECODING).windows) == 4
    assert content_key(path) == content_key(music["flac"])
    assert read_tags(path) == read_tags(music["flac"])


def test_a_name_that_is_not_utf8_is_refused_in_text_that_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"na\xefve.flac")

    with pytest.raises(AudioError, match=r"na\\xefve\.flac: there is no such file"):
        read_windows(path, DECODING)


def test_a_relative_path_that_looks_like_a_protocol_is_a_file(
    tmp_path: Path, music: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(music["flac"], tmp_path / "http:song.flac")
    monkeypatch.chdir(tmp_path)

    assert content_key(Path("http:song.flac")) == content_key(music["flac"])


def test_numbers_that_are_none_become_silence_and_loud_ones_full_scale(tmp_path: Path) -> None:
    samples = tune(8.0, RATE)
    clean = samples.mean(axis=0)
    samples[0, 2 * RATE : 2 * RATE + 500] = np.nan
    samples[:, 2 * RATE + 500 : 2 * RATE + 1000] = [[np.inf], [-np.inf]]
    samples[:, 2 * RATE + 1000 : 2 * RATE + 1500] = 1e4
    samples[:, 2 * RATE + 1500 : 2 * RATE + 2000] = -3e38
    path = write_audio(tmp_path / "wild.wav", samples, RATE, "wav-float")

    window = read_windows(path, Decoding(rate=RATE, seconds=4.0, hop_seconds=4.0, windows=1)).windows[0]

    assert window[:500] == pytest.approx(0.0)
    assert window[500:1000] == pytest.approx(0.0)
    assert window[1000:1500] == pytest.approx(1.0)
    assert window[1500:2000] == pytest.approx(-1.0)
    np.testing.assert_allclose(window[2000:], clean[2 * RATE + 2000 : 6 * RATE], atol=1e-6)


@pytest.mark.parametrize("kind", ["mp3", "flac", "vorbis", "opus", "wav", "aiff", "wma", "wavpack", "adts"])
def test_a_truncated_file_is_heard_as_far_as_it_goes(tmp_path: Path, music: dict[str, Path], kind: str) -> None:
    """The header still promises eight seconds."""
    content = music[kind].read_bytes()
    path = written(tmp_path / music[kind].name, content[: len(content) * 6 // 10])

    recording = read_windows(path, DECODING)

    assert len(recording.windows) >= 2
    assert all(start + DECODING.seconds <= 5.0 for start in recording.starts)
    assert np.abs(recording.windows).max(axis=1).min() > 0.1


def test_a_file_truncated_below_one_window_is_repeated_to_fill_it(tmp_path: Path, music: dict[str, Path]) -> None:
    content = music["flac"].read_bytes()
    path = written(tmp_path / "stub.flac", content[: len(content) * 6 // 10])

    recording = read_windows(path, Decoding(rate=RATE, seconds=7.0))

    assert recording.short
    assert recording.duration == pytest.approx(4.8, abs=0.2)


@pytest.mark.parametrize("kind", ["aac", "alac"])
def test_a_truncated_m4a_is_refused(tmp_path: Path, music: dict[str, Path], kind: str) -> None:
    """Its table of contents is at the end."""
    content = music[kind].read_bytes()

    assert refusal(written(tmp_path / "half.m4a", content[: len(content) // 2])).startswith("it is not audio")


def test_a_header_that_promises_too_little_does_not_make_a_file_short(tmp_path: Path, music: dict[str, Path]) -> None:
    content = bytearray(music["wav"].read_bytes())
    size = content.index(b"data") + 4
    content[size : size + 4] = bytes(4)  # as programs leave it that write to a pipe

    recording = read_windows(written(tmp_path / "piped.wav", content), DECODING)

    assert recording.duration == pytest.approx(8.0, abs=0.1)
    assert len(recording.windows) == 4


@pytest.mark.parametrize("kind", ["mp3", "flac", "alac", "wavpack"])
def test_one_damaged_place_leaves_the_rest_as_it_is(tmp_path: Path, music: dict[str, Path], kind: str) -> None:
    content = bytearray(music[kind].read_bytes())
    begin = len(content) // 3
    content[begin : begin + 200] = bytes(200)
    path = written(tmp_path / music[kind].name, content)

    damaged, whole = read_windows(path, DECODING), read_windows(music[kind], DECODING)

    # The windows begin at 0.75, 2.25, 3.75 and 5.25 s, the damage is at 2.7 s.
    assert damaged.starts[-2:] == whole.starts[-2:]
    np.testing.assert_allclose(damaged.windows[-2:], whole.windows[-2:], atol=1e-6)


def test_a_file_that_goes_on_failing_is_given_up(tmp_path: Path) -> None:
    """Ten seconds, then a thousand blocks that cannot be decoded, then ten seconds that nobody waits for."""
    path = write_audio(tmp_path / "rotten.wv", tune(10.0, 8000, channels=1), 8000)
    music = path.read_bytes()
    size = 8 + int.from_bytes(music[4:8], "little")
    path.write_bytes(music + (music[:32] + bytes(size - 32)) * 1000 + music)

    with open_audio(path) as source:
        assert source.measure_length(60.0) == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("kind", [*MUSIC_FORMATS, "adts"])
def test_random_damage_gives_windows_or_one_sentence(tmp_path: Path, music: dict[str, Path], kind: str) -> None:
    intact = music[kind].read_bytes()
    path = tmp_path / music[kind].name
    chance = np.random.default_rng(len(intact))
    for region in (600, len(intact)) * 2:
        content = bytearray(intact)
        for _ in range(20):
            content[chance.integers(region)] = chance.integers(256)
        begin = int(chance.integers(len(content)))
        del content[begin : begin + 1000]
        path.write_bytes(content)
        for read in (content_key, read_tags):
            with suppress(AudioError):
                read(path)
        with suppress(AudioError):
            windows = read_windows(path, DECODING).windows
            assert windows.shape[1:] == (DECODING.samples,)
            assert np.abs(windows).max() <= 1.0
