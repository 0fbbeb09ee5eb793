"""Give files to the workers of a cluster, a few ahead for each, and again to others where a worker dies.

This side chooses the worker of every task: it alone decides what is a file's third dead worker, and whether a recording
is known. The first request about a file is for its key, which costs little; where files are sent, the key is read here,
so that known ones stay here.
"""

from __future__ import annotations

import os
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resonance_engine.cluster.chain import FileChain, FileTask, send_file
from resonance_engine.cluster.key_reader import KeyReader
from resonance_engine.cluster.remote import file_size
from resonance_engine.errors import AudioError, KilledWorkerError, printable
from resonance_engine.worker.protocol import Message
from resonance_engine.worker.worker import WAKE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonance_engine.cluster.chain import Chain, RemoteWorker, Requests
    from resonance_engine.cluster.crew import Crew
    from resonance_engine.worker.worker import IsKnown

AHEAD = 1  # files of a worker beyond one per thread
LOSSES = 3  # workers that die with a file before it is given up
IDENTIFY = "identify"

R = TypeVar("R")


class FileDispatch(Generic[R]):
    """One pass over files; `make_result` gets the answer about a new recording, None for a known one.

    A recording that `is_known` accepts, or that another file of this pass has, is not analysed, where `is_known` is
    given. Files with which a worker died are done one at a time: an innocent one meets no killer twice.
    """

    def __init__(
        self,
        crew: Crew,
        verb: str,
        is_known: IsKnown | None,
        make_result: Callable[[FileTask, Message | None], R],
        sends_files: bool,
        options: dict[str, Any],
    ) -> None:
        self.crew, self.verb, self.is_known, self.make_result = crew, verb, is_known, make_result
        self.options = options
        self.reader = KeyReader(crew.queue, crew.timeout) if sends_files else None
        self.reading: set[FileTask] = set()
        self.left: Iterator[Path] = iter(())
        self.has_left = True
        self.waiting: deque[FileTask] = deque()
        self.suspects: deque[FileTask] = deque()
        self.suspect: FileTask | None = None
        self.active: set[FileChain] = set()
        self.done: set[bytes] = set()
        self.copies: dict[bytes, list[FileTask]] = {}  # of recordings that are being analysed
        self.results: deque[tuple[Path, R | AudioError]] = deque()

    def run(self, paths: Iterable[Path]) -> Iterator[tuple[Path, R | AudioError] | None]:
        """Yield every path with its result as it comes, and None after a second without one."""
        self.left = iter(paths)
        try:
            while True:
                for worker in self.crew.refresh():
                    self.drop(worker, is_dead=True)
                self.fill()
                if self.is_done():
                    return
                if not self.results:
                    for tag, outcome in self.crew.receive(WAKE_SECONDS):
                        self.handle(tag, outcome)
                if not self.results:
                    yield None
                while self.results:
                    yield self.results.popleft()
        finally:
            if self.reader is not None:
                self.reader.close()
            for chain in self.active:
                chain.worker.running.discard(chain)
                cancel(chain)

    def is_done(self) -> bool:
        return not (self.has_left or self.active or self.reading or self.waiting or self.suspects or self.results)

    def take_path(self) -> Path | None:
        """Return the next path, None after the last."""
        path = next(self.left, None)
        self.has_left = path is not None
        return path

    def fill(self) -> None:
        """Give files to all workers that have room, those with the least to do first."""
        self.read_ahead()
        workers = self.crew.ready()
        while workers:
            worker = min(workers, key=lambda each: len(each.running) / each.threads)
            if len(worker.running) >= worker.threads + AHEAD:
                return
            task = self.next_task()
            if task is None:
                return
            self.begin(task, worker)

    def read_ahead(self) -> None:
        """Have keys read here for as many files as the workers take next."""
        room = sum(worker.threads + AHEAD for worker in self.crew.ready())
        while self.reader is not None and len(self.reading) + len(self.waiting) < room:
            path = self.take_path()
            if path is None:
                return
            task = FileTask(path)
            self.reading.add(task)
            self.reader.submit(task)

    def next_task(self) -> FileTask | None:
        if self.suspects and self.suspect is None:
            self.suspect = self.suspects.popleft()
            return self.suspect
        if self.waiting:
            return self.waiting.popleft()
        path = self.take_path() if self.reader is None else None
        return None if path is None else FileTask(path)

    def begin(self, task: FileTask, worker: RemoteWorker) -> None:
        """Give a file to a worker: to read its key, or, with that, to analyse it."""
        verb = self.verb if task.key else IDENTIFY
        try:
            chain = FileChain(worker, self.requests(verb, task), task=task, verb=verb)
            self.crew.start(chain)
            self.active.add(chain)
        except AudioError as error:
            self.fail(task, error.reason)

    def requests(self, verb: str, task: FileTask) -> Requests:
        """Yield the requests about a file, those that send it first."""
        options = self.options if verb == self.verb else {}
        header = {"verb": verb, "spent": task.seconds, "options": options}
        if self.reader is None:
            size = file_size(task.path)
            yield {**header, "path": os.fsencode(task.path).hex(), "size": size}, b""
            return
        name = f"{uuid.uuid4().hex}{task.path.suffix}"
        yield from send_file(name, task.path)
        yield {**header, "name": name}, b""

    def handle(self, tag: object, outcome: Message | BaseException) -> None:
        """Take the answer about a file, of a worker or of the reader; nothing of what was dropped."""
        if isinstance(tag, FileTask) and tag in self.reading:
            self.reading.discard(tag)
            if not isinstance(outcome, Message):
                raise outcome
            if not self.handle_failure(tag, outcome):
                self.admit(tag, outcome)
        elif isinstance(tag, FileChain) and tag in self.active:
            self.active.discard(tag)
            self.handle_end(tag, outcome)

    def handle_end(self, chain: FileChain, outcome: Message | BaseException) -> None:
        """Take the last answer of a worker about a file, or why there is none."""
        worker, task = chain.worker, chain.task
        if isinstance(outcome, AudioError):
            self.fail(task, outcome.reason)
        elif not isinstance(outcome, Message):
            self.lose(task)
        elif not self.crew.verify_same(worker, outcome):
            self.put_back(task)
            self.drop(worker, is_dead=False)
        else:
            self.handle_answer(chain, outcome)

    def handle_answer(self, chain: FileChain, answer: Message) -> None:
        """Take the answer of a worker that is as it should be."""
        worker, task = chain.worker, chain.task
        if "unprepared" in answer.header:  # it was idle for long, or took the place of one that died
            is_another = answer.header["process"] != worker.process
            if worker.is_ready:
                self.crew.prepare(worker)
            (self.lose if is_another else self.put_back)(task)
        elif "other_size" in answer.header:
            self.verify_size(worker, task, answer.header["other_size"])
        elif self.handle_failure(task, answer):
            pass
        elif chain.verb == IDENTIFY:
            self.admit(task, answer, worker)
        else:
            task.seconds += answer.header["seconds"]
            self.finish(task, answer)

    def handle_failure(self, task: FileTask, answer: Message) -> bool:
        """Take an answer for a failure, where it is one."""
        if "reason" in answer.header:
            self.fail(task, answer.header["reason"], answer.header["killed"])
        return "reason" in answer.header

    def verify_size(self, worker: RemoteWorker, task: FileTask, size: int | None) -> None:
        """Leave out a worker that has no file, or another, under a path; unless the file changed this moment."""
        self.put_back(task)
        if file_size(task.path) == size:
            return
        other = "no file" if size is None else "another file"
        self.crew.exclude(
            worker, f"has {other} at {printable(task.path)}; mount the music there, or send files with --send-files"
        )
        self.drop(worker, is_dead=False)

    def admit(self, task: FileTask, answer: Message, worker: RemoteWorker | None = None) -> None:
        """Go on with a file whose key was read, on the same worker if it has one, unless the recording is known."""
        task.key = bytes.fromhex(answer.header["key"])
        task.seconds += answer.header["seconds"]
        self.go_on(task, worker)

    def go_on(self, task: FileTask, worker: RemoteWorker | None = None) -> None:
        if self.is_known is not None:
            if task.key in self.done or self.is_known(task.key):
                self.finish(task, None)
                return
            if task.key in self.copies:
                self.copies[task.key].append(task)
                self.settle(task)
                return
            self.copies[task.key] = []
        if worker is not None and worker.is_ready:
            self.begin(task, worker)
        else:
            self.put_back(task)

    def put_back(self, task: FileTask) -> None:
        """Let another worker do a file."""
        self.settle(task)
        (self.suspects if task.losses else self.waiting).append(task)

    def lose(self, task: FileTask) -> None:
        """Note that a worker died with a file."""
        task.losses += 1
        if task.losses < LOSSES:
            self.put_back(task)
        else:
            self.fail(
                task, f"decoding it ended {LOSSES} workers of the cluster, as happens where memory runs out", True
            )

    def drop(self, worker: RemoteWorker, is_dead: bool) -> None:
        """Take all files from a worker."""
        for chain in [chain for chain in self.active if chain.worker is worker]:
            self.active.discard(chain)
            worker.running.discard(chain)
            cancel(chain)
            if is_dead:
                self.lose(chain.task)
            else:
                self.put_back(chain.task)

    def finish(self, task: FileTask, answer: Message | None) -> None:
        """Note the result about a file, and of the copies that wait for it."""
        self.settle(task)
        self.results.append((task.path, self.make_result(task, answer)))
        if answer is not None and self.is_known is not None:
            self.done.add(task.key)
            for copy in self.copies.pop(task.key):
                self.results.append((copy.path, self.make_result(copy, None)))

    def fail(self, task: FileTask, reason: str, is_killed: bool = False) -> None:
        """Note that a file cannot be analysed, and try its copies by themselves."""
        self.settle(task)
        kind = KilledWorkerError if is_killed else AudioError
        self.results.append((task.path, kind(task.path, reason)))
        for copy in self.copies.pop(task.key, ()):
            self.go_on(copy)

    def settle(self, task: FileTask) -> None:
        if self.suspect is task:
            self.suspect = None


def cancel(chain: Chain) -> None:
    """Drop what a worker has of a chain."""
    if chain.future is not None:
        with suppress(Exception):  # without a scheduler there is nothing to drop
            chain.future.cancel()
