"""A Dask cluster of real processes on this machine, whose scheduler and workers a test may kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.fake_workers import wait_until
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MISSING = "needs the extra cluster"
START_SECONDS = 60.0


class DaskCluster:
    """Processes of `dask scheduler` and `dask worker`; each worker is one process without a nanny, with one thread."""

    def __init__(self, folder: Path, certificates: Mapping[str, Path] | None = None) -> None:
        self.folder = folder
        self.certificates = certificates or {}
        self.scheme = "tls" if certificates else "tcp"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        self.scheduler = self.spawn("scheduler", "--host", self.address, "--no-dashboard", "--no-show")
        wait_until(lambda: is_open(self.port), START_SECONDS)

    def start_worker(self, threads: int = 1, code: Path = ROOT, nanny: bool = False) -> subprocess.Popen[bytes]:
        """Start a worker whose package is that under `code`; it joins when it is ready."""
        scratch = self.folder / f"worker {len(self.workers)}"
        options = ["--nthreads", str(threads), "--local-directory", str(scratch), "--no-dashboard"]
        options += ["--nanny" if nanny else "--no-nanny", "--host", "127.0.0.1"]
        worker = self.spawn("worker", self.address, *options, code=code)
        self.workers.append(worker)
        return worker

    def spawn(self, kind: str, *arguments: str, code: Path = ROOT) -> subprocess.Popen[bytes]:
        files = {"--tls-ca-file": "ca", "--tls-cert": "certificate", "--tls-key": "key"}
        tls = [
            word for flag, name in files.items() if self.certificates for word in (flag, str(self.certificates[name]))
        ]
        command = [sys.executable, "-P", "-m", "distributed.cli.dask_" + kind, *arguments, *tls]
        log = (self.folder / f"{kind} {len(self.workers)}.log").open("wb")
        with log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(code), "PYTHONWARNINGS": "ignore"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                with_group(process, signal.SIGKILL)
                process.wait()


def with_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and its children."""
    if process.poll() is None:
        os.killpg(process.pid, number)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def run_cluster(
    folder: Path, workers: int = 2, certificates: Mapping[str, Path] | None = None
) -> Iterator[DaskCluster]:
    """Run a cluster as long as the `with` lasts; skips the test without the extra."""
    pytest.importorskip("distributed", reason=MISSING)
    cluster = DaskCluster(folder, certificates)
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()
