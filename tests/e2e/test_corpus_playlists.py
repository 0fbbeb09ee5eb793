"""Every option of `beet playlist` on forty tracks of real music; RESONANCE_CORPUS says where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.playlist import m3u
from tests.e2e.corpus import SUITE, Corpus, corpus_library, needs_corpus

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_corpus]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus_library(tmp_path_factory.getbasetemp() / "corpus")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("id:5", "--to", "id:999"), "no track matches id:999"),
        (("id:5", "--to", "id:5"), "a path has no repeats"),
        (("id:5", "--arc", "energy:wobble"), "wobble"),
        (("id:5", "--profile", "breakfast"), "breakfast"),
        (("id:5", "-n", "0"), "-n must be 1 to"),
        (("id:5", "--from", "artist:nobody"), "no track matches artist:nobody"),
        (("--recent", "3"), "mpdstats"),
    ],
)
def test_what_cannot_be_is_a_sentence(corpus: Corpus, arguments: tuple[str, ...], said: str) -> None:
    told = corpus.home.fails("playlist", *arguments)
    assert told.startswith("error: ")
    assert said in told
    assert told.count("\n") == 1


def test_as_many_tracks_or_minutes_as_asked_for(corpus: Corpus) -> None:
    ids = corpus.ids("id:5", "-n", "12")
    assert (ids[0], len({*ids})) == (5, 12)
    assert 25 < sum(row["length"] for row in corpus.playlist("id:5", "--minutes", "30")) / 60 < 35


def test_a_path_has_exact_ends_and_passes_the_corners_in_order(corpus: Corpus) -> None:
    ids = corpus.ids("id:5", "--via", "id:20", "--to", "id:38", "-n", "9")
    assert (ids[0], ids[-1], len(ids), len({*ids})) == (5, 38, 9, 9)
    assert 20 in ids[1:-1]


def test_an_arc_rises(corpus: Corpus) -> None:
    ids = corpus.ids("id:5", "--arc", "energy:rise", "-n", "10", "--per-artist", "0", "--per-album", "0")
    energy = corpus.field("res_energy")
    ranks = np.argsort(np.argsort([float(energy[each]) for each in ids]))
    assert np.corrcoef(np.arange(10), ranks)[0, 1] > 0.8


def test_a_seed_varies_and_repeats(corpus: Corpus) -> None:
    one = corpus.ids("id:5", "--seed", "1")
    assert corpus.ids("id:5", "--seed", "1") == one
    assert one != corpus.ids("id:5", "--seed", "2")


def test_movements_stay_together_or_away(corpus: Corpus) -> None:
    wanted = ("id:13", "-n", "8", "--per-artist", "0", "--per-album", "0")
    together = corpus.ids(*wanted)
    places = [together.index(each) for each in SUITE]
    assert places == [*range(places[0], places[0] + len(SUITE))]
    assert len({*SUITE} & {*corpus.ids(*wanted, "--works", "avoid")}) == 1


def test_artists_are_spaced(corpus: Corpus) -> None:
    rows = corpus.playlist("id:5", "--spacing", "3", "-n", "12", "--works", "ignore")
    artists = [row["artist"] for row in rows]
    for step in (1, 2, 3):
        assert all(one != other for one, other in zip(artists, artists[step:], strict=False))
    _, _, told = corpus.home.run("playlist", "--from", "artist:0ad-data", "--spacing", "3", "id:5")
    assert told.startswith("resonance: ")


def test_a_file_is_made_and_made_again(corpus: Corpus, tmp_path: Path) -> None:
    target = tmp_path / "evening.m3u8"
    wanted = ("id:5", "-n", "6")
    corpus.home.beet("playlist", *wanted, "-o", str(target))
    rows = corpus.playlist(*wanted)
    written = [entry.path.decode() for entry in m3u.read_playlist(target).entries]
    assert written == corpus.home.beet("playlist", *wanted, "--paths") == [row["path"] for row in rows]
    assert corpus.home.beet("playlist", "--refresh", str(target)) == [f"{target}: 6 kept, 0 dropped, 0 added"]


def test_a_profile_gives_way_to_what_is_typed(corpus: Corpus) -> None:
    wanted = ("id:33", "--profile", "dinner")
    assert {row["artist"] for row in corpus.playlist(*wanted)} == {"supertux-data"}
    assert len(corpus.ids(*wanted)) == 4
    assert len(corpus.ids(*wanted, "-n", "2")) == 2


def test_tracks_kept_apart_are_never_in_one_list(corpus: Corpus, tmp_path: Path) -> None:
    home = corpus.home.clone(tmp_path / "clone")
    cloned = Corpus(home, corpus.stranger)
    before = cloned.ids("id:5", "-n", "10")
    home.beet("resonance", "apart", "id:5", "--and", f"id:{before[1]}")
    assert before[1] not in cloned.ids("id:5", "-n", "10")
