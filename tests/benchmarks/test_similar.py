"""The made-up library of the benchmark of whole queries, and what a query loads in a fresh interpreter."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from beets.library import Library

from beetsplug.resonance.library.sidecar import Coverage, Sidecar
from benchmarks.measure import measure_process
from benchmarks.similar import BASE, warm_requests
from benchmarks.synthetic_library import FACETS, create_library
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TRACKS = 150
# What no query has time for.
HEAVY = ("sqlalchemy", "torch", "scipy", "onnxruntime", "librosa", "soxr", "av", "tqdm", "sklearn")
NEEDED = ("numpy", "faiss", "resonance_engine.store")

RUN = """
import sys
import beets.ui
try:
    beets.ui.main(sys.argv[1].split("|"))
except SystemExit as error:
    assert not error.code, error.code
loaded = [name for name in sys.argv[2].split(",") if name in sys.modules]
missing = [name for name in sys.argv[3].split(",") if name not in sys.modules]
sys.exit(f"loaded {loaded}, not loaded {missing}" if loaded or missing else 0)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_library(tmp_path_factory.mktemp("made"), TRACKS)


def beet(home: Path, *command: str, needed: tuple[str, ...] = NEEDED) -> list[str]:
    """What a command prints, in an interpreter that loads what is needed and nothing heavy."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, "|".join(command), ",".join(HEAVY), ",".join(needed)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "BEETSDIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (("similar", "-n", "5", "--explain", "--weights", "rhythm=2", "--from", "year:1960..", "id:1"), 10),
        (("similar", "-n", "5", "--text", "happy rock", "id:1"), 5),
        (("playlist", "-n", "5", "id:1"), 5),
        (("ls", "-f", "$similarity $res_bpm $res_tags", "similar:5:id:1"), 5),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_query_loads_only_what_it_needs(home: Path, command: tuple[str, ...], count: int) -> None:
    assert len(beet(home, *command)) == count


def test_the_check_sees_what_is_not_loaded(home: Path) -> None:
    with pytest.raises(AssertionError, match=r"not loaded \['wave'\]"):
        beet(home, "ls", "id:1", needed=("wave",))


def test_a_made_up_library_is_analysed_and_neighbours_are_neighbours(home: Path) -> None:
    library = Library(str(home / "library.db"), str(home / "music"))
    sidecar = Sidecar(library)
    try:
        assert sidecar.coverage() == Coverage(TRACKS, TRACKS, 0)
        model = sidecar.model
        assert model is not None
        assert tuple(model.modalities) == FACETS
        ids, vectors = sidecar.store.vectors.matrix(model.id)
        closeness = vectors @ vectors[0]
        assert closeness[1:12].mean() > closeness[12:60].mean() > closeness[60:].mean() + 0.1, "album, artist, others"
        keys = sidecar.store.vectors.content_keys(ids)
        assert len(sidecar.store.tags.matrix(model.id)[0]) == len(sidecar.store.analyses.get(keys.values())) == TRACKS
        gates = sidecar.store.vectors.gates(keys.values(), model.id)
        np.testing.assert_allclose([sum(each.values()) for each in gates.values()], 1.0, atol=1e-6)
        assert library.items("id:1")[0].filepath == home / "music" / "Artist 1" / "Album 1 of songs" / "01 Song.mp3"
    finally:
        sidecar.close()
        library._close()


def test_it_is_made_once(home: Path) -> None:
    before = (home / "resonance.db").stat().st_mtime_ns
    assert create_library(home.parent, TRACKS) == home
    assert (home / "resonance.db").stat().st_mtime_ns == before


def test_a_process_costs_time_and_memory_and_a_failure_says_why(home: Path) -> None:
    environment = {**os.environ, "BEETSDIR": str(home), "PYTHONPATH": str(ROOT)}
    wall, cpu, memory = measure_process(environment, BASE)
    assert cpu > 0
    assert 0 < wall < 100
    # Linux counts what the parent had when it forked among the most that a child ever used.
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 10 < memory < max(1000, 1.1 * parent)
    with pytest.raises(SystemExit, match="no track matches nothing"):
        measure_process(environment, ("similar", "nothing"))


def test_warm_queries_have_as_many_seeds_each() -> None:
    assert len({len(each) for each in warm_requests().values()}) == 1
