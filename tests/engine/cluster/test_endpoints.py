"""What listens where a scheduler should: sockets that are silent, close or use another protocol; schedulers."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from resonance_engine.cluster import connection
from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.errors import ClusterError, ConfigError
from tests.dask_cluster import free_port, make_certificates, run_cluster, write_bare_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.dask_cluster import DaskCluster

pytestmark = [pytest.mark.rest, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # of sockets of what was killed
SHORT_SECONDS = 2.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that no answer meets, however busy the machine is."""
    pytest.importorskip("distributed")
    for limit in ("CONNECT_SECONDS", "OPEN_SECONDS"):
        monkeypatch.setattr(connection, limit, 120.0)


@pytest.fixture
def short(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - after it
    """Limits that a test of silence waits for."""
    for limit in ("CONNECT_SECONDS", "OPEN_SECONDS"):
        monkeypatch.setattr(connection, limit, SHORT_SECONDS)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return files_of(make_certificates(tmp_path_factory.mktemp("tls") / "good"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Those of another authority."""
    return files_of(make_certificates(tmp_path_factory.mktemp("tls") / "other", "another"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with run_cluster(tmp_path_factory.mktemp("plain"), workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def encrypted(certificates: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with run_cluster(tmp_path_factory.mktemp("encrypted"), 0, certificates) as running:
        yield running


def files_of(certificates: dict[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in certificates.items()}


def refusal(address: str, **settings: str) -> str:
    """The sentence with which a connection is refused."""
    with pytest.raises((ClusterError, ConfigError)) as caught:
        SchedulerConnection(ClusterSettings(address, **settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def open_endpoint(act: Callable[[socket.socket], object] = lambda _: None) -> Iterator[int]:
    """The port of a socket that accepts, does something with each connection, and keeps it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def serve() -> None:
            try:
                while True:
                    accepted.append(server.accept()[0])
                    act(accepted[-1])
            except OSError:  # the server was shut down
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in accepted:
                each.close()


@contextmanager
def web_server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class TestOthers:
    def test_where_nothing_is_the_remedy_starts_one(self) -> None:
        address = f"tcp://127.0.0.1:{free_port()}"
        assert refusal(address) == (
            f"No scheduler answers at {address} (Connection refused); `dask scheduler` starts one."
        )

    @pytest.mark.usefixtures("short")
    @pytest.mark.parametrize("scheme", ["tcp", "tls"])
    def test_a_silent_one_ends_it_after_the_limit(self, scheme: str, certificates: dict[str, str]) -> None:
        with open_endpoint() as port:
            began = time.monotonic()
            sentence = refusal(f"{scheme}://127.0.0.1:{port}", **(certificates if scheme == "tls" else {}))
            assert time.monotonic() - began >= SHORT_SECONDS
        assert sentence == (
            f"What listens at {scheme}://127.0.0.1:{port} is no Dask scheduler, or one that hangs: it did not answer "
            "within 2 s."
        )

    @pytest.mark.usefixtures("short")
    def test_one_that_begins_and_is_silent_then(self) -> None:
        with open_endpoint(lambda each: each.sendall(b"\x09" + b"\x00" * 7)) as port:
            assert "or one that hangs: it did not answer within 2 s." in refusal(f"tcp://127.0.0.1:{port}")

    @pytest.mark.usefixtures("short")
    def test_a_web_server(self) -> None:
        with web_server() as port:
            assert "is no Dask scheduler, or one that hangs" in refusal(f"tcp://127.0.0.1:{port}")

    def test_one_that_closes_the_connection(self) -> None:
        with open_endpoint(lambda each: each.close()) as port:
            assert "closed the connection: it is no Dask scheduler" in refusal(f"tcp://127.0.0.1:{port}")

    def test_one_with_another_protocol(self) -> None:
        with open_endpoint(lambda each: each.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")) as port:
            sentence = refusal(f"tcp://127.0.0.1:{port}")
        assert sentence.endswith("cannot be used as a scheduler (its answer is none of Dask's).")

    @pytest.mark.usefixtures("short")
    def test_a_scheduler_that_is_suspended(self, tmp_path: Path) -> None:
        with run_cluster(tmp_path, workers=0) as cluster:
            assert cluster.scheduler is not None
            os.kill(cluster.scheduler.pid, signal.SIGSTOP)
            assert "or one that hangs" in refusal(cluster.address)


class TestKinds:
    def test_a_worker_is_no_scheduler(self, plain: DaskCluster) -> None:
        with closing(SchedulerConnection(ClusterSettings(plain.address))) as connected:
            plain.wait_until(connected.workers)
            (worker,) = connected.workers()
        assert refusal(worker) == f"What listens at {worker} is a Dask worker, not a scheduler."

    def test_a_scheduler_without_this_package(self, tmp_path: Path) -> None:
        with run_cluster(tmp_path, workers=0, code=write_bare_package(tmp_path / "bare")) as cluster:
            assert refusal(cluster.address) == (
                f"The scheduler at {cluster.address} lacks beets-resonance; install it there, too."
            )


class TestCertificates:
    def test_another_authority(
        self, encrypted: DaskCluster, certificates: dict[str, str], foreign: dict[str, str]
    ) -> None:
        sentence = refusal(encrypted.address, **{**certificates, "ca": foreign["ca"]})
        assert sentence.startswith(
            f"The certificate of the scheduler at {encrypted.address} does not pass with {foreign['ca']} ("
        )
        assert sentence.endswith("; --scheduler-ca must name the authority that issued it.")

    def test_a_certificate_of_another_authority(
        self, encrypted: DaskCluster, certificates: dict[str, str], foreign: dict[str, str]
    ) -> None:
        sentence = refusal(encrypted.address, **{**foreign, "ca": certificates["ca"]})
        assert sentence.startswith(f"The scheduler at {encrypted.address} refuses the certificate ")
        assert "unknown ca" in sentence
        assert sentence.endswith("; --scheduler-cert must name one of the scheduler's own authority.")

    def test_an_open_connection_to_an_encrypted_scheduler(self, encrypted: DaskCluster) -> None:
        address = f"tcp://127.0.0.1:{encrypted.port}"
        assert refusal(address) == (
            f"What listens at {address} uses TLS; a scheduler with certificates is {encrypted.address}, with "
            "--scheduler-ca and --scheduler-cert."
        )

    def test_an_encrypted_connection_to_an_open_scheduler(
        self, plain: DaskCluster, certificates: dict[str, str]
    ) -> None:
        address = f"tls://127.0.0.1:{plain.port}"
        assert refusal(address, **certificates) == (
            f"What listens at {address} does not use TLS; a scheduler without certificates is {plain.address}."
        )

    def test_the_key_is_forgotten(self, certificates: dict[str, str]) -> None:
        sentence = refusal("tls://127.0.0.1:1", **{**certificates, "key": ""})
        assert sentence.endswith(
            f": {certificates['certificate']} (--scheduler-cert) holds no private key; --scheduler-key names the file "
            "of it."
        )

    def test_the_key_of_another_certificate(self, certificates: dict[str, str], foreign: dict[str, str]) -> None:
        sentence = refusal("tls://127.0.0.1:1", **{**certificates, "key": foreign["key"]})
        assert f"{foreign['key']} (--scheduler-key) do not belong together" in sentence

    @pytest.mark.parametrize(
        ("name", "other", "clause"),
        [
            ("ca", "key", "(--scheduler-ca) holds no certificate"),
            ("certificate", "key", "(--scheduler-cert) holds no certificate"),
            ("key", "certificate", "(--scheduler-key) holds no private key"),
        ],
    )
    def test_swapped_certificate_files(self, certificates: dict[str, str], name: str, other: str, clause: str) -> None:
        assert clause in refusal("tls://127.0.0.1:1", **{**certificates, name: certificates[other]})

    @pytest.mark.parametrize(
        ("name", "clause"),
        [("ca", "(--scheduler-ca) is damaged"), ("certificate", "(--scheduler-cert) and ")],
    )
    def test_a_damaged_file(self, certificates: dict[str, str], tmp_path: Path, name: str, clause: str) -> None:
        damaged = tmp_path / "damaged.pem"
        damaged.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
        assert f"{damaged} {clause}" in refusal("tls://127.0.0.1:1", **{**certificates, name: str(damaged)})
