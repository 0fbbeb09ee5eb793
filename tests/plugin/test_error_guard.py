"""Nothing that goes wrong behind an event reaches beets."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError
from beets.logging import getLogger
from confuse import ConfigError

from beetsplug.resonance import ErrorGuard
from resonance_engine.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[list[str]]:
    made: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                made.append(record.getMessage())

    log, handler = getLogger("guarded"), Lines()
    log.addHandler(handler)
    yield made
    log.removeHandler(handler)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("The disk is full."), "The disk is full"),
        (UserError("no file"), "no file"),
        (ConfigError("resonance.auto: must be one of"), "configuration error: resonance.auto: must be one of"),
        (OSError(errno.ENOSPC, "No space left on device", "/music/a.lock"), "/music/a.lock: No space left on device"),
        (KeyError("x"), "unexpected KeyError: 'x'"),
    ],
)
def test_an_error_becomes_one_line(lines: list[str], error: Exception, said: str) -> None:
    guard = ErrorGuard(getLogger("guarded"))
    for _ in range(3):
        with guard():
            raise error
    assert lines == [f"{said}; tracks are left out until `beet resonance analyze`"]


def test_an_outcome_of_its_own_ends_the_line(lines: list[str]) -> None:
    with ErrorGuard(getLogger("guarded"))("; nothing is lost"):
        raise StoreError("The disk is full.")
    assert lines == ["The disk is full; nothing is lost"]


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt), ErrorGuard(getLogger("guarded"))():
        raise KeyboardInterrupt


def test_an_error_that_a_field_met_is_not_named_again(lines: list[str]) -> None:
    guard = ErrorGuard(getLogger("guarded"))
    guard.warn("The disk is full.")
    with guard():
        raise StoreError("The disk is full.")
    assert lines == ["The disk is full"]
