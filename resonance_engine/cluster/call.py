"""Calls that may never return, in threads of their own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


def start_call(function: Callable[[], R]) -> Future[R]:
    """Call a function in a thread that does not keep the process from ending; return the future of its result."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # of whatever kind, the receiver decides
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def describe(error: BaseException) -> str:
    """Return the text of an error on one line, or its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
