"""Content keys of files that are to be sent, read on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import TYPE_CHECKING

from resonance_engine.errors import AudioError, KilledWorkerError
from resonance_engine.worker.protocol import Message
from resonance_engine.worker.worker import Identifier

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.cluster.chain import FileTask
    from resonance_engine.cluster.request_queue import RequestQueue

READERS = 2  # processes


class KeyReader:
    """Reads content keys on this machine, and adds them to the answers of a queue."""

    def __init__(self, queue: RequestQueue, timeout: float) -> None:
        self.queue = queue
        self.identifiers = [Identifier(timeout) for _ in range(READERS)]
        self.idle: LifoQueue[Identifier] = LifoQueue()
        for identifier in self.identifiers:
            self.idle.put(identifier)
        self.threads = ThreadPoolExecutor(READERS)

    def submit(self, task: FileTask) -> None:
        done = self.threads.submit(self.read, task.path)
        done.add_done_callback(lambda future: self.queue.put_result(future, task))

    def read(self, path: Path) -> Message:
        identifier = self.idle.get()
        try:
            before = identifier.busy
            key = identifier.identify(path)
            return Message({"key": key.hex(), "seconds": identifier.busy - before})
        except AudioError as error:
            return Message({"reason": error.reason, "killed": isinstance(error, KilledWorkerError)})
        finally:
            self.idle.put(identifier)

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)
        for identifier in self.identifiers:
            identifier.kill()
        for identifier in self.identifiers:
            identifier.close()
