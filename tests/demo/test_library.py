"""The synthesised library: planned as promised, the same every time, playable, tagged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mediafile import MediaFile

from demo import library
from demo.library import plan_library
from demo.styles import STYLES
from demo.synthesis import RATE, render
from resonance_engine.audio.windows import read_windows
from resonance_engine.features.spec import Decoding

SECONDS = 4.0
ARTISTS = {style.name: style.artists for style in STYLES}


def test_the_default_library_is_large_and_varied_enough() -> None:
    tracks = plan_library(library.SEED, library.TRACKS_PER_STYLE, library.SECONDS)
    assert len(tracks) == 48
    assert len({track.style.name for track in tracks}) == len(STYLES) == 4
    assert len({track.artist for track in tracks}) == 8
    assert len({(track.artist, track.album) for track in tracks}) == 16
    assert all(40.0 <= track.seconds <= 60.0 for track in tracks)
    assert sum(track.suffix == ".mp3" for track in tracks) == 24


def test_every_default_track_has_a_place_of_its_own_and_differs_from_its_neighbours() -> None:
    tracks = plan_library(library.SEED, library.TRACKS_PER_STYLE, library.SECONDS)
    songs = [track.compose()[0] for track in tracks]
    assert len({track.path(Path(), song) for track, song in zip(tracks, songs, strict=True)}) == 48
    for style in range(len(STYLES)):
        own = songs[12 * style : 12 * style + 12]
        assert len({round(song.tempo, 3) for song in own}) == 12
        assert len({str(song.key) for song in own}) >= 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return library.make_library(tmp_path_factory.mktemp("music"), 3, 2, SECONDS)


def test_every_file_decodes_to_its_length_without_clipping(made: list[Path]) -> None:
    assert len(made) == 8
    for path, track in zip(made, plan_library(3, 2, SECONDS), strict=True):
        assert path.suffix == track.suffix
        recording = read_windows(path, Decoding(seconds=3.0, windows=1))
        assert recording.duration == pytest.approx(track.seconds, abs=0.1)
        assert np.abs(recording.windows).max() < 0.99
        assert -32.0 < 20 * np.log10(np.sqrt(np.mean(recording.windows**2))) < -10.0


def test_tags_say_what_the_path_says(made: list[Path]) -> None:
    genres = []
    for path in made:
        media = MediaFile(path)
        assert path.parts[-3:-1] == (media.artist, media.album)
        assert path.stem == f"{media.track:02d} {media.title}"
        assert media.title.startswith(media.genre)
        assert media.albumartist == media.artist
        assert media.artist in ARTISTS[media.genre]
        genres.append(media.genre)
    assert genres == [style.name for style in STYLES for _ in range(2)]


def test_mp3_files_have_the_promised_bit_rate(made: list[Path]) -> None:
    rates = [MediaFile(path).bitrate for path in made if path.suffix == ".mp3"]
    assert rates == pytest.approx([192_000] * 4, rel=1e-3)


def test_making_it_again_leaves_what_is_there_and_removes_stray_files(made: list[Path]) -> None:
    root = made[0].parents[2]
    before = [path.stat().st_mtime_ns for path in made]
    stray = made[0].with_name("unfinished-2.flac")
    stray.touch()
    assert library.make_library(root, 3, 2, SECONDS) == made
    assert [path.stat().st_mtime_ns for path in made] == before
    assert not stray.exists()


def test_a_seed_always_gives_the_same_file_and_another_seed_other_music(made: list[Path], tmp_path: Path) -> None:
    again, other = plan_library(3, 2, SECONDS)[4], plan_library(4, 2, SECONDS)[4]
    assert library.make_track(tmp_path, again).read_bytes() == made[4].read_bytes()
    sounds = [render(*track.compose()) for track in (again, other)]
    length = min(sound.shape[1] for sound in sounds)
    assert abs(np.corrcoef(sounds[0][0, :length], sounds[1][0, :length])[0, 1]) < 0.5


def test_the_sound_is_stereo_at_full_rate() -> None:
    track = plan_library(5, 1, 2.0)[0]
    sound = render(*track.compose())
    assert sound.shape == (2, round(track.seconds * RATE))
    assert np.abs(sound[0] - sound[1]).max() > 0.0
