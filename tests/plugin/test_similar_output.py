"""What `beet similar` prints: columns, reasons, paths, JSON."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.search.explanations import Reason
from tests.plugin.synthetic_library import parse_lines
from tests.plugin.synthetic_tracks import FACETS, NO_TEXT, TAGS, TWIN, rank, tags_of

if TYPE_CHECKING:
    from tests.plugin.synthetic_library import SyntheticLibrary

    Captured = pytest.CaptureFixture[str]

SEED = 37
BARE = ("--hubness", "none", "--versions", "--per-artist", "0", "--per-album", "0")


def shares(library: SyntheticLibrary, one: int, other: int) -> dict[str, float]:
    """A facet counts for the product of its gates times its cosine, if that is not negative."""
    counted = [
        library.plan.gates[one - 1][place]
        * library.plan.gates[other - 1][place]
        * max(float(library.plan.facets[facet][one - 1] @ library.plan.facets[facet][other - 1]), 0.0)
        for place, facet in enumerate(FACETS)
    ]
    return {facet: part / sum(counted) for facet, part in zip(FACETS, counted, strict=True)}


def test_lines_have_a_score_and_a_track_in_columns(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("-n", "100", *BARE, f"id:{SEED}")
    printed = parse_lines(capsys.readouterr().out)
    cosines = library.near(SEED)[0]
    expected = [each for each in rank(cosines, [SEED]) if each != 30]
    assert [line.title for line in printed] == [tags_of(each)["title"] for each in expected]
    assert [line.score for line in printed] == pytest.approx([cosines[each - 1] for each in expected], abs=6e-4)
    assert printed[-1].score < 0 < printed[0].score


def test_the_reasons_stand_below(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--explain", "-n", "8", *BARE, f"id:{SEED}")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 16
    for track, reason in zip(printed[::2], printed[1::2], strict=True):
        other = int(track.rpartition(" ")[2])
        assert reason.startswith(" " * track.index("Artist"))
        said = {name: int(share) / 100 for name, share in re.findall(r"(\w+) (\d+) %", reason)}
        expected = {name: share for name, share in shares(library, SEED, other).items() if share >= 0.005}
        assert said == pytest.approx(expected, abs=0.011)
        assert [*said.values()] == sorted(said.values(), reverse=True)
        assert 0.97 < sum(said.values()) < 1.03


def test_the_words_are_those_of_both(library: SyntheticLibrary, capsys: Captured) -> None:
    plan = library.plan
    library.beet("--explain", "-n", "50", "-f", "$id", *BARE, f"id:{SEED}")
    printed = capsys.readouterr().out.splitlines()
    odds = np.log(plan.tags / (1 - plan.tags))
    outstanding = (odds - odds.mean(axis=0)) / odds.std(axis=0)
    told = 0
    for track, reason in zip(printed[::2], printed[1::2], strict=True):
        row = int(track) - 1
        words = re.search(r"\[Similar: (.+)\]", reason)
        found = words[1].split(", ") if words else []
        key, other = plan.key[SEED - 1], plan.key[row]
        assert (key in found) == (key == other)
        tempi = plan.tempo[SEED - 1], plan.tempo[row]
        near = None not in tempi and abs(tempi[0] - tempi[1]) <= 0.03 * min(tempi)  # type: ignore[operator,type-var]
        assert any("BPM" in word for word in found) == near
        both = np.minimum(outstanding[SEED - 1], outstanding[row])
        best = sorted(
            (name for name, value in zip(TAGS, both, strict=True) if value >= 1), key=lambda n: -both[TAGS.index(n)]
        )
        assert [word for word in found if word in TAGS] == best[:3]
        told += len(best)
    assert told


def test_reasons_are_those_of_the_nearest_seed(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--json", "--explain", "-n", "8", *BARE, f"id:{SEED}", ",", "id:52")
    for row in json.loads(capsys.readouterr().out):
        one, two = library.near(SEED, 52)[:, row["id"] - 1]
        assert row["shares"] == pytest.approx(shares(library, SEED if one > two else 52, row["id"]), abs=2e-3)


def test_weights_count_in_the_reasons(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--json", "--explain", "--weights", "rhythm=0", "-n", "5", f"id:{SEED}")
    for row in json.loads(capsys.readouterr().out):
        assert row["shares"]["rhythm"] == 0
        assert sum(row["shares"].values()) == pytest.approx(1, abs=2e-3)


def test_words_that_were_asked_for_are_told_apart(library: SyntheticLibrary, capsys: Captured) -> None:
    """Each by the share of the library that fits it worse; alone there is nothing else to say."""
    library.beet("--text", "rock, no guitar", "--explain", "-n", "3")
    alone = capsys.readouterr().out.splitlines()[1::2]
    assert all(re.fullmatch(r"       \[Fits: rock \d+ %, no guitar \d+ %\]", line) for line in alone)
    library.beet("--text", "rock, no guitar", "--explain", "--json", "-n", "3", f"id:{SEED}")
    rows = json.loads(capsys.readouterr().out)
    place = TAGS.index("guitar")
    for row in rows:
        assert sum(row["shares"].values()) == pytest.approx(1, abs=2e-3)
        more_guitar = np.mean(library.plan.tags[:, place] > library.plan.tags[row["id"] - 1][place])
        assert row["fits"]["no guitar"] == pytest.approx(more_guitar, abs=0.12)


def test_json_without_reasons(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--json", "-n", "3", "--from", "album:twins , id:1..10", *BARE, "id:4")
    rows = json.loads(capsys.readouterr().out)
    cosines = library.near(4)[0]
    expected = [TWIN if each == 5 else each for each in rank(cosines, [4]) if each <= 10][:3]
    expected = [5 if each == TWIN else each for each in expected]
    assert [row["id"] for row in rows] == expected
    assert {*rows[0]} == {"score", "id", "artist", "title", "album", "path", "length"}
    assert rows[0]["length"] == tags_of(expected[0])["length"]


def test_a_path_that_is_no_text(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--json", "--from", "album:twins", "id:4")
    [row] = json.loads(capsys.readouterr().out)
    assert os.fsencode(row["path"]) == NO_TEXT
    library.beet("--path", "--from", "album:twins", "id:4")
    assert capsys.readouterr().out.startswith("/music/")
    library.beet("--from", "album:twins", "id:4")
    assert capsys.readouterr().out.endswith("  Twin - Twins - Twin\n")


def test_a_format_of_ones_own(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("-f", "$title: $similarity", "-n", "3", *BARE, f"id:{SEED}")
    cosines = library.near(SEED)[0]
    best = rank(cosines, [SEED])[:3]
    for line, each in zip(capsys.readouterr().out.splitlines(), best, strict=True):
        title, score = line.split(": ")
        assert title == f"Song {each}"
        assert float(score) == pytest.approx(cosines[each - 1], abs=6e-5)
    library.beet("-p", "-n", "3", *BARE, f"id:{SEED}")
    assert capsys.readouterr().out.splitlines() == [f"/music/{each}.mp3" for each in best]


@pytest.mark.parametrize("option", ["--path", "--format=$title"])
def test_json_has_a_form_of_its_own(library: SyntheticLibrary, option: str) -> None:
    assert library.refused("--json", option, "id:1") == f"similar: --json takes no {option.partition('=')[0]}"


def test_nothing_to_print(library: SyntheticLibrary, capsys: Captured) -> None:
    assert library.refused("--json", "--min-score", "1", f"id:{SEED}").startswith("similar: no track is left to list")
    assert capsys.readouterr().out == ""


def test_a_reason_in_a_line() -> None:
    assert Reason({"a": 0.2, "b": 0.796, "c": 0.004}, ("fast", "A minor")).line == (
        "b 80 %, a 20 % [Similar: fast, A minor]"
    )
    assert Reason({"a": 1.0}, (), {"rock": 0.98}).line == "a 100 % [Fits: rock 98 %]"
    assert Reason().line == ""
