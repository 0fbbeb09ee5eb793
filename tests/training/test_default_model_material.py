"""Further music to learn from: rendered modules and scores, credits, and what shares a composer with a test."""

from __future__ import annotations

import shutil
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.evaluation.tasks import assign_folds
from tests.audio_files import tune
from training.default_model import material
from training.default_model.corpus import PACKAGES, CorpusTrack, write_manifest
from training.default_model.material import (
    Credit,
    TrainingTrack,
    fetch_material,
    find_credit,
    independent_of,
    read_credits,
    read_training,
    used_packages,
    write_training,
)
from training.default_model.rendering import SOUNDFONTS, Rendering, draw_soundfonts, normalise, play, render
from training.default_model.transcoding import StereoAudio, decode, encode

RATE = 44100
SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
# The soundtracks of the corpus: how many tracks each has, and the fold that its results are reported in.
FOLDS = {
    "0ad-data": (69, 0), "alienblaster-data": (2, 2), "amoebax-data": (8, 1), "asc-music": (3, 4),
    "blobwars-data": (15, 1), "btanks-data": (10, 2), "drascula-music": (27, 3), "endless-sky-data": (1, 1),
    "extremetuxracer-data": (6, 3), "fillets-ng-data": (12, 3), "freedroidrpg-data": (18, 4), "freeorion-data": (1, 0),
    "fretsonfire-songs-muldjord": (8, 4), "fretsonfire-songs-sectoid": (8, 1), "glob2-data": (3, 0),
    "hedgewars-data": (26, 4), "lincity-ng-data": (3, 3), "megaglest-data": (15, 4), "pathological": (2, 4),
    "planetblupi-music-ogg": (10, 3), "redeclipse-data": (18, 3), "scorched3d-data": (4, 4),
    "singularity-music": (16, 2), "starfighter-data": (11, 2), "supertux-data": (44, 1), "warzone2100-music": (30, 2),
    "xmoto-data": (7, 2), "zaz-data": (4, 0),
}  # fmt: skip


def midi(seconds: int) -> bytes:
    """Write a MIDI file of one note a second, at 120 beats of 480 ticks a minute."""
    events = b"".join(
        b"\x00\x90" + bytes([60 + number % 12, 100]) + b"\x87\x40\x80" + bytes([60 + number % 12, 0])
        for number in range(seconds)
    )
    track = events + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def module(patterns: int) -> bytes:
    """Write a ProTracker module: one short square wave, a note on every fourth row of 64, so many patterns."""
    sample = bytes([100] * 16 + [156] * 16) * 32
    header = b"tune".ljust(20, b"\0")
    header += b"square".ljust(22, b"\0") + struct.pack(">HBBHH", len(sample) // 2, 0, 64, 0, len(sample) // 2)
    header += (bytes(22) + struct.pack(">HBBHH", 0, 0, 0, 0, 1)) * 30
    header += bytes([patterns, 127]) + bytes(128) + b"M.K."
    note = struct.pack(">HBB", 428, 0x10, 0)
    rows = b"".join((note if row % 4 == 0 else bytes(4)) + bytes(12) for row in range(64))
    return header + rows + sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a corpus folder with one track to measure on."""
    (tmp_path / "music").mkdir()
    encode(StereoAudio(tune(41.0, 8000, seed=1), 8000), tmp_path / "music" / "a.flac", "flac", 8000)
    write_manifest([CorpusTrack("game", "", "music/a.flac")], tmp_path / "manifest.tsv")
    return tmp_path


@pytest.fixture
def _small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the credits, and let the packages be there already."""
    rows = [
        Credit("tunes", "noise.*", "tunes", "", "", "", "a sound effect"),
        Credit("tunes", "b.*", "tunes", "Composer", "GPL-2", "game", ""),
        Credit("tunes", "*", "tunes", "", "GPL-2", "", ""),
        Credit("refused", "*", "refused", "", "", "", "no licence"),
    ]
    monkeypatch.setattr(material, "read_credits", lambda: rows)
    monkeypatch.setattr(material, "download", lambda package, folder: folder / f"{package}.deb")
    monkeypatch.setattr(material, "unpack", lambda *_: None)


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{missing} not installed")


def test_the_soundtracks_measured_on_stay_in_their_folds() -> None:
    assert set(FOLDS) == set(PACKAGES)
    soundtracks = [name for name, (count, _) in FOLDS.items() for _ in range(count)]
    assert len(soundtracks) == 381
    assert assign_folds(soundtracks).tolist() == [FOLDS[name][1] for name in soundtracks]


def test_every_credit_is_complete_and_none_is_measured_on() -> None:
    rows = read_credits()
    assert not {row.package for row in rows} & set(PACKAGES)
    for row in rows:
        assert bool(row.licence) != bool(row.left_out), row
        assert not row.shares or row.shares in PACKAGES
    packages = used_packages(rows)
    assert "rafkill-data" not in packages
    assert len(packages) == len(set(packages)) > 20
    kenta_cho = {row.soundtrack for row in rows if row.composer == "Kenta Cho"}
    assert len(kenta_cho) == 7


def test_first_matching_credit_counts() -> None:
    rows = [Credit("a", "x*", "a", "X", "MIT", "", ""), Credit("a", "*", "a", "Y", "MIT", "", "")]
    refused = [Credit("a", "xy*", "a", "", "", "", "why"), *rows]
    assert [getattr(find_credit(rows, "a", name), "composer", None) for name in ("xyz.ogg", "b.ogg")] == ["X", "Y"]
    assert find_credit(refused, "a", "xyz.ogg") is None
    assert find_credit(rows, "b", "xyz.ogg") is None


def test_tracks_that_share_a_composer_with_the_test_are_not_learned_from() -> None:
    tracks = [
        TrainingTrack("t", "", f"{name}.ogg", "recording", name, "", "MIT", name) for name in ("", "game", "other")
    ]
    assert [track.shares for track in independent_of(tracks, {"game", "third"})] == ["", "other"]
    assert independent_of(tracks, {"third"}) == tracks


def test_the_table_comes_back(tmp_path: Path) -> None:
    with pytest.raises(ResonanceError, match=r"run: python -m training\.default_model\.material"):
        read_training(tmp_path)
    tracks = [TrainingTrack("t", "Ä", 'a "b"\t.ogg', "score", "t/a", "fluid", "MIT", "game")]
    write_training(tracks, tmp_path / material.TABLE)
    assert read_training(tmp_path) == tracks


def test_soundfonts_of_a_score_depend_on_its_name_alone() -> None:
    drawn = [draw_soundfonts(f"freedoom/{number}.mid") for number in range(200)]
    assert drawn == [draw_soundfonts(f"freedoom/{number}.mid") for number in range(200)]
    assert all(len(set(fonts)) == 2 for fonts in drawn)
    counts = Counter(font for fonts in drawn for font in fonts)
    assert set(counts) == set(SOUNDFONTS)
    assert min(counts.values()) > 70


def test_peak_of_a_rendering() -> None:
    audio = normalise(StereoAudio(0.1 * tune(3.0, RATE, seed=3), RATE))
    assert np.abs(audio.samples).max() == pytest.approx(0.9, abs=1e-4)
    assert np.abs(normalise(StereoAudio(np.zeros((2, 10), np.float32), RATE)).samples).max() == 0


def test_playing_ends_after_the_seconds_wanted_or_earlier(tmp_path: Path) -> None:
    script = "import sys, numpy; block = numpy.tile([0.5, -0.5], 4410).astype('<f4')\nfor _ in range({}):"
    script += " sys.stdout.buffer.write(block)"
    endless, short = ([sys.executable, "-c", script.format(count)] for count in (10**9, 12))
    for command, seconds in ((endless, 2.0), (short, 1.2)):
        audio = play(command, tmp_path, 2)
        assert audio.samples.shape == (2, seconds * RATE)
        np.testing.assert_array_equal(audio.samples[:, -1], [0.5, -0.5])
    with pytest.raises(AudioError, match=r"cannot render it \(why\)"):
        play([sys.executable, "-c", "raise SystemExit('why')"], tmp_path, 2)


@needs("ffmpeg")
def test_a_module_becomes_a_recording_once(tmp_path: Path) -> None:
    (tmp_path / "a.mod").write_bytes(module(2))
    rendering = Rendering(tmp_path / "a.mod", None, tmp_path / "out" / "a.mod.flac")
    if render(rendering) is None:
        pytest.skip("this ffmpeg has no libopenmpt")
    audio = decode(rendering.target)
    # 64 rows of 6 ticks of 20 ms, two patterns.
    assert audio.samples.shape[1] / audio.rate == pytest.approx(2 * 64 * 0.12, abs=0.5)
    assert np.abs(audio.samples).max() == pytest.approx(0.9, abs=0.01)
    stamp = rendering.target.stat().st_mtime_ns
    assert render(rendering) == rendering.target
    assert rendering.target.stat().st_mtime_ns == stamp
    assert [path.name for path in rendering.target.parent.iterdir()] == ["a.mod.flac"]


@needs("ffmpeg")
def test_what_cannot_be_rendered_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mod").write_bytes(b"no module")
    assert render(Rendering(tmp_path / "a.mod", None, tmp_path / "out" / "a.flac")) is None
    assert capsys.readouterr().out.startswith("left out: ")
    assert list((tmp_path / "out").iterdir()) == []


@needs("fluidsynth")
@pytest.mark.usefixtures("_small_table")
@pytest.mark.skipif(not SOUNDFONT.exists(), reason=f"{SOUNDFONT} is not installed")
def test_a_folder_of_packages_becomes_a_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for package, name in SOUNDFONTS.values():
        (folder / "soundfonts" / package).mkdir(parents=True)
        (folder / "soundfonts" / package / name).symlink_to(SOUNDFONT)
    source = folder / "training" / "tunes"
    source.mkdir(parents=True)
    for name, seed in (("b.flac", 2), ("c.flac", 1), ("noise.flac", 3), ("short.flac", 4)):
        seconds = 41.0 if name != "short.flac" else 5.0
        encode(StereoAudio(tune(seconds, 8000, seed=seed), 8000), source / name, "flac", 8000)
    (source / "d.mid").write_bytes(midi(100))
    (source / "e.mid").write_bytes(midi(10))
    monkeypatch.setattr(sys, "argv", ["material", str(folder)])
    material.main()
    assert "2 further tracks of 1 soundtracks" in capfd.readouterr().out
    font, other = draw_soundfonts("tunes/d.mid")
    assert [path.name for path in sorted((folder / "rendered").rglob("d.*"))] == [
        f"d.mid.{font}.flac",
        f"d.mid.{other}.flac",
    ]
    # c is a track that is measured on, e and short are too short; d sounds the same with one soundfont under two names.
    assert read_training(folder) == [
        TrainingTrack("tunes", "Composer", "training/tunes/b.flac", "recording", "tunes/tunes/b", "", "GPL-2", "game"),
        TrainingTrack("tunes", "", f"rendered/tunes/d.mid.{font}.flac", "score", "tunes/tunes/d", font, "GPL-2", ""),
    ]
    assert (folder / "manifest.tsv").read_text().count("\n") == 2


@pytest.mark.usefixtures("_small_table")
def test_programs_that_are_missing_are_named_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    source = folder / "training" / "tunes"
    source.mkdir(parents=True)
    encode(StereoAudio(tune(41.0, 8000, seed=2), 8000), source / "b.flac", "flac", 8000)
    (source / "d.mid").write_bytes(midi(100))
    (source / "e.mod").write_bytes(module(10))
    assert [track.path for track in fetch_material(folder)] == ["training/tunes/b.flac"]
    told = capsys.readouterr().out
    for program in ("ffmpeg", "fluidsynth"):
        assert f"{program} is not installed" in told
        assert f"install Debian's package {program}." in told
