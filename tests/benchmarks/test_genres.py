"""Pieces whose genre is known: scores as MIDI files, metal by its guitars, and what the tables count."""

from __future__ import annotations

import pytest

from benchmarks.annotation.midi import MidiNote, program_shares, write_midi
from benchmarks.genres.build import is_metal
from benchmarks.genres.report import GenreTrack, genre_table, report
from benchmarks.genres.scores import CUSTOMARY, PIANO, SECONDS, STYLES, Score, to_midi
from resonance_engine.search.text.tag_names import display_name
from tests.embeddings import vectors_around

QUARTET = next(style for style in STYLES if style.genre == "string quartet")
DISTORTED, BASS, PERCUSSION = 30, 33, 9


def make_score() -> Score:
    parts = [[(float(beat), 1.0, 60 + 5 * part) for beat in range(8)] for part in range(5)]
    return Score("string quartet", "Haydn", "", "opus", parts)


def test_a_score_is_played_by_its_instruments_and_by_the_piano_alone() -> None:
    customary = program_shares(to_midi(make_score(), QUARTET, CUSTOMARY))
    assert customary == pytest.approx({40: 0.4, 41: 0.2, 42: 0.4}, abs=0.01)
    assert program_shares(to_midi(make_score(), QUARTET, PIANO)) == pytest.approx({0: 1.0})


def test_a_short_score_is_repeated_and_nothing_sounds_after_the_end() -> None:
    """Eight quarter notes and a rest: of a file of 60 s, at 70 to 140 quarters a minute, most is repetition."""
    content = to_midi(make_score(), QUARTET, PIANO)
    notes = content.count(bytes([0x90, 60]))
    assert SECONDS * 70 / 60 * 8 / 12 <= notes <= SECONDS * 140 / 60


@pytest.mark.parametrize(
    ("programs", "drums", "expected"),
    [([DISTORTED, BASS], True, True), ([DISTORTED, BASS], False, False), ([0, BASS, DISTORTED], True, False)],
    ids=["guitar and drums", "no drums", "mostly others"],
)
def test_metal_is_what_distorted_guitars_lead_with_drums(programs: list[int], drums: bool, expected: bool) -> None:
    notes = [MidiNote(0.0, 4.0, 50, channel=channel) for channel in range(len(programs))]
    notes += [MidiNote(float(beat), 0.5, 38, channel=PERCUSSION) for beat in range(4 * drums)]
    assert is_metal(write_midi(notes, dict(enumerate(programs)), 120.0)) is expected


def make_tracks() -> list[GenreTrack]:
    """Twelve chorales and twelve fiddle tunes, each near its own kind, by three soundfonts; organs are classical."""
    vectors = vectors_around([0] * 12 + [1] * 12)
    genres = ["chorale"] * 12 + ["fiddle tune"] * 12
    fonts = ["fluid", "timgm6mb", "opl3"] * 8
    return [
        GenreTrack(
            vector,
            CUSTOMARY,
            genre,
            f"someone ({font})",
            font,
            "",
            frozenset({display_name("Classical music"), "organ"}),
        )
        for vector, genre, font in zip(vectors, genres, fonts, strict=True)
    ]


def test_the_tables_count_suggestions_and_tags() -> None:
    lines = report(make_tracks())
    row = next(line for line in lines if line.startswith("| scores, customary instruments | 2 | 24 | soundfont |"))
    assert "1.00 [0.86, 1.00] (24/24)" in row
    assert row.endswith("| 0.50 |")
    tags = next(line for line in lines if line.startswith("| scores, customary instruments | 0.50"))
    assert "(12/24)" in tags
    assert f"| fiddle tune | 12 | 12 | 12 | {display_name('Classical music')} 12, organ 12 |" in lines


def test_a_library_of_one_artist_has_no_suggestion() -> None:
    tracks = [track._replace(artist="one") for track in make_tracks()]
    assert [row.split("|")[3].strip() for row in genre_table(tracks)[2:]] == ["0", "0"]
