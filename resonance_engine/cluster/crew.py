"""The workers of a cluster: who comes is compared with this machine and gets the model, who goes is noted."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from resonance_engine.cluster.call import describe
from resonance_engine.cluster.chain import Chain, RemoteWorker, send_model
from resonance_engine.cluster.code_fingerprint import fingerprint_code
from resonance_engine.cluster.connection import lacks_package
from resonance_engine.cluster.request_queue import RequestQueue
from resonance_engine.cluster.worker_poll import SILENCE_SECONDS, WorkerPoll
from resonance_engine.errors import AudioError, ClusterError, ModelError
from resonance_engine.worker.process import stopped_error
from resonance_engine.worker.protocol import Message
from resonance_engine.worker.worker import WAKE_SECONDS, ModelDescription

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resonance_engine.cluster.connection import SchedulerConnection
    from resonance_engine.cluster.request_queue import Answer

START_SECONDS = 15.0  # for a first worker to come
PATIENCE = 60.0  # for another to come when all went: one that was killed is started again within seconds
LAST = ("reason", "unusable", "unprepared", "other_size")  # in an answer, after which a chain does not go on


class Crew:
    """The workers of a cluster that have one model; `described` is what that is, once a worker has loaded it.

    A worker without this package, with other code, or that cannot use the model, is left out, with a sentence to
    `warn`; without any other that sentence is raised, as ModelError where none could take the model. Only `close` is
    for other threads.
    """

    def __init__(
        self,
        connection: SchedulerConnection,
        model: Path,
        timeout: float,
        backend: str,
        warn: Callable[[str], object],
    ) -> None:
        self.connection, self.model, self.timeout, self.backend = connection, model, timeout, backend
        self.warn = warn
        self.code = fingerprint_code()
        self.session = uuid.uuid4().hex
        self.queue = RequestQueue(connection)
        self.poll = WorkerPoll(connection, warn)
        self.workers: dict[str, RemoteWorker] = {}
        self.inspections: dict[RemoteWorker, float] = {}  # with the times when they began
        self.excluded: set[str] = set()
        self.unreported: list[str] = []  # why workers are left out
        self.visited: set[str] = set()  # addresses that were sent a request
        self.described: ModelDescription | None = None
        self.refreshed = self.populated = time.monotonic()
        self.refreshed -= WAKE_SECONDS
        self.losses = 0
        self.is_waiting = False
        self.closed = False

    def describe(self) -> ModelDescription:
        """Return what the model is; waits for a first worker."""
        while self.described is None:
            self.refresh()
            self.receive(WAKE_SECONDS)
        return self.described

    def refresh(self) -> list[RemoteWorker]:
        """Look for workers that came or went, at most every second; return those that went."""
        if self.closed:
            raise stopped_error()
        self.connection.verify()
        now = time.monotonic()
        if now - self.refreshed < WAKE_SECONDS:
            return []
        if now - self.refreshed > START_SECONDS:  # it was not in use: another pool was, or the user
            self.populated = now
        self.refreshed = now
        threads = self.poll.read()
        if threads is None:
            return []
        self.excluded &= threads.keys()
        self.visited &= threads.keys()
        gone = [self.workers.pop(address) for address in self.workers.keys() - threads.keys()]
        self.losses += len(gone)
        for worker in gone:
            self.inspections.pop(worker, None)
        for address in threads.keys() - self.workers.keys() - self.excluded:
            self.workers[address] = worker = RemoteWorker(address, threads[address])
            self.prepare(worker)
        for worker in [each for each, since in self.inspections.items() if now - since > SILENCE_SECONDS]:
            self.exclude(worker, "does not answer")
        self.verify_populated(now)
        return gone

    def verify_populated(self, now: float) -> None:
        """Raise ClusterError where there are no workers, and probably will be none."""
        if self.workers:
            self.populated, self.is_waiting = now, False
            return
        address = self.connection.settings.address
        patience = PATIENCE if self.losses else 0 if self.excluded else START_SECONDS
        if now - self.populated < patience:
            self.report_excluded()
            if not self.is_waiting:
                self.is_waiting = True
                left = "has no workers left" if self.losses else "has no workers yet"
                self.warn(f"The scheduler at {address} {left}; one that comes within {patience:g} s is given the work.")
            return
        if self.unreported:
            raise (ClusterError if self.described else ModelError)(" ".join(self.unreported))
        usable = "workers that can be used" if self.excluded else "workers"
        raise ClusterError(f"The scheduler at {address} has no {usable}; `dask worker` starts one.")

    def prepare(self, worker: RemoteWorker) -> None:
        """Compare a worker's code, then bring it the model; it is ready when that is done.

        A task would end a worker that lacks this package.
        """
        worker.is_ready = False
        self.inspections[worker] = time.monotonic()
        self.queue.inspect(worker.address, worker)

    def take_inspection(self, worker: RemoteWorker, outcome: Message | BaseException) -> None:
        if self.inspections.pop(worker, None) is None:  # it went, or was given up
            return
        if isinstance(outcome, Message):
            if self.verify_code(worker, outcome.header["code"]):
                self.start(Chain(worker, send_model(self.model, self.timeout, self.backend)))
        elif lacks_package(outcome):
            self.exclude(worker, "lacks beets-resonance; install it there, the same version")
        else:
            self.exclude(worker, f"cannot be used ({describe(outcome)})")

    def start(self, chain: Chain) -> None:
        """Begin a chain; raises AudioError where a file to be sent cannot be read."""
        self.submit_next(chain)
        chain.worker.running.add(chain)

    def submit_next(self, chain: Chain) -> bool:
        """Send the next request of a chain; return whether there was one."""
        request = next(chain.requests, None)
        if request is None:
            return False
        header, content = request
        header = {**header, "session": self.session}
        self.visited.add(chain.worker.address)
        chain.future = self.queue.submit(chain.worker.address, header, content, chain)
        return True

    def receive(self, seconds: float) -> list[Answer]:
        """Wait for answers, and go on with their chains; return what ended the chains that are not this object's own.

        That is the last answer, or AudioError where a file cannot be read on, or what else went wrong.
        """
        ended: list[Answer] = []
        for tag, outcome in self.queue.receive(seconds):
            if isinstance(tag, RemoteWorker):
                self.take_inspection(tag, outcome)
            elif not isinstance(tag, Chain):
                ended.append((tag, outcome))
            elif tag in tag.worker.running:  # else it was dropped
                ended += self.go_on(tag, outcome)
        return ended

    def go_on(self, chain: Chain, outcome: Message | BaseException) -> list[Answer]:
        if isinstance(outcome, CancelledError):  # nobody here did
            raise self.connection.lost_error()
        if isinstance(outcome, Message) and not any(name in outcome.header for name in LAST):
            try:
                if self.submit_next(chain):
                    return []
            except AudioError as error:
                outcome = error
        chain.worker.running.discard(chain)
        if type(chain) is Chain:
            self.accept(chain.worker, outcome)
            return []
        return [(chain, outcome)]

    def accept(self, worker: RemoteWorker, outcome: Message | BaseException) -> None:
        """Take a worker that was prepared, or leave it out."""
        if not isinstance(outcome, Message):
            self.exclude(worker, f"cannot be used ({describe(outcome)})")
        elif self.verify_same(worker, outcome):
            header = outcome.header["description"]
            names = {name: tuple(header[name]) for name in ("modalities", "tags")}
            described = ModelDescription(**{**header, **names})
            if self.described in (None, described):
                self.described = described
                worker.is_ready, worker.process = True, outcome.header["process"]
            else:
                self.exclude(worker, f"has another model, {described.id}, than the others")

    def verify_same(self, worker: RemoteWorker, answer: Message) -> bool:
        """Return whether an answer is of the same code and model; leave the worker out where it is not."""
        header = answer.header
        model = self.described.id if self.described else ""
        if not self.verify_code(worker, header["code"]):
            return False
        if "unusable" in header:
            clause = f"cannot be used: {header['unusable'].removesuffix('.')}"
        elif model and header["model"] not in ("", model):
            clause = f"has the model {header['model']}, and this machine {model}"
        else:
            return True
        self.exclude(worker, clause)
        return False

    def verify_code(self, worker: RemoteWorker, code: str) -> bool:
        """Return whether a worker has the code of this machine; leave it out where it has not."""
        if code != self.code:
            self.exclude(worker, f"has beets-resonance {code}, and this machine {self.code}; install the same on both")
        return code == self.code

    def exclude(self, worker: RemoteWorker, clause: str) -> None:
        """Give a worker nothing to do any more."""
        worker.is_ready = False
        self.inspections.pop(worker, None)
        if self.workers.get(worker.address) is worker:
            del self.workers[worker.address]
        self.excluded.add(worker.address)
        self.unreported.append(f"The worker at {worker.address} {clause}.")
        if self.workers:
            self.report_excluded()

    def report_excluded(self) -> None:
        """Warn of the workers that are left out while the work goes on, each once."""
        for sentence in self.unreported:
            self.warn(sentence.removesuffix(".") + "; it is left out.")
        self.unreported.clear()

    def ready(self) -> list[RemoteWorker]:
        """Return the workers that can be given files."""
        return [worker for worker in self.workers.values() if worker.is_ready]

    def close(self) -> None:
        self.closed = True
        self.connection.release(self.session, self.visited)
