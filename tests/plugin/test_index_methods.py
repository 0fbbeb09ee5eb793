"""Lists do not depend on how the nearest tracks are searched, and the status names the method."""

from __future__ import annotations

from contextlib import closing, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from beets.library import Library

from beetsplug.resonance.commands.status import describe_index
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import open_session
from benchmarks.synthetic_library import create_library

if TYPE_CHECKING:
    from pathlib import Path

TRACKS = 3_000
QUERIES = 100

pytestmark = pytest.mark.rest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_library(tmp_path_factory.mktemp("libraries"), TRACKS)


def request(number: int) -> SearchRequest:
    """A request of every fifth kind."""
    seed = 1 + number * (TRACKS // QUERIES)
    one = (f"id:{seed}",)
    kinds = (
        SearchRequest(query=one),
        SearchRequest(query=(f"id:{seed}..{seed + 4}",)),
        SearchRequest(query=one, weights="rhythm=2,timbre=0.5"),
        SearchRequest(query=one, among=("genres:jazz",)),
        SearchRequest(query=one, rerank="mmr", prf=3, avoid=("id:7",)),
    )
    return kinds[number % len(kinds)]


def lists(home: Path, setting: str) -> tuple[list[list[tuple[int, float]]], list[tuple[str, str]]]:
    """Ids and scores of each list, and the lines of the status."""
    with redirect_stdout(StringIO()):
        library = Library(str(home / "library.db"), str(home / "music"))
    with closing(Sidecar(library, Settings(index=setting))) as sidecar, open_session(sidecar) as session:
        results = [Finder(session, request(number), "similar").find().hits for number in range(QUERIES)]
        status = describe_index(sidecar, session.model)
    return [[(hit.item_id, hit.score) for hit in hits] for hits in results], status


def test_lists_are_the_same_by_every_exact_method(home: Path) -> None:
    first, status = lists(home, "float32")
    assert status[0][1].startswith("float32, exact (")
    assert sum(len(each) for each in first) > 15 * QUERIES
    for setting in ("auto", "float16", "int8"):
        assert lists(home, setting)[0] == first


def test_the_status_shows_what_lists_reached(home: Path) -> None:
    _, status = lists(home, "ivf")
    assert "ivf" in status[0][1]
    assert "% of the nearest 100" in status[0][1]
