"""The token on disk, the address, and the end of a server that is a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.errors import ConfigError
from resonance_engine.server.settings import ServerSettings
from tests.fake_workers import wait_until
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import sys
from pathlib import Path
from resonance_engine.server.run import run_server
from resonance_engine.server.settings import ServerSettings
from tests.server.fake_collection import FakeCollection
try:
    run_server(FakeCollection(Path(sys.argv[1])), ServerSettings(port=0), lambda address: print(address, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


HANGING = SERVER.replace(
    "try:",
    """
from tests.fake_workers import FakeProcessWorker
class HangingCollection(FakeCollection):
    def analyse(self, audio):
        return FakeProcessWorker(Path("model.onnx"), 600.0).identify(Path(sys.argv[1]) / "hang.wav")
FakeCollection = HangingCollection
try:""",
)


class TestToken:
    def test_the_token_file_is_private(self, tmp_path: Path) -> None:
        from resonance_engine.server.run import read_or_make_token

        path = tmp_path / "token"
        token = read_or_make_token(path)
        assert len(token) >= 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert read_or_make_token(path) == token

    def test_an_empty_file_is_none(self, tmp_path: Path) -> None:
        from resonance_engine.server.run import read_or_make_token

        (tmp_path / "token").write_text("\n")
        with pytest.raises(ConfigError, match="holds no token; delete it"):
            read_or_make_token(tmp_path / "token")


class TestAddress:
    def test_a_port_that_is_taken(self) -> None:
        from resonance_engine.server.run import open_socket

        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=rf"cannot use 127.0.0.1, port {port}: Address already in use"):
                open_socket(ServerSettings(port=port))

    def test_an_address_of_another_machine(self) -> None:
        from resonance_engine.server.run import open_socket

        with pytest.raises(ConfigError, match=r"cannot use 192\.0\.2\.1"):
            open_socket(ServerSettings("192.0.2.1", 0, token="a token"))  # noqa: S106 - of the test


@pytest.mark.rest
def test_an_upload_that_it_ends_in_leaves_no_file(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", SERVER, str(tmp_path)], {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            head = "POST /api/similar/audio?from=slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\naudio"
            connection.sendall(head.encode())
            while not any(file.stat().st_size for file in tmp_path.glob("resonance-upload-*")):
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rest
def test_it_ends_while_an_analysis_hangs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING, str(tmp_path)]
    with ExitStack() as stack:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes))
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2]) if process.stdout else 0
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(2)]
        for connection in connections:
            connection.sendall(b"POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\naudio")
        wait_until((tmp_path / "hang.wav").exists)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        answers = [connection.recv(65_536) for connection in connections]
    assert "Traceback" not in errors
    assert b" 503 " in answers[0]
    assert b"The analysis was stopped before it was done." in answers[0]
    assert answers[1] == b"" or b" 503 " in answers[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        host, _, port = address.removeprefix("http://").rstrip("/").partition(":")
        with socket.create_connection((host, int(port)), 30) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 OK" in connection.recv(65_536)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert output == ""
    assert errors == ""
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}[number]
