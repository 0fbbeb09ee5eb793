"""Run a model for a share of the time only, and note the progress."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from beetsplug.resonance.background.monitor import Interrupted
from beetsplug.resonance.library.sidecar import Runtime
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from beetsplug.resonance.background.monitor import WorkMonitor
    from beetsplug.resonance.background.status import ProgressReporter
    from resonance_engine.errors import AudioError
    from resonance_engine.ingest import AnalysisPool
    from resonance_engine.worker.worker import FileAnalysis, IsKnown, ModelDescription

FULL_PACE = 100
TURN = 8  # files between two rests: long enough to matter, too short to meet a pause late


def rest_seconds(worked: float, pace: int) -> float:
    """Return the seconds to rest after so many seconds of work, so that `pace` percent of the time are work."""
    return worked * (FULL_PACE - pace) / pace


class ThrottledRuntime(Runtime):
    """Opens pools that work at a pace, in percent of the time, and end early; monitor and reporter are set by use."""

    monitor: WorkMonitor
    reporter: ProgressReporter

    def __init__(self, runtime: Runtime, pace: int) -> None:
        self.runtime, self.pace, self.shipped = runtime, pace, runtime.shipped

    def open_pool(self, model: Path, count: int, timeout: float) -> AnalysisPool:
        return ThrottledPool(self.runtime.open_pool(model, count, timeout), self.pace, self.monitor, self.reporter)


class ThrottledPool:
    """A pool that rests between turns, and closes and raises Interrupted as soon as the monitor meets an obstacle."""

    def __init__(self, pool: AnalysisPool, pace: int, monitor: WorkMonitor, reporter: ProgressReporter) -> None:
        self.pool, self.pace, self.monitor, self.reporter = pool, pace, monitor, reporter
        self.stack = ExitStack()
        self.stack.callback(pool.close)
        self.stack.enter_context(monitor.closing_early(pool.close))

    def description(self) -> ModelDescription:
        return self.pool.description()

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Analyse as `WorkerPool.analyse`, in turns."""
        files = list(paths)
        self.reporter.expect(len(files))
        size = TURN if self.pace < FULL_PACE else len(files) or 1
        try:
            for start in range(0, len(files), size):
                began = self.monitor.clocks.clock()
                for result in self.pool.analyse(files[start : start + size], is_known, passage):
                    yield result
                    if result is not None:
                        self.reporter.step()
                    self.monitor.verify()
                if start + size < len(files):
                    self.reporter.save()
                    yield from self.monitor.rest(rest_seconds(self.monitor.clocks.clock() - began, self.pace))
        except ResonanceError as error:
            if self.monitor.obstacle:  # for which the pool was closed
                raise Interrupted from error
            raise

    def close(self) -> None:
        self.stack.close()
