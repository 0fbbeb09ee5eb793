"""Performances of scores are MIDI files with the notes they should have, and takes of a piece differ as takes do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.duplicates.pairs import count_distinct, pairs_across, pairs_near, pairs_within
from benchmarks.duplicates.performances import (
    LENGTH,
    TICKS,
    Performance,
    encode_length,
    encode_midi,
    fill_length,
    humanise,
    make_beat,
    play_performance,
    read_scores,
)
from benchmarks.duplicates.recordings import EmbeddedRecording
from benchmarks.duplicates.synthesis import REMIXES, ROOMS, TAKES, album_performances, name_performance, related_pairs
from resonance_engine.store.records import Windows

SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
SCALE = np.array([[0.5 * at, 0.4, 60 + at] for at in range(12)])  # six seconds


def read_events(content: bytes) -> list[tuple[int, int, int, int]]:
    """Return the notes' messages of a MIDI file as time in ticks, status, pitch and velocity."""
    assert content[:14] == b"MThd\0\0\0\6\0\0\0\1" + TICKS.to_bytes(2, "big")
    assert content[14:18] == b"MTrk"
    assert int.from_bytes(content[18:22], "big") == len(content) - 22
    at, time, events = 22, 0, []
    while at < len(content):
        step = 0
        while content[at] & 0x80:
            step, at = step << 7 | content[at] & 0x7F, at + 1
        time, at = time + (step << 7 | content[at]), at + 1
        status = content[at]
        if status == 0xFF:
            assert content[at:] == b"\xff\x2f\x00"
            break
        if status & 0xF0 != 0xC0:
            events.append((time, status, content[at + 1], content[at + 2]))
        at += 2 if status & 0xF0 == 0xC0 else 3
    return events


@pytest.mark.parametrize(("number", "content"), [(0, "00"), (127, "7f"), (128, "8100"), (0x1FFFFF, "ffff7f")])
def test_lengths_are_those_of_the_standard(number: int, content: str) -> None:
    assert encode_length(number).hex() == content


def test_a_midi_file_holds_its_notes_in_milliseconds() -> None:
    notes = np.array([[0.0, 0.5, 60, 80], [0.5, 0.25, 60, 90], [1.0, 200.0, 64, 70]])
    events = read_events(encode_midi([(0, 19, notes), (9, 0, np.array([[0.25, 0.1, 36, 100]]))]))
    assert events == [
        (0, 0x90, 60, 80), (250, 0x99, 36, 100), (350, 0x89, 36, 0), (500, 0x80, 60, 0), (500, 0x90, 60, 90),
        (750, 0x80, 60, 0), (1000, 0x90, 64, 70), (201_000, 0x80, 64, 0),
    ]  # fmt: skip


def test_a_short_piece_starts_anew_and_a_long_one_is_cut() -> None:
    minute = fill_length(SCALE)
    assert minute[:, 0].max() < LENGTH
    assert (minute[:, 0] + minute[:, 1]).max() <= LENGTH
    np.testing.assert_allclose(minute[12:24, 2], SCALE[:, 2])
    assert minute[12, 0] == pytest.approx(5.9)
    cut = fill_length(np.array([[0.0, 90.0, 60.0], [80.0, 1.0, 62.0]]))
    np.testing.assert_allclose(cut, [[0.0, LENGTH, 60.0]])


def test_takes_have_other_times_and_lengths_but_the_same_notes() -> None:
    minute = fill_length(SCALE)
    one, other = (humanise(minute, np.random.default_rng(take)) for take in (0, 1))
    np.testing.assert_array_equal(one[:, 2], other[:, 2])
    assert 0.005 < float(np.std(np.diff(one[:, 0]) - np.diff(other[:, 0]))) < 0.1
    assert 0 < abs(one[-1, 0] - other[-1, 0]) < 3
    np.testing.assert_array_equal(one, humanise(minute, np.random.default_rng(0)))
    assert one[:, 0].min() == 0


def test_a_beat_lasts_as_long_as_the_piece() -> None:
    beat = make_beat(10.0)
    assert beat.shape == (40 + 20, 4)
    assert 9 < beat[:, 0].max() < 10


def test_scores_are_read_by_collection(tmp_path: Path) -> None:
    (tmp_path / "bach").mkdir()
    (tmp_path / "bach" / "bwv1.tsv").write_text("0.0000\t0.5000\t60\n")
    scores = read_scores(tmp_path)
    assert list(scores) == ["bach/bwv1"]
    np.testing.assert_array_equal(scores["bach/bwv1"], [[0.0, 0.5, 60.0]])


def test_related_performances_differ_in_what_their_kind_says() -> None:
    (one,) = album_performances(["bach/bwv1"])["bach"]
    pairs = related_pairs(one)
    assert list(pairs) == [TAKES, ROOMS, *REMIXES]
    changed = {
        kind: [{key for key in one._fields if getattr(a, key) != getattr(b, key)} for a, b in rows]
        for kind, rows in pairs.items()
    }
    assert changed == {
        TAKES: [{"take"}],
        ROOMS: [{"take", "room"}, {"take", "room"}],
        "another soundfont": [{"soundfont"}],
        "another instrument": [{"program"}],
        "drums added": [{"drums"}],
    }
    performances = {each for rows in pairs.values() for pair in rows for each in pair}
    assert len({name_performance(each) for each in performances}) == len(performances) == 6


def test_pairs_are_those_of_a_group_of_two_and_of_the_nearest() -> None:
    groups = {"a": "one", "b": "one", "c": "two"}
    assert pairs_within(groups) == [("a", "b")]
    assert pairs_across(groups) == [("a", "c"), ("b", "c")]
    windows = Windows((), np.empty((0, 2), np.float32))
    vectors = {"a": (1.0, 0.0), "b": (0.8, 0.6), "c": (0.0, 1.0)}
    recordings = {name: EmbeddedRecording(np.array(at, np.float32), windows, 60.0) for name, at in vectors.items()}
    assert pairs_near(recordings, 1) == [("a", "b"), ("b", "c")]
    assert count_distinct([[("a", "b")], [("b", "a"), ("b", "c")]]) == 2


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
@pytest.mark.skipif(not SOUNDFONT.exists(), reason=f"{SOUNDFONT} is not installed")
def test_takes_sound_and_drums_are_added() -> None:
    one = Performance("bach/bwv1", 0, "timgm6mb")
    plain, again, drums = (
        play_performance(each, SCALE, SOUNDFONT).samples for each in (one, one, one._replace(drums=True))
    )
    np.testing.assert_array_equal(plain, again)
    assert plain.shape[1] / 44_100 == pytest.approx(LENGTH + 2, abs=3)
    length = min(plain.shape[1], drums.shape[1])
    assert float(np.corrcoef(plain[0, :length], drums[0, :length])[0, 1]) < 0.99
