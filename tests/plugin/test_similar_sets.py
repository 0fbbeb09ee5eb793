"""`beet similar -a` and `--artists`: albums and artists, compared track by track."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.plugin.synthetic_tracks import SOUNDS, artist, tags_of

if TYPE_CHECKING:
    from tests.plugin.synthetic_library import SyntheticLibrary

    Captured = pytest.CaptureFixture[str]


def tracks_by(artists: bool) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number in range(1, SOUNDS + 1):
        said = tags_of(number)
        name = artist(number) if artists else f"{said['albumartist']} - {said['album']}"
        found.setdefault(name, []).append(number)
    return found


def expected(library: SyntheticLibrary, seed: str, artists: bool) -> dict[str, float]:
    """The modified Hausdorff distance of Dubuisson & Jain 1994, in cosines: best first."""
    sets = tracks_by(artists)
    mine = [each - 1 for each in sets.pop(seed)]
    scores = {}
    for name, tracks in sets.items():
        cosines = library.plan.cosines[mine][:, [each - 1 for each in tracks]]
        scores[name] = float(min(cosines.max(axis=0).mean(), cosines.max(axis=1).mean()))
    return dict(sorted(scores.items(), key=lambda each: -each[1]))


def test_albums(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("-a", "-n", "100", "albumartist:artist h", "album:first")
    printed = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    scores = expected(library, "Artist H - First", artists=False)
    assert [name for _, name in printed] == list(scores)
    assert [float(score) for score, _ in printed] == pytest.approx([*scores.values()], abs=1e-3)


def test_artists(library: SyntheticLibrary, capsys: Captured) -> None:
    """On a compilation everybody is one; what is on no analysed track is not there."""
    library.beet("--artists", "-n", "5", "artist:artist h")
    printed = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    scores = expected(library, "Artist H", artists=True)
    scores["Twin"] = float(library.plan.cosines[35:40, 4].mean())
    best = sorted(scores, key=lambda name: -scores[name])[:5]
    assert [name for _, name in printed] == best
    assert [float(score) for score, _ in printed] == pytest.approx([scores[name] for name in best], abs=1e-3)


def test_an_artist_is_all_that_he_plays(library: SyntheticLibrary, capsys: Captured) -> None:
    library.beet("--artists", "artist:artist h")
    everything = capsys.readouterr().out
    library.beet("--artists", "id:36")
    assert capsys.readouterr().out == everything


@pytest.mark.parametrize(("option", "count"), [("-a", 2), ("--artists", 1)])
def test_candidates(library: SyntheticLibrary, capsys: Captured, option: str, count: int) -> None:
    library.beet(option, "--from", "'albumartist:artist a'", "albumartist:artist h")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == count
    assert all("Artist A" in line for line in printed)


def test_json(library: SyntheticLibrary, capsys: Captured) -> None:
    scores = expected(library, "Artist H - First", artists=False)
    library.beet("-a", "--json", "-n", "2", "albumartist:artist h", "album:first")
    rows = json.loads(capsys.readouterr().out)
    assert [f"{row['artist']} - {row['album']}" for row in rows] == list(scores)[:2]
    assert [row["score"] for row in rows] == pytest.approx(list(scores.values())[:2], abs=1e-3)
    assert {*rows[0]} == {"score", "id", "album", "artist"}
    library.beet("--artists", "--json", "-n", "1", "artist:artist h")
    [row] = json.loads(capsys.readouterr().out)
    assert {*row} == {"score", "artist"}


def test_a_format_is_about_albums(library: SyntheticLibrary, capsys: Captured) -> None:
    for arguments in (("-a", "-f", "$album/$similarity"), ("-f", "$album/$similarity", "-a")):
        library.beet(*arguments, "-n", "2", "albumartist:artist h")
        for line in capsys.readouterr().out.splitlines():
            album, score = line.split("/")
            assert album in ("First", "Second", "Hits")
            assert -1 <= float(score) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-a --artists id:1", "give either --album or --artists"),
        ("-a --bpm 120 id:1", "--album takes no --bpm"),
        ("--artists --not id:2 id:1", "--artists takes no --not"),
        ("--artists --text rock id:1", "--artists takes no --text"),
        ("-a --explain id:1", "--album takes no --explain"),
        ("--artists -p id:1", "--artists takes no --path"),
        ("--artists -f $title id:1", "--artists takes no --format"),
        ("-a --text rock", "--album takes no --text"),
        ("-a title:nothing", "no album matches title:nothing; try `beet ls -a title:nothing`"),
        ("--artists title:nothing", "no artist's track matches title:nothing; try `beet ls title:nothing`"),
        ("-a --from album:x album:first", None),
        ("--artists --from artist:x id:1", None),
        ("-a --from albumartist:h albumartist:h", "there is no other album to list"),
        ("--artists --from artist:h artist:h", "there is no other artist to list"),
        ("--artists", "name a track to start from, for example `beet similar title:yesterday`"),
    ],
)
def test_what_makes_no_sense(library: SyntheticLibrary, arguments: str, said: str | None) -> None:
    found = library.refused(*arguments.split())
    if said is None:
        assert found.startswith(
            ("similar --from: no album matches album:x;", "similar --from: no artist's track matches")
        )
    else:
        assert found == f"similar: {said}"
