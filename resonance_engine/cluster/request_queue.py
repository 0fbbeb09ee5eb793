"""Requests to the workers of a cluster, and their answers."""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from resonance_engine.cluster.call import start_call
from resonance_engine.cluster.remote import handle
from resonance_engine.worker.protocol import Message, decode, encode

if TYPE_CHECKING:
    from concurrent.futures import Future

    from distributed import Future as TaskFuture

    from resonance_engine.cluster.connection import SchedulerConnection

    Answer = tuple[Any, Message | BaseException]

ANSWER_SECONDS = 60.0  # for a result to come from a worker that has it


class RequestQueue:
    """Sends requests to workers, and gets their answers in the order in which they come."""

    def __init__(self, connection: SchedulerConnection) -> None:
        self.connection = connection
        self.client = connection.client
        self.answers: SimpleQueue[Answer] = SimpleQueue()

    def submit(self, address: str, header: dict[str, Any], content: bytes, tag: object) -> TaskFuture:
        """Send a request to one worker and no other; the answer, or an exception, comes with `tag`.

        Raises ClusterError where the scheduler has gone away.
        """
        request = encode(Message(header))
        try:
            future = self.client.submit(
                handle, request, content, workers=[address], allow_other_workers=False, pure=False
            )
            future.add_done_callback(lambda done: self.collect(done, tag))
        except Exception as error:  # of no kind in particular, where the client closed itself this moment
            if self.client.status == "running":
                raise
            raise self.connection.lost_error() from error
        return future

    def inspect(self, address: str, tag: object) -> None:
        """Request the code of one worker, which it survives to have none; the answer comes with `tag`."""
        code = start_call(lambda: Message({"code": self.connection.fingerprint(address)}))
        code.add_done_callback(lambda done: self.put_result(done, tag))

    def collect(self, future: TaskFuture, tag: object) -> None:
        with suppress(RuntimeError):  # no thread begins while the process ends
            start_call(lambda: self.fetch(future, tag))

    def fetch(self, future: TaskFuture, tag: object) -> None:
        try:
            self.answers.put((tag, decode(future.result(ANSWER_SECONDS))))
        except BaseException as error:  # of whatever kind, the receiver decides
            self.answers.put((tag, error))

    def put_result(self, done: Future[Message], tag: object) -> None:
        """Add the answer of work on this machine."""
        error = done.exception() if not done.cancelled() else CancelledError()
        self.answers.put((tag, error or done.result()))

    def receive(self, seconds: float) -> list[Answer]:
        """Return the answers that are there, or the first that comes within `seconds`; empty for none."""
        answers: list[Answer] = []
        with suppress(Empty):
            answers.append(self.answers.get(timeout=seconds))
            while True:
                answers.append(self.answers.get_nowait())
        return answers
