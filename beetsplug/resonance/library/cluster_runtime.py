"""Pools of the workers of a Dask cluster, in the place of processes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.library.runtime import DENSE_PATIENCE, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable
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
