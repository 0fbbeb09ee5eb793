"""Short runs of what kills, cluster, conditions, concurrency and soak of `tests.reliability` do at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.postgresql_server import require_server
from tests.reliability import disks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
mounts = pytest.mark.skipif(not disks.allowed(), reason="nobody may mount in a namespace here")


def passes(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"tests.reliability.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@linux
def test_nothing_is_lost_by_nine_kills() -> None:
    lines = passes("kills", "--kills", "9", "--jobs", "1").splitlines()
    assert next(line for line in lines if line.startswith("all ")).split()[1] == "9"


@pytest.mark.parametrize(
    "conditions", [("locked", "header", "page of the sidecar", "sidecar empty"), ("index", "model", "music")]
)
def test_commands_in_a_bad_condition_say_so(conditions: tuple[str, ...]) -> None:
    assert "LOST" not in passes("conditions", "--only", *conditions)


@mounts
def test_commands_on_a_bad_disk_say_so() -> None:
    assert "left out" not in passes("conditions", "--only", "full", "read-only")


def test_many_processes_at_once_lose_nothing() -> None:
    assert passes("concurrency", "--rounds", "1", "--readers", "4").endswith(" 0 wrong\n")


def test_nothing_is_lost_or_done_twice_by_kills_in_a_cluster() -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    assert " 0\n" in passes("cluster", "--kills", "4")


@linux
def test_a_few_minutes_of_use_leak_nothing() -> None:
    assert "descriptors of the parent" in passes("soak", "--minutes", "2")


@linux
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("kills", ("--kills", "3", "--jobs", "1", "--only", "import", "analyze")),
        ("writes", ("--kills", "8")),
        ("concurrency", ("--rounds", "1", "--readers", "4")),
        ("soak", ("--minutes", "2")),
    ],
)
def test_nothing_is_lost_in_a_shared_sidecar(module: str, arguments: tuple[str, ...]) -> None:
    require_server()
    assert "LOST" not in passes(module, *arguments, "--postgresql")
