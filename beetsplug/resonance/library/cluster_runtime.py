"""Pools of the workers of a Dask cluster, in the place of processes on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from beetsplug.resonance.library.runtime import DENSE_PATIENCE, Runtime
from beetsplug.resonance.library.sidecar import format_tracks
from resonance_engine.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from resonance_engine.cluster.connection import SchedulerConnection
    from resonance_engine.cluster.pool import ClusterPool


class ClusterRuntime(Runtime):
    """Opens pools over one connection; the number of their workers is the cluster's, whatever is asked for."""

    def __init__(self, runtime: Runtime, connection: SchedulerConnection, warn: Callable[[str], object]) -> None:
        self.connection, self.warn, self.shipped = connection, warn, runtime.shipped

    def open_pool(self, model: Path, count: int, timeout: float) -> ClusterPool:
        from resonance_engine.cluster.pool import ClusterPool

        del count
        return ClusterPool(self.connection, model, timeout, warn=self.warn)

    def open_dense_pool(self, model: Path, count: int, timeout: float) -> ClusterPool:
        return self.open_pool(model, count, DENSE_PATIENCE * timeout)


@contextmanager
def counting_kept(count: Callable[[], int]) -> Iterator[None]:
    """Add to the error of a cluster that does not go on how many tracks are done: these are kept."""
    try:
        yield
    except ClusterError as error:
        kept = f"what was analysed is kept ({format_tracks(done)})" if (done := count()) else "nothing was analysed yet"
        raise ClusterError(f"{str(error).removesuffix('.')}; {kept}, run it again to go on.") from error
