"""Where processes leave word for each other: rows of the store, one written by all of them, one by the runner alone."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Store

ORDERS_KEY = "background_orders"
REPORT_KEY = "background_report"


@dataclass(frozen=True)
class JobRequests:
    """What is asked of the background.

    `requested` counts the requests for work, `asked` is the time of the last one in seconds since the epoch; those up
    to `served` are done or withdrawn. `leaves` counts how often the runner of that time was to end. `paused` holds
    until it is taken back.
    """

    requested: int = 0
    served: int = 0
    leaves: int = 0
    paused: bool = False
    asked: float = 0.0

    @property
    def open(self) -> bool:
        """Whether somebody waits for work to be done."""
        return self.requested > self.served


@dataclass(frozen=True)
class JobProgress:
    """What a runner says of itself: times in seconds since the epoch, files done and in all.

    `doing` is "working", "paused" or "waiting for" an hour; `said` what came of it, once it `ended`.
    """

    pid: int
    started: float
    done: int = 0
    total: int = 0
    doing: str = "working"
    ended: float | None = None
    said: str = ""


class JobState:
    """Orders and reports about one library of a store; nothing is written before the first of either."""

    def __init__(self, store: Store, library: int) -> None:
        self.store = store
        self.library = library

    @property
    def orders(self) -> JobRequests:
        return read_orders(self.store, self.library)

    def request(self) -> JobRequests:
        """Count another request for work."""
        now = time.time()
        return self.changed(lambda orders: replace(orders, requested=orders.requested + 1, asked=now))

    def serve(self, requested: int) -> None:
        """The requests up to this one are done."""
        self.changed(lambda orders: replace(orders, served=max(orders.served, requested)))

    def leave(self) -> None:
        """The runner is to end; what it was asked for stays open."""
        self.changed(lambda orders: replace(orders, leaves=orders.leaves + 1))

    def stop(self) -> None:
        """The runner is to end, and nothing is asked any more."""
        self.changed(lambda orders: replace(orders, leaves=orders.leaves + 1, served=orders.requested))

    def pause(self, paused: bool) -> None:
        """No work is to be done until further notice, or it may go on."""
        self.changed(lambda orders: replace(orders, paused=paused))

    def changed(self, change: Callable[[JobRequests], JobRequests]) -> JobRequests:
        """Change the orders in one transaction: other processes may want to at the same time."""
        with self.store.write():
            made = change(self.orders)
            self.store.state.set(f"{ORDERS_KEY}:{self.library}", asdict(made))
        return made

    def tell(self, report: JobProgress) -> None:
        """Replace what the runner says of itself."""
        self.store.state.set(f"{REPORT_KEY}:{self.library}", asdict(report))


def read_orders(reader: Store, library: int) -> JobRequests:
    return JobRequests(**known(JobRequests, reader.state.get(f"{ORDERS_KEY}:{library}")))


def read_report(reader: Store, library: int) -> JobProgress | None:
    """What the last runner says of itself, None before the first."""
    row = known(JobProgress, reader.state.get(f"{REPORT_KEY}:{library}"))
    return JobProgress(**row) if {"pid", "started"} <= row.keys() else None


def known(kind: type[JobRequests | JobProgress], row: Any) -> dict[str, Any]:
    """What this version understands of a row, which another one may have written."""
    kinds = get_type_hints(kind)
    given = row if isinstance(row, dict) else {}
    return {name: given[name] for name in kinds if name in given and isinstance(given[name], kinds[name])}


def job_state_of(sidecar: Sidecar) -> JobState:
    return JobState(sidecar.store, sidecar.id)
