"""`beet similar` as a person and as a program use it, each time a process of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.home import new_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home


def test_options_go_together(songs: Home) -> None:
    """Seeds, candidates, ranking and reasons in one command; what is said beside the list is not in it."""
    status, out, err = songs.run(
        *(
            "similar",
            "--explain",
            "--from",
            "artist:'Artist 1' , 'title:Song 2'",
            "--like",
            "timbre",
            "--rerank",
            "mmr",
        ),
        *("--not", "title:'Song 5'", "title:song 3"),
    )
    assert status == 0
    tracks, reasons = out.splitlines()[::2], out.splitlines()[1::2]
    assert {line.rpartition(" - ")[2] for line in tracks} == {"Song 1", "Song 2"}
    assert all(re.match(r" +(timbre|harmony|rhythm|semantic) \d+ %", line) for line in reasons)
    assert err == "resonance: 2 of 20 tracks found among the matches of --from; there are no others\n"


def test_a_program_reads_words_and_numbers(songs: Home) -> None:
    status, out, err = songs.run(
        "similar", "--json", "--explain", "--text", "rock, no guitar", "-n", "3", "title:song 3"
    )
    assert (status, err) == (0, "")
    rows = json.loads(out)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    for row in rows:
        assert row["path"] in {str(path) for path in songs.music.rglob("*.*")}
        assert sum(row["shares"].values()) == pytest.approx(1, abs=5e-3)
        assert {*row["fits"]} == {"rock", "no guitar"}


def test_mistakes_are_a_sentence(songs: Home, tmp_path: Path) -> None:
    assert songs.fails("similar", "--bpm", "fast", "title:song 3") == (
        "error: similar: --bpm: A tempo is written 0.95-1.05 (times the seed's) or 120-130 (beats a minute), "
        "not 'fast'\n"
    )
    assert songs.fails("similar", "--like", "rythm", "title:song 3").startswith(
        "error: similar: --like: The model has no facet"
    )
    empty = new_home(tmp_path / "empty")
    said = "error: similar: the library has no tracks; import some with `beet import PATH`\n"
    assert empty.fails("similar", "title:song 3") == said
