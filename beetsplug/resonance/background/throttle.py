"""Work for a share of the time only, and report how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.background.watch import Interrupted
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beetsplug.resonance.background.status import ProgressReporter
    from beetsplug.resonance.background.watch import Watch
    from resonance_engine.ingest import Ingest, IngestOutcome, Job

ALWAYS = 100
FILES_A_TURN = 8  # after so many it rests, which is long enough to matter and too short to notice a pause late


def rest(worked: float, pace: int) -> float:
    """Seconds to rest after so many seconds of work, so that `pace` percent of the time are work."""
    return worked * (ALWAYS - pace) / pace


class ThrottledIngest:
    """An ingest that rests between turns and stops when the watch says so, with Interrupted."""

    def __init__(self, ingest: Ingest, pace: int, watch: Watch, reporter: ProgressReporter) -> None:
        self.ingest, self.model = ingest, ingest.model
        self.pace, self.watch, self.reporter = pace, watch, reporter

    def run(self, jobs: Iterable[Job]) -> Iterator[IngestOutcome]:
        """As `Ingest.run`, in turns."""
        every = list(jobs)
        self.reporter.expect(len(every))
        size = FILES_A_TURN if self.pace < ALWAYS else len(every) or 1
        for start in range(0, len(every), size):
            began = self.watch.time.clock()
            yield from self.turn(self.ingest.run(every[start : start + size]))
            if start + size < len(every):
                self.reporter.note()
                self.watch.rest(rest(self.watch.time.clock() - began, self.pace))

    def turn(self, outcomes: Iterator[IngestOutcome]) -> Iterator[IngestOutcome]:
        try:
            for outcome in outcomes:
                self.reporter.step()
                yield outcome
                self.watch.check()
        except ResonanceError as error:
            if self.watch.why:  # the watch ended the workers
                raise Interrupted from error
            raise
