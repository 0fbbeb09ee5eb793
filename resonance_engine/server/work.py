"""Run the work of requests in a few threads, so that a slow one leaves the others their turn."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
MOST_PENDING = 1_000
BUSY = "Too many requests are waiting; try again."


class WorkQueue:
    """Calls functions in up to `threads` threads at a time; what comes while too many wait is refused with 503.

    The threads stay as long as the queue: a database keeps a connection for each.
    """

    def __init__(self, threads: int, most_pending: int = MOST_PENDING) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="resonance-server")
        self.most_pending = most_pending
        self.pending = 0

    async def run(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Return what a function returns for these arguments; raises what it raises."""
        if self.pending >= self.most_pending:
            raise HTTPException(503, BUSY, {"Retry-After": "2"})
        self.pending += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.executor, partial(function, *args, **kwargs))
        finally:
            self.pending -= 1
