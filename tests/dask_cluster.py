"""A Dask cluster of real processes on this machine, whose scheduler and workers a test may kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_workers import wait_until
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MISSING = "needs the extra cluster"
START_SECONDS = 60.0


class DaskCluster:
    """Processes of `dask scheduler` and `dask worker`; each worker is one process without a nanny, with one thread."""

    def __init__(self, folder: Path, certificates: Mapping[str, Path | str] | None = None) -> None:
        self.folder = folder
        self.certificates = certificates or {}
        self.scheme = "tls" if certificates else "tcp"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self, code: Path = ROOT) -> None:
        self.scheduler = self.spawn("scheduler", "--host", self.address, "--no-dashboard", "--no-show", code=code)
        wait_until(lambda: is_open(self.port), START_SECONDS)

    def start_worker(
        self, threads: int = 1, code: Path = ROOT, nanny: bool = False, preload: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker whose package is that under `code`; it joins when it is ready, and may run a file first."""
        scratch = self.folder / f"worker {len(self.workers)}"
        options = ["--nthreads", str(threads), "--local-directory", str(scratch), "--no-dashboard"]
        options += ["--nanny" if nanny else "--no-nanny", "--host", "127.0.0.1"]
        options += ["--preload", str(preload)] if preload else []
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

    def wait_until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, START_SECONDS)

    def children(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """The processes that a worker has started."""
        threads = Path(f"/proc/{worker.pid}/task").glob("*/children")
        return [int(pid) for path in threads for pid in path.read_text().split()]

    def kill(self, process: subprocess.Popen[Any], with_children: bool = True) -> None:
        """Kill a process of the cluster or beside it, which leads a group."""
        if process.poll() is None:
            if with_children:
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                self.kill(process)
                process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def run_cluster(
    folder: Path, workers: int = 2, certificates: Mapping[str, Path | str] | None = None, code: Path = ROOT
) -> Iterator[DaskCluster]:
    """Run a cluster as long as the `with` lasts, its scheduler with the package under `code`.

    Skips the test without the extra.
    """
    pytest.importorskip("distributed", reason=MISSING)
    cluster = DaskCluster(folder, certificates)
    try:
        cluster.start_scheduler(code)
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()


def write_bare_package(folder: Path) -> Path:
    """Make a folder in which this package is missing, whatever is installed, and in which one of Dask's is another."""
    package = folder / "resonance_engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'resonance_engine'\")\n")
    metadata = folder / "toolz-0.0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toolz\nVersion: 0.0.1\n")
    return folder


def make_certificates(folder: Path, name: str = "authority") -> dict[str, Path]:
    """Make an authority and a certificate by it, for servers and clients alike; skips the test without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    folder.mkdir()
    made = {key: folder / f"{key}.pem" for key in ("ca", "certificate", "key")}
    authority, request = folder / "authority.key", folder / "request.pem"
    new = [openssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    sign = [openssl, "x509", "-req", "-CA", str(made["ca"]), "-CAkey", str(authority), "-CAcreateserial", "-days", "2"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", f"/CN={name}", "-keyout", str(authority), "-out", str(made["ca"])],
        [*new, "-subj", "/CN=cluster", "-keyout", str(made["key"]), "-out", str(request)],
        [*sign, "-in", str(request), "-out", str(made["certificate"])],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return made
