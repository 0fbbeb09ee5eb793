"""What happens while beets imports: each track's sound is embedded, and linked to its item once the file is in place.

Nothing here writes to the library. Whatever is left undone, `beet resonance analyze` makes good later.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.events import file_state
from beetsplug.resonance.library.sidecar import Sidecar, item_row
from resonance_engine.errors import ModelError, ResonanceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beets.importer import ImportTask
    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import ItemRow
    from resonance_engine.ingest import Ingest, IngestOutcome, Job
    from resonance_engine.worker.worker import WorkerPool


class Importer:
    """Follows one run of beets. Workers start with the first imported track and live until `finish`."""

    def __init__(self, library: Library, settings: Settings, log: BeetsLogger) -> None:
        self.sidecar = Sidecar(library, settings)
        self.log = log
        self.refusal: ResonanceError | None = None
        self.pools: list[WorkerPool] = []
        self.ingests: list[Ingest] = []
        self.keys: dict[int, bytes] = {}
        self.reasons: dict[int, str] = {}

    def listen(self, task: ImportTask) -> None:
        """Embed the tracks of an import task; their rows exist, their files are still where they came from."""
        from resonance_engine.ingest import Job

        rows = [item_row(item) for item in task.imported_items()]
        if rows:
            with self.unless_refused():
                self.hear([Job(row.id, row.added, Path(os.fsdecode(row.path))) for row in rows])

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """What cannot be done in this run is tried once, not once an album: a broken model, a database in use.

        Raises the first refusal again. An import that waited for another program to write, and could go on, goes on.
        """
        from resonance_engine.store.errors import is_busy

        if self.refusal is not None:
            raise self.refusal
        try:
            yield
        except StoreError as error:
            if is_busy(error):
                self.refusal = error
            raise

    def hear(self, jobs: list[Job]) -> None:
        """Embed files, and note what came of each."""
        first, *others = self.started()
        # The files are not in their final place: failures are noted by `settle`, under the path that will last.
        for outcome in first.run(jobs, link=False):
            self.note(outcome)
            if interrupted():
                return
        for ingest in others:
            heard = [job for job in jobs if job.item_id in self.keys]
            for _ in ingest.run(heard, link=False):
                if interrupted():
                    return

    def note(self, outcome: IngestOutcome) -> None:
        # In the course of one import, an id may stand for one item after another.
        self.keys.pop(outcome.job.item_id, None)
        self.reasons.pop(outcome.job.item_id, None)
        if outcome.error is not None:
            self.reasons[outcome.job.item_id] = outcome.error.reason
            self.log.warning("not analysed: {}", outcome.error)
        elif outcome.key is not None:
            self.keys[outcome.job.item_id] = outcome.key

    def started(self) -> list[Ingest]:
        """What listens with the model in use and, while another one is being prepared, with that one too."""
        if not self.ingests:
            try:
                self.ingests = self.prepared()
            except ResonanceError as error:
                self.refusal = error
                raise
        return self.ingests

    def prepared(self) -> list[Ingest]:
        active, models = self.sidecar.model, self.sidecar.models
        used = models.name_of(active.id) if active else None
        if active is None or used is None or used == models.wanted:
            return [self.begun(models.wanted)]
        made = []
        for name in (used, models.wanted):
            try:
                made.append(self.begun(name))
            except ResonanceError as error:
                self.log.warning("{}", error)
        if not made:
            raise ModelError("Neither the model in use nor the wanted one can be loaded.")
        return made

    def begun(self, name: str) -> Ingest:
        from resonance_engine.ingest import Ingest
        from resonance_engine.worker.worker import WorkerPool

        settings, models = self.sidecar.settings, self.sidecar.models
        self.pools.append(WorkerPool(models.path(name), settings.workers(), settings.timeout))
        ingest = Ingest(self.sidecar.store, self.sidecar.id, self.pools[-1])
        models.note(name, ingest.model.id)
        return ingest

    def settle(self, items: Iterable[Item]) -> None:
        """Imported items have their final paths, tags and dates."""
        rows = [item_row(item) for item in items]
        self.keep([row for row in rows if row.id in self.keys or row.id in self.reasons])

    def keep(self, rows: list[ItemRow]) -> None:
        """Link the rows' items to what was heard of them, and note the failures, in one transaction."""
        from resonance_engine.store import TrackRow

        if not rows:
            return
        with self.unless_refused(), self.sidecar.store.write():
            store, library = self.sidecar.store, self.sidecar.id
            for row in rows:
                state = file_state(row.path)
                if state is None:
                    continue
                if row.id in self.keys:
                    store.tracks.link(library, TrackRow(row.id, row.added, *state, self.keys[row.id]))
                    store.failures.clear(library, row.path)
                elif row.id in self.reasons:
                    store.tracks.unlink(library, [row.id])
                    store.failures.record(library, row.path, *state, self.reasons.pop(row.id))

    def finish(self) -> None:
        """Put right what other plugins changed after us, such as dates, and end the workers."""
        try:
            if self.keys:
                self.keep([row for row in self.sidecar.rows() if row.id in self.keys])
        finally:
            self.keys, self.reasons = {}, {}
            for pool in self.pools:
                pool.close()
            self.sidecar.close()


def interrupted() -> bool:
    """Whether the user interrupted beets, which marks the threads of its pipeline then; the rest can wait."""
    return bool(getattr(threading.current_thread(), "abort_flag", False))
