"""Damaged files sent to the server over a library, up to a thousand: each is answered, and nothing is left of it."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from tests.audio_files import tune, write_audio
from tests.memory_growth import resident
from tests.plugin.file_library import FileLibrary
from tests.reliability.fuzz_files import seeds
from tests.reliability.fuzz_uploads import KINDS, make_upload
from tests.tiny_models import onnx_model

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from beetsplug.resonance.server.library_collection import LibraryCollection
from resonance_engine.server.settings import ServerSettings
from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.fuzz_mutations import Case

SEED = 11
LARGEST = 20_000_000  # bytes
TIMEOUT = 5.0  # seconds for a file; some holes take FFmpeg until the time is over
BLOCK = 1 << 16
GAIN = 60_000_000  # bytes of memory; half of what the uploads have together
HEAD = "POST /api/similar/audio?count=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


class KeptRuntime(Runtime):
    """Analyses with one worker process, which stays, for a model takes longer to load than most of these files do."""

    def __init__(self, model: Path) -> None:
        self.shipped = model
        self.pool: Any = None

    def open_pool(self, model: Path, count: int, timeout: float) -> Any:
        pool = self.pool = self.pool or super().open_pool(model, count, timeout)
        return Kept(pool)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.close()


class Kept:
    """A pool that its user does not close."""

    def __init__(self, pool: Any) -> None:
        self.description, self.analyse = pool.description, pool.analyse

    def close(self) -> None:
        pass


def parts_of(case: Case) -> Iterator[bytes]:
    yield case.content[: case.at] if case.hole else case.content
    for start in range(0, case.hole, BLOCK):
        yield bytes(min(BLOCK, case.hole - start))
    if case.hole:
        yield case.content[case.at :]


def send(port: int, case: Case, is_declared: bool) -> tuple[int, str]:
    """The status and the media type of the answer to a file; what is too large is sent until the server closes."""
    size = len(case.content) + case.hole
    length = f"Content-Length: {size}" if is_declared else "Transfer-Encoding: chunked"
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(f"{HEAD}{length}\r\n\r\n".encode())
        with suppress(ConnectionError):
            for part in filter(None, parts_of(case)):
                connection.sendall(part if is_declared else b"%x\r\n%s\r\n" % (len(part), part))
            if not is_declared:
                connection.sendall(b"0\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.getheader("content-type", "")


@contextmanager
def served(folder: Path) -> Iterator[LiveServer]:
    """A server over a library of three short files, with a tiny model."""
    model = folder / "model.onnx"
    model.write_bytes(onnx_model())
    library = FileLibrary(folder)
    library.runtime = runtime = KeptRuntime(model)  # type: ignore[assignment] # opens pools as it does
    for number in range(3):
        path = write_audio(folder / f"sound {number}.flac", tune(4.0, 8000, channels=1, seed=number), 8000)
        library.add(path, path.name)
    assert "error" not in "".join(library.analyze())
    sidecar = Sidecar(library.lib, Settings(timeout=TIMEOUT), runtime)
    settings = ServerSettings(upload_bytes=LARGEST)
    with (
        closing(library),
        closing(runtime),
        closing(sidecar),
        LiveServer(LibraryCollection(sidecar), settings) as server,
    ):
        yield server


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    "uploads", [pytest.param(100, marks=pytest.mark.rest), pytest.param(1_000, marks=pytest.mark.slow)]
)
def test_damaged_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, uploads: int
) -> None:
    intact = seeds(tmp_path, KINDS)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    statuses: Counter[int] = Counter()
    with served(tmp_path) as server:
        before = (0, 0, 0)
        for number in range(uploads):
            status, kind = send(server.port, make_upload(intact, SEED, number), is_declared=number % 2 == 0)
            statuses[status] += 1
            assert kind.startswith("application/json" if status == 200 else "application/problem+json")
            if number % 20 == 19:
                assert server.get("/api/status") == 200
                now = resident(), len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
                before = before if before[0] else now
        assert list(temporary.iterdir()) == []
        assert now[0] - before[0] < GAIN
        assert now[1] <= before[1] + 5
        assert now[2] <= before[2] + 5
    assert set(statuses) <= {200, 400, 413, 415, 503}
    assert statuses[200] > uploads / 5
    assert statuses[415] > uploads / 5
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
