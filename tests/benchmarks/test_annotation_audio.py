"""Levels, mixtures, MIDI files and synthetic sound of annotated tracks, by measuring what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.annotation.audio import (
    LENGTH,
    PEAK,
    RATE,
    fit_length,
    is_sounding,
    level,
    mask_part,
    middle,
    mix,
    read_audio,
    resample,
    run_program,
    write_audio,
)  # fmt: skip
from benchmarks.annotation.build import Builder
from benchmarks.annotation.instruments import INSTRUMENTS, label_of_program, midi_labels
from benchmarks.annotation.labels import read_labels
from benchmarks.annotation.manifest import VOCALS
from benchmarks.annotation.melodies import BAR, STYLES, random_piece
from benchmarks.annotation.midi import DRUMS, MidiNote, program_shares, read_number, variable_length, write_midi
from benchmarks.annotation.noise import NOISES
from benchmarks.annotation.recordings import join_clips
from benchmarks.annotation.singing import SINGERS, song
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.annotation.audio import Samples


def tone(seconds: float, amplitude: float = 0.1, hertz: float = 440.0) -> Samples:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.tile(wave.astype(np.float32), (2, 1))


def with_pauses(samples: Samples) -> Samples:
    return np.concatenate([samples, np.zeros_like(samples), samples], axis=1)


def test_the_level_is_that_of_the_sound_between_pauses() -> None:
    assert level(tone(2, 0.1)) == pytest.approx(0.1 / 2**0.5, rel=1e-3)
    assert level(with_pauses(tone(2, 0.1))) == pytest.approx(0.1 / 2**0.5, rel=1e-3)
    assert is_sounding(with_pauses(tone(1))).tolist() == [True] * 20 + [False] * 20 + [True] * 20
    assert level(np.zeros((2, RATE), np.float32)) == 0.0


@pytest.mark.parametrize("decibels", [6.0, 0.0, -6.0])
def test_a_mixture_has_the_voice_at_its_level_above_the_music(decibels: float) -> None:
    music, voice = tone(3, 0.2, 300), with_pauses(tone(1, 0.03, 1000))
    difference = mix(voice, music, decibels) - music
    assert level(difference) / level(music) == pytest.approx(10 ** (decibels / 20), rel=1e-3)
    with pytest.raises(ResonanceError, match="silent"):
        mix(np.zeros_like(voice), music, decibels)


def test_a_part_of_a_voice_is_its_middle() -> None:
    masked = mask_part(tone(4), 0.5)
    assert not masked[:, : RATE - 10].any()
    assert not masked[:, 3 * RATE + 10 :].any()
    assert is_sounding(masked).mean() == pytest.approx(0.5, abs=0.03)
    assert (mask_part(tone(1), 1.0) == tone(1)).all()


def test_lengths_are_cut_and_filled() -> None:
    ramp = np.arange(10, dtype=np.float32)[np.newaxis].repeat(2, axis=0)
    assert fit_length(ramp, 4)[0].tolist() == [0, 1, 2, 3]
    assert fit_length(ramp, 12)[0].tolist() == [*range(10), 0, 1]
    long = np.arange(3 * LENGTH, dtype=np.float32)[np.newaxis].repeat(2, axis=0)
    assert (middle(long)[0, 0], middle(long).shape) == (LENGTH, (2, LENGTH))
    with pytest.raises(ResonanceError, match="no length"):
        fit_length(ramp[:, :0])


def test_raising_formants_shortens() -> None:
    raised = resample(tone(1, hertz=500), 1.2)
    assert raised.shape[1] == pytest.approx(RATE / 1.2, abs=2)
    spectrum = np.abs(np.fft.rfft(raised[0]))
    assert spectrum.argmax() * RATE / raised.shape[1] == pytest.approx(600, abs=3)


def test_audio_is_read_as_it_was_written_and_never_clips(tmp_path: Path) -> None:
    write_audio(tone(1), tmp_path / "folder" / "a.flac")
    assert np.abs(read_audio(tmp_path / "folder" / "a.flac") - tone(1)).max() < 1e-4
    write_audio(tone(1, 3.0), tmp_path / "b.flac")
    assert np.abs(read_audio(tmp_path / "b.flac")).max() == pytest.approx(PEAK, abs=1e-3)
    part = read_audio(tmp_path / "b.flac", 0.25, 0.5)
    assert part.shape == (2, RATE // 2)


def test_programs_that_are_missing_or_fail_are_named() -> None:
    with pytest.raises(ResonanceError, match="no-such-program is not installed"):
        run_program(["no-such-program"])
    with pytest.raises(ResonanceError, match=r"cat failed: .*nowhere"):
        run_program(["cat", "nowhere"])


def test_clips_are_joined_to_tracks_of_full_length() -> None:
    clips = iter([tone(25), tone(25), tone(25), tone(5)])
    lengths = [track.shape[1] / RATE for track in join_clips(clips, 2)]
    assert lengths[0] == pytest.approx(50.2)
    assert lengths[1] == pytest.approx(LENGTH / RATE)  # 30.2 s, repeated


@given(st.integers(0, 2**27))
def test_numbers_of_variable_length_are_read_as_they_were_written(number: int) -> None:
    encoded = variable_length(number)
    assert read_number(b"\x80" + encoded, 1) == (number, 1 + len(encoded))


@given(
    st.lists(
        st.builds(
            MidiNote, st.integers(0, 64).map(lambda n: n / 4), st.integers(1, 16).map(lambda n: n / 4),
            st.integers(30, 90), st.integers(1, 127), st.integers(0, 2),
        ),
        min_size=1, max_size=20, unique_by=lambda note: (note.pitch, note.channel),
    )
)  # fmt: skip
def test_the_shares_of_programs_are_those_of_the_notes_lengths(notes: list[MidiNote]) -> None:
    programs = {0: 0, 1: 40, 2: 73}
    shares = program_shares(write_midi(notes, programs, 100.0))
    total = sum(note.length for note in notes)
    for channel, program in programs.items():
        expected = sum(note.length for note in notes if note.channel == channel) / total
        assert shares.get(program, 0.0) == pytest.approx(expected)


def test_what_sounds_often_is_labelled_and_what_sounds_seldom_is_unsure() -> None:
    notes = [
        MidiNote(0, 80, 60, channel=0),
        MidiNote(0, 17, 64, channel=1),
        MidiNote(0, 10, 67, channel=2),
        MidiNote(0, 1, 50, channel=3),
    ]
    content = write_midi(notes, {0: 0, 1: 40, 2: 73, 3: 56}, 100.0)
    assert midi_labels(content) == (("piano", "violin"), ("flute",))
    assert (label_of_program(0), label_of_program(DRUMS), label_of_program(15)) == ("piano", "drums", None)
    with pytest.raises(ResonanceError, match="begins with MThd"):
        program_shares(b"RIFF")


def test_files_that_repeat_a_status_by_leaving_it_out_are_read() -> None:
    events = (
        b"\x00\xc0\x28" + b"\x00\x90\x3c\x40" + b"\x60\x3c\x00" + b"\x00\xff\x2f\x00"
    )  # the note ends by velocity 0
    track = b"MTrk" + len(events).to_bytes(4, "big") + events
    assert program_shares(b"MThd" + bytes.fromhex("00000006 0000 0001 0060") + track) == {40: 1.0}


@pytest.mark.parametrize("style", STYLES)
def test_pieces_fill_their_bars_and_stay_playable(style: str) -> None:
    rng = np.random.default_rng(7)
    notes = STYLES[style](random_piece(rng, 8), rng)
    assert 4 * BAR < max(note.start for note in notes) < 8 * BAR
    assert min(note.start for note in notes) == 0
    assert all(20 <= note.pitch <= 108 and 1 <= note.velocity <= 127 and note.length > 0 for note in notes)


def test_every_instrument_has_a_label_in_its_group_and_its_program() -> None:
    labels = read_labels("audioset")
    assert all(labels[each.label].group == "instrument" for each in INSTRUMENTS)
    assert all(label_of_program(each.program) == each.label for each in INSTRUMENTS)


@pytest.mark.parametrize("singer", SINGERS, ids=lambda singer: singer.name)
def test_scores_of_songs_are_xml_that_notes_and_words_fill(singer: object) -> None:
    rng = np.random.default_rng(1)
    score = song(random_piece(rng, 4), singer, 96.0, rng)  # type: ignore[arg-type]  # a Singer
    lines = score.splitlines()
    assert lines[2].startswith('<SINGING BPM="')
    assert lines[-1] == "</SINGING>"
    assert all(line.startswith('<PITCH NOTE="') and line.endswith("</PITCH>") for line in lines[3:-1])
    assert len(lines) > 10


def test_noises_have_their_length_and_level_and_differ_by_seed(tmp_path: Path) -> None:
    tracks = list(Builder(tmp_path, tmp_path, tmp_path, 5).noises())
    assert len(tracks) == 2 * len(NOISES)
    for annotation, render in tracks[:4]:
        samples = render()
        assert samples.shape == (2, LENGTH)
        assert annotation.vocals == VOCALS[0]
        assert 0.001 < level(samples) < 0.5
    one, other = (next(Builder(tmp_path, tmp_path, tmp_path, seed).noises())[1]() for seed in (5, 6))
    assert (one == tracks[0][1].func(Builder(tmp_path, tmp_path, tmp_path, 5).rng(tracks[0][0].path))).all()  # type: ignore[attr-defined]  # a partial
    assert (one != other).any()
