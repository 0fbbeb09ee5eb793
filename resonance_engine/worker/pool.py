"""Several workers side by side, one file each at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import LifoQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path


class Closable(Protocol):
    def close(self) -> None: ...


W = TypeVar("W", bound=Closable)
R = TypeVar("R")

WAKE_SECONDS = 1.0


class ProcessPool(Generic[W]):
    """Workers that each process one file at a time; `close` it, for example by `contextlib.closing`."""

    def __init__(self, workers: Sequence[W]) -> None:
        self.workers = workers
        self.idle: LifoQueue[W] = LifoQueue()  # the last one used is the one surely started
        for worker in reversed(workers):
            self.idle.put(worker)

    def map(
        self, paths: Iterable[Path], process: Callable[[W, Path], R], ahead: int, in_order: bool = False
    ) -> Iterator[tuple[Path, R | AudioError] | None]:
        """Yield every path with its result as soon as it is done; `process` is called in the pool's threads.

        Yields None where nothing is done for `WAKE_SECONDS`, so that the caller can do its own work in between. Up to
        `ahead` files per worker are begun, or done and not yet taken. With `in_order` the results come in the order of
        `paths`, and a slow one holds others back. Ending the iteration early drops the files that are not begun; the
        others end by themselves or with `close`.
        """

        def run(path: Path) -> R | AudioError:
            worker = self.idle.get()
            try:
                return process(worker, path)
            except AudioError as error:
                return error
            finally:
                self.idle.put(worker)

        executor = ThreadPoolExecutor(len(self.workers))
        pending: dict[Future[R | AudioError], Path] = {}
        left = iter(paths)
        try:
            while True:
                room = ahead * len(self.workers) - len(pending)
                pending |= {executor.submit(run, path): path for path in islice(left, room)}
                if not pending:
                    return
                awaited = list(pending)[: 1 if in_order else None]
                done, _ = wait(awaited, WAKE_SECONDS, FIRST_COMPLETED)
                for future in done:
                    yield pending.pop(future), future.result()
                if not done:
                    yield None
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self.workers:
            worker.close()
