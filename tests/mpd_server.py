"""A real MPD without sound, on a free port of loopback and on a Unix socket."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = which("mpd", path="/usr/local/bin:/usr/bin:/bin:/usr/sbin")
needs_mpd = pytest.mark.skipif(
    PROGRAM is None or find_spec("mpd") is None,
    reason="needs Debian's package mpd, and python-mpd2, of the extra serve",
)
PATIENCE = 60.0
CONFIGURATION = """\
music_directory "{music}"
db_file "{folder}/database"
state_file "{folder}/state"
log_file "{folder}/log"
bind_to_address "127.0.0.1"
bind_to_address "{folder}/socket"
port "{port}"
auto_update "no"
zeroconf_enabled "no"
audio_output {{
    type "null"
    name "null"
}}
"""
RIGHTS = """\
password "{password}@read,add,control,admin"
default_permissions "read"
local_permissions "read"
"""


class MpdServer:
    """An MPD for a folder of music, whose `client` has all rights; `port` and `socket` are where it answers."""

    def __init__(self, folder: Path, music: Path, password: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder, self.socket, self.password = folder, folder / "socket", password
        text = CONFIGURATION.format(folder=folder, music=music, port=self.port)
        (folder / "mpd.conf").write_text(text + (RIGHTS.format(password=password) if password else ""), "utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PROGRAM is not None
        self.process = subprocess.Popen(
            [PROGRAM, "--no-daemon", str(self.folder / "mpd.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.wait_for_answer(self.process)
        except BaseException:
            self.stop()
            raise

    def wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), self.client():
                return
            assert process.poll() is None, (self.folder / "log").read_text("utf-8")
            assert time.monotonic() < deadline, "MPD does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Connect as another program of the user would."""
        from mpd import MPDClient

        client = MPDClient()
        client.connect("127.0.0.1", self.port)
        if self.password:
            client.password(self.password)
        try:
            yield client
        finally:
            client.disconnect()

    def update(self) -> None:
        """Let MPD read its music folder."""
        with self.client() as client:
            client.update()
            deadline = time.monotonic() + PATIENCE
            while "updating_db" in client.status():
                assert time.monotonic() < deadline, "MPD does not end reading its music"
                time.sleep(0.02)

    def queue(self) -> list[str]:
        """The files in the queue."""
        with self.client() as client:
            return [song["file"] for song in client.playlistinfo()]


@contextmanager
def mpd_server(music: Path, password: str = "") -> Iterator[MpdServer]:
    """Run an MPD that has read a folder."""
    with tempfile.TemporaryDirectory(prefix="mpd") as folder:  # a path that is short enough for a socket
        server = MpdServer(Path(folder), music, password)
        server.start()
        try:
            server.update()
            yield server
        finally:
            server.stop()
