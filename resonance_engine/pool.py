"""Several workers side by side, whatever they do with a file."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from queue import LifoQueue
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType


class Closable(Protocol):
    def close(self) -> None: ...


W = TypeVar("W", bound=Closable)
R = TypeVar("R")


class Pool(Generic[W]):
    """Workers that each do one thing at a time."""

    def __init__(self, workers: Sequence[W]) -> None:
        self.workers = workers
        self.idle: LifoQueue[W] = LifoQueue()  # the last one used is the one surely started
        for worker in reversed(workers):
            self.idle.put(worker)

    def each(
        self, paths: Iterable[Path], hear: Callable[[W, Path], R], ahead: int
    ) -> Iterator[tuple[Path, R | AudioError]]:
        """Every path with what came of it, in the order of `paths`; `hear` is called in the pool's threads.

        Up to `ahead` files per worker are begun while the result of an earlier one is still awaited. Ending the
        iteration early gives up what was not begun; what was begun ends by itself or with `close`.
        """

        def one(path: Path) -> R | AudioError:
            worker = self.idle.get()
            try:
                return hear(worker, path)
            except AudioError as error:
                return error
            finally:
                self.idle.put(worker)

        executor = ThreadPoolExecutor(len(self.workers))
        pending: deque[tuple[Path, Future[R | AudioError]]] = deque()
        try:
            for path in paths:
                pending.append((path, executor.submit(one, path)))
                if len(pending) >= ahead * len(self.workers):
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self.workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
