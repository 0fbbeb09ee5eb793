"""A connection to a cluster without processes, whose workers do what the names of files say."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from resonance_engine.cluster.code_fingerprint import fingerprint_code
from resonance_engine.cluster.pool import ClusterPool
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.errors import AudioError, ClusterError
from resonance_engine.store.records import Analysis, Embedding, Windows
from resonance_engine.worker.protocol import Message, analysis_message, decode, encode
from resonance_engine.worker.worker import FileAnalysis, ModelDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resonance_engine.cluster.connection import SchedulerConnection
    from resonance_engine.worker.worker import IsKnown

Results = dict[Path, FileAnalysis | AudioError]

DESCRIPTION = ModelDescription("an id", "fake", "1", 4, ("timbre",))


def key_of(path: Path) -> bytes:
    """The content key: that of the name up to a hyphen, so that `a-1` and `a-2` are copies."""
    return hashlib.blake2b(path.stem.split("-")[0].encode(), digest_size=16).digest()


class FakeWorker:
    """A worker; of its `process` and `code` come all its answers, `sees` is what it has of a file.

    A `defect` is why it cannot use the model; one that `lacks_package` must get no request at all.
    """

    def __init__(
        self,
        threads: int,
        code: str = "",
        sees: Callable[[Path], int | None] | None = None,
        defect: str = "",
        lacks_package: bool = False,
    ) -> None:
        self.threads = threads
        self.code = code or fingerprint_code()
        self.sees = sees
        self.defect = defect
        self.lacks_package = lacks_package
        self.process = os.urandom(4).hex()
        self.is_prepared = False
        self.pool = ThreadPoolExecutor(threads)


class FakeConnection:
    """Stands for a `SchedulerConnection` and its client.

    A file called `killer` ends its worker while it is embedded, `bad` fails, `slow` takes a moment. In the place of a
    worker that ended comes another after a moment. `log` has the verbs and names that were begun, `most` the largest
    number of requests that a worker had at once, `side_by_side` names that were embedded at one time.
    """

    def __init__(self, *workers: FakeWorker, sends_files: bool = False) -> None:
        self.settings = ClusterSettings("tcp://127.0.0.1:1", sends_files=sends_files)
        self.client = self
        self.numbers = itertools.count()
        self.alive: dict[str, FakeWorker] = {}
        self.log: list[tuple[str, str, str]] = []
        self.pending: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.embedding: set[str] = set()
        self.side_by_side: set[frozenset[str]] = set()
        self.released: list[tuple[str, frozenset[str]]] = []
        self.cancelled = 0
        self.unanswered: list[Future[dict[str, int]]] = []
        self.is_lost = self.is_hanging = self.is_silent = False
        self.lock = threading.Lock()
        for worker in workers:
            self.join(worker)

    def join(self, worker: FakeWorker) -> str:
        address = f"tcp://10.0.0.{next(self.numbers)}:1"
        self.alive[address] = worker
        return address

    def request_workers(self) -> Future[dict[str, int]]:
        self.verify()
        answer: Future[dict[str, int]] = Future()
        self.unanswered.append(answer)
        if not self.is_hanging:
            self.answer()
        return answer

    def answer(self) -> None:
        """Answer what was requested while it hung."""
        self.is_hanging = False
        while self.unanswered:
            self.unanswered.pop().set_result({address: worker.threads for address, worker in self.alive.items()})

    def fingerprint(self, address: str) -> str:
        worker = self.alive[address]
        if worker.lacks_package:
            raise ModuleNotFoundError("No module named 'resonance_engine'")
        return worker.code

    def verify(self) -> None:
        if self.is_lost:
            raise self.lost_error()

    def lost_error(self) -> ClusterError:
        return ClusterError("The scheduler went away.")

    def release(self, session: str, workers: Iterable[str]) -> None:
        self.released.append((session, frozenset(workers)))

    def submit(self, function: object, request: bytes, content: bytes, *, workers: list[str], **_: Any) -> FakeFuture:
        del function, content
        (address,) = workers
        future = FakeFuture(self)
        worker = self.alive.get(address)
        if worker is not None:
            with self.lock:
                self.pending[address] += 1
                self.most[address] = max(self.most[address], self.pending[address])
            worker.pool.submit(self.work, address, worker, decode(request).header, future)
        return future

    def work(self, address: str, worker: FakeWorker, header: dict[str, Any], future: FakeFuture) -> None:
        if self.alive.get(address) is not worker:
            return
        if worker.lacks_package:
            del self.alive[address]  # as Dask does
            return
        answer = self.respond(address, worker, header)
        with self.lock:
            self.pending[address] -= 1
        if self.alive.get(address) is worker and not future.cancelled():
            about = {"process": worker.process, "code": worker.code, "model": DESCRIPTION.id}
            future.set_result(encode(Message({**answer.header, **about}, answer.arrays)))

    def respond(self, address: str, worker: FakeWorker, header: dict[str, Any]) -> Message:
        verb = header["verb"]
        if verb == "prepare" and worker.defect:
            return Message({"unusable": worker.defect})
        if verb == "prepare":
            worker.is_prepared = True
            return Message({"description": asdict(DESCRIPTION)})
        if verb == "put":
            return Message({})
        if not worker.is_prepared:
            return Message({"unprepared": True})
        path = Path(os.fsdecode(bytes.fromhex(header["path"])))
        if worker.sees is not None and worker.sees(path) != header["size"]:
            return Message({"other_size": worker.sees(path)})
        self.log.append((address, verb, path.name))
        if verb == "identify":
            return Message({"key": key_of(path).hex(), "seconds": 0.1})
        return self.embed(address, path)

    def embed(self, address: str, path: Path) -> Message:
        with self.lock:
            self.side_by_side |= {frozenset((path.name, other)) for other in self.embedding}
            self.embedding.add(path.name)
        if "slow" in path.name:
            time.sleep(0.05)
        with self.lock:
            self.embedding.discard(path.name)
        if "killer" in path.name:
            dead = self.alive.pop(address)
            self.join(FakeWorker(dead.threads))
        if "bad" in path.name:
            return Message({"reason": "it is bad", "killed": False})
        vector = np.frombuffer(key_of(path), "<u4").astype(np.float32)
        windows = Windows((0.0,), vector[None])
        message = analysis_message(Embedding(vector, {"timbre": vector}, {"timbre": 1.0}, windows), Analysis("1", {}))
        return Message({**message.header, "seconds": 0.2}, message.arrays)

    def names(self, verb: str = "embed") -> list[str]:
        return [name for _, kind, name in self.log if kind == verb]


class FakeFuture(Future[bytes]):
    """The future of a request; counts in its connection when it is cancelled."""

    def __init__(self, connection: FakeConnection) -> None:
        super().__init__()
        self.connection = connection

    def cancel(self) -> bool:
        self.connection.cancelled += 1
        return super().cancel()


def nothing_known(_: bytes) -> bool:
    return False


def open_pool(connection: FakeConnection, model: Path, warn: Callable[[str], object] = lambda _: None) -> ClusterPool:
    return ClusterPool(cast("SchedulerConnection", connection), model, warn=warn)


def analyse(
    connection: FakeConnection,
    model: Path,
    paths: list[Path],
    warn: Callable[[str], object] = lambda _: None,
    is_known: IsKnown | None = nothing_known,
) -> Results:
    """The results of all paths, each of which has one."""
    with closing(open_pool(connection, model, warn)) as pool:
        results = list(filter(None, pool.analyse(paths, is_known)))
    assert Counter(path for path, _ in results) == Counter(paths)
    return dict(results)


def failures(results: Results) -> list[str]:
    """The names of the files that failed."""
    return sorted(path.name for path, result in results.items() if isinstance(result, AudioError))
