"""beet resonance analyze --scheduler, on a real cluster."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.settings import ClusterSettings
from tests.dask_cluster import run_cluster, write_bare_package
from tests.e2e.home import Home, album, new_home
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dask_cluster import DaskCluster

pytestmark = pytest.mark.rest
COUNT = 24


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A library that nothing was analysed of."""
    folder = tmp_path_factory.mktemp("e2e")
    home = new_home(folder / "home", resonance={"auto": False, "threads": 1})
    home.beet("import", str(album(folder / "inbox", COUNT)))
    return home


@pytest.fixture
def home(imported: Home, tmp_path: Path) -> Home:
    """A copy of it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "library.db").write_bytes(imported.library.read_bytes())
    made = Home(folder)
    made.configure(directory=str(imported.music), resonance={"auto": False, "threads": 1})
    return made


@pytest.mark.parametrize("options", [(), ("--send-files",)], ids=["paths", "content"])
def test_a_library_is_analysed_by_the_cluster(home: Home, cluster: DaskCluster, options: tuple[str, ...]) -> None:
    command = ("resonance", "analyze", "--scheduler", cluster.address, *options)
    (line,) = home.beet(*command)
    assert line.startswith(f"{COUNT} tracks analysed in ")
    home.assert_known(COUNT)
    assert home.beet(*command) == [f"nothing to do: all {COUNT} tracks are analysed"]


def test_ctrl_c_keeps_what_is_done_and_frees_the_workers(home: Home, cluster: DaskCluster) -> None:
    with home.process("resonance", "analyze", "--scheduler", cluster.address) as process:
        cluster.wait_until(lambda: home.sidecar.exists() and home.recordings())
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    cluster.wait_until(lambda: not any(cluster.children(worker) for worker in cluster.workers))
    assert 0 < home.recordings() <= COUNT
    # A fast machine stores all of so few files at once, and is done when the signal comes.
    assert home.recordings() == COUNT or "stopped; what was analysed is kept" in error
    home.beet("resonance", "analyze", "--scheduler", cluster.address)
    home.assert_known(COUNT)


def test_a_scheduler_that_is_killed_ends_it_with_what_is_kept(home: Home, tmp_path: Path) -> None:
    with (
        run_cluster(tmp_path, workers=1) as cluster,
        home.process("resonance", "analyze", "--scheduler", cluster.address) as process,
    ):
        assert cluster.scheduler is not None
        cluster.wait_until(lambda: home.sidecar.exists() and home.recordings())
        process.send_signal(signal.SIGSTOP)  # or a fast machine would be done
        cluster.scheduler.kill()
        process.send_signal(signal.SIGCONT)
        out, error = process.communicate(timeout=60)
    if home.recordings() < COUNT:
        kept = "1 track" if home.recordings() == 1 else f"{home.recordings()} tracks"
        assert error == (
            f"error: resonance: The scheduler at {cluster.address} went away; what was analysed is kept ({kept}), run "
            "it again to go on\n"
        )
        assert (process.returncode, out) == (1, "")


def test_a_worker_without_resonance_is_left_out_in_a_sentence(home: Home, tmp_path: Path) -> None:
    with run_cluster(tmp_path, workers=1) as cluster:
        bare = cluster.start_worker(code=write_bare_package(tmp_path / "bare"))
        with closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection:
            cluster.wait_until(lambda: len(connection.workers()) == 2)
        status, out, error = home.run("resonance", "analyze", "--scheduler", cluster.address)
        assert bare.poll() is None
    assert status == 0
    assert out.startswith(f"{COUNT} tracks analysed in ")
    assert re.fullmatch(
        r"resonance: The worker at tcp://\S+ lacks beets-resonance; install it there, the same version; it is left out"
        r"\.\n",
        error,
    )


def test_what_is_silent_is_no_scheduler(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        error = home.fails("resonance", "analyze", "--scheduler", address)
    assert error == (
        f"error: resonance: What listens at {address} is no Dask scheduler, or one that hangs: it did not answer "
        "within 10 s\n"
    )


def test_without_the_option_nothing_of_dask_is_imported(home: Home, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for package in ("dask", "distributed"):
        (trap / package).mkdir(parents=True)
        (trap / package / "__init__.py").write_text(f'raise SystemExit("{package} is imported")\n')
    environment = {**home.environment, "PYTHONPATH": f"{trap}:{ROOT}"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "beets", *words]
        return subprocess.run(command, env=environment, cwd=home.path, capture_output=True, text=True, check=False)

    assert "distributed is imported" in run("resonance", "analyze", "--scheduler", "tcp://127.0.0.1:1").stderr
    for words in (("resonance", "analyze", "title:1"), ("similar", "title:Song 1"), ("resonance", "status")):
        done = run(*words)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--scheduler", "tcp://192.0.2.1:8786"), "is not encrypted"),
        (("--scheduler", "music"), "must be tcp://HOST:PORT or tls://HOST:PORT"),
        (("--scheduler", "tcp://127.0.0.1:8786", "--threads", "2"), "without --threads"),
        (("--scheduler", "tcp://127.0.0.1:8786", "--background"), "without --background"),
        (("--send-files",), "--send-files is about --scheduler, which is missing"),
        (("--scheduler-ca", "ca.pem"), "--scheduler-ca is about --scheduler, which is missing"),
    ],
)
def test_what_cannot_be_is_one_sentence(home: Home, words: tuple[str, ...], sentence: str) -> None:
    error = home.fails("resonance", "analyze", *words)
    assert sentence in error
    assert error.count("\n") == 1
