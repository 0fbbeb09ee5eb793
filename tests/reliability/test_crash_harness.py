"""The harness of faults sees what it is there to see."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from tests.e2e.home import Home, album, new_home
from tests.paths import ROOT
from tests.reliability import home_state
from tests.reliability.conditions import wrong_messages
from tests.reliability.footprint import Footprint, children, footprint, slope
from tests.reliability.injected_conditions import Condition
from tests.reliability.kills import table
from tests.reliability.processes import environment, family, survivors
from tests.reliability.soak import Sample, growth
from tests.reliability.trials import Trial

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")
ROW = (b"key", "model", "embedding")


def test_a_vector_that_changed_or_went_is_lost() -> None:
    assert home_state.lost({ROW: b"old"}, {ROW: b"old", (b"new", "model", "embedding"): b""}) == []
    for after in ({}, {ROW: b"other"}):
        [line] = home_state.lost({ROW: b"old"}, after)
        assert line.startswith("1 committed vectors are lost")
    assert home_state.lost({ROW: b"old"}, {}, spared=[ROW]) == []


def test_damage_of_a_database_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, title TEXT)")
        connection.executemany("INSERT INTO items (title) VALUES (?)", [(f"title {n}" * 50,) for n in range(100)])
    assert home_state.unsound(path) == []
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(4096) + whole[12288:])
    assert home_state.unsound(path)


def test_temporary_files_are_those_that_were_to_be_renamed(tmp_path: Path) -> None:
    ours = {f".list.m3u8.{'a0' * 8}", "resonance.db.v1.bak.part", "resonance.db.v1.bak.part-journal"}
    for name in (*ours, "resonance.db.v1.bak", "list.m3u8", ".hidden", "model-x.index"):
        (tmp_path / name).touch()
    assert {path.name for path in home_state.temporaries(Home(tmp_path))} == ours


def test_a_library_that_beets_reads_otherwise_is_seen(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home.beet("-P", "resonance", "import", str(album(tmp_path / "music", 2)))
    assert home_state.unreadable_by_beets(home, home.library, 2) == []
    assert home_state.unreadable_by_beets(home, home.library) == []
    assert home_state.unreadable_by_beets(home, home.library, 3) == ["beets reads other items than there are"]
    home.library.write_bytes(b"no database" * 1000)
    [line] = home_state.unreadable_by_beets(home, home.library, 2)
    assert line.startswith("beets can't read its library: ")


def test_threads_of_the_harness_share_no_configuration_of_beets() -> None:
    source = "import sys, tests.reliability.kills; print(*[name for name in sys.modules if name == 'beets'])"
    out = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == ""


@needs_proc
def test_who_outlives_a_parent_is_found_and_ended(tmp_path: Path) -> None:
    home = Home(tmp_path)
    sleeper = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    subprocess.run([sys.executable, "-c", sleeper], env=environment(home), check=True)
    [left] = family(home)
    assert survivors(home, 0) == [left]
    assert survivors(home, 10) == []
    assert survivors(Home(tmp_path / "other"), 0) == []


@needs_proc
def test_a_footprint_counts_what_a_process_holds(tmp_path: Path) -> None:
    before = footprint(os.getpid())
    with (tmp_path / "file").open("wb"), subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:  # noqa: S607
        assert process.pid in children(os.getpid())
        now = footprint(os.getpid())
        assert now.descriptors == before.descriptors + 2
        assert 0 < footprint(process.pid).memory < now.memory
        process.communicate()
    assert footprint(process.pid) == Footprint(0, 0, 0)


def test_a_slope_is_per_hour_and_heeds_no_outlier() -> None:
    minutes = [float(n) for n in range(61)]
    values = [10 + n / 6 for n in range(61)]
    values[30] = 500
    assert slope(minutes, values) == pytest.approx(10)
    assert slope(minutes[:1], values[:1]) == 0


@pytest.mark.parametrize(
    ("memory", "descriptors", "wrong"), [(0.0, 0, 0), (0.04, 0, 0), (0.2, 0, 1), (0.0, 1, 1), (0.2, 1, 2)]
)
def test_what_grows_is_told(memory: float, descriptors: int, wrong: int) -> None:
    """Megabytes a minute, and descriptors a half hour, over two hours."""
    samples = [
        Sample(
            float(minute),
            Footprint(int((100 + memory * minute) * 2**20), 10 + descriptors * (minute // 30), 3),
            Footprint(0, 4, 1),
            2**20,
            5,
        )
        for minute in range(121)
    ]
    assert len(growth(samples)[1]) == wrong


@pytest.mark.parametrize(
    ("command", "status", "err", "wrong"),
    [
        ("analyze", 1, "resonance: a line\nerror: a sentence\n", False),
        ("analyze", 0, "resonance: a line\n", False),
        ("analyze", 1, "resonance: a line\n", True),
        ("analyze", 1, "error: one\nerror: two\n", True),
        ("analyze", 0, "error: a sentence\n", True),
        ("analyze", 1, 'Traceback\n  File "/x/beetsplug/resonance/library/sync.py"\n', True),
        ("import", 1, 'Traceback\n  File "/x/beets/dbcore/db.py"\n', False),
        ("similar", 1, "error: a sentence\n", True),
    ],
)
def test_what_a_command_says_in_a_bad_condition_is_judged(command: str, status: int, err: str, wrong: bool) -> None:
    condition = Condition("any", lambda _: nullcontext(), works=("similar",))
    assert bool(wrong_messages(condition, command, status, "", err)) == wrong


def test_the_table_counts_every_kill_once() -> None:
    trials = [
        Trial("import", 0, True, "writing", 2, 0),
        Trial("import", 1, False, "no change", losses=["a row"]),
        Trial("playlist", 2, True, "too late"),
    ]
    lines = table(trials)
    assert [line.split()[:2] for line in lines[1:4]] == [["import", "2"], ["playlist", "1"], ["all", "3"]]
    assert [line.split()[-2:] for line in lines[1:4]] == [["1", "1"], ["1", "0"], ["2", "1"]]
    assert lines[4] == "killed: 2 process groups, 1 parents alone"
