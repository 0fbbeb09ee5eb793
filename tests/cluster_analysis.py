"""An analysis of files by a real cluster, into a store."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.pool import ClusterPool
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.ingest import Ingest, Job
from resonance_engine.store import Store
from tests.store_contents import store_contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resonance_engine.ingest import AnalysisPool
    from tests.dask_cluster import DaskCluster

LIBRARY = "library"


def store_analyses(
    path: Path, pool: AnalysisPool, music: list[Path], during: Callable[[int], object] = lambda _: None
) -> int:
    """Analyse files into a store, and return how many the model ran for; `during` gets the number of results so far."""
    with Store(path) as store:
        library = store.libraries.get_or_create(LIBRARY)
        ingest, count, embedded = Ingest(store, library, pool), 0, 0

        def report(jobs: int) -> None:
            nonlocal count
            count += jobs
            during(count)

        jobs = [Job(number, 1.0, each) for number, each in enumerate(music)]
        for outcome in ingest.run(jobs, report=report):
            embedded += outcome.embedded
        return embedded


def contents(path: Path) -> dict[str, Any]:
    return store_contents(path, LIBRARY)


def run_analysis(
    cluster: DaskCluster,
    model: Path,
    path: Path,
    music: list[Path],
    during: Callable[[int], object] = lambda _: None,
    warnings: list[str] | None = None,
    **settings: Any,
) -> int:
    warn = [].append if warnings is None else warnings.append
    with (
        closing(SchedulerConnection(ClusterSettings(cluster.address, **settings))) as connection,
        closing(ClusterPool(connection, model, warn=warn)) as pool,
    ):
        return store_analyses(path, pool, music, during)


def once(number: int, action: Callable[[], object]) -> Callable[[int], object]:
    """Call an action when so many results have come."""
    pending = [action]
    return lambda count: pending.pop()() if count >= number and pending else None
