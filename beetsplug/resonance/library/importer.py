"""Analyse tracks while beets imports them, and link them to their items once the files are in place.

Nothing here writes to the library. `beet resonance analyze` makes up for everything that is left undone.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.events import file_state
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import ItemRow
from resonance_engine.errors import ModelError, ResonanceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beets.importer import ImportTask
    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import Ingest, IngestOutcome


class Importer:
    """Analyses what one run of beets imports. Workers start with the first track and live until `finish`."""

    def __init__(self, sidecar: Sidecar, log: BeetsLogger) -> None:
        self.sidecar = sidecar
        self.log = log
        self.error: ResonanceError | None = None  # that ends the analysis of this run
        self.pools = ExitStack()
        self.ingests: list[Ingest] = []
        self.keys: dict[int, bytes] = {}
        self.reasons: dict[int, str] = {}

    def analyse(self, task: ImportTask) -> None:
        """Embed the tracks of an import task: their rows exist, their files are still where they came from."""
        jobs = [ItemRow.of(item).job() for item in task.imported_items()]
        if not jobs:
            return
        with self.fail_once():
            if not self.ingests:
                self.open_models()
            first, *others = self.ingests
            for outcome in first.run(jobs, link=False):
                self.note(outcome)
                if is_interrupted():
                    return
            for ingest in others:
                for _ in ingest.run([job for job in jobs if job.item_id in self.keys], link=False):
                    if is_interrupted():
                        return

    def open_models(self) -> None:
        """Load the model in use and, while another one is being prepared, that one too."""
        names = Models(self.sidecar).required
        try:
            for name in names:
                try:
                    self.ingests.append(self.pools.enter_context(open_ingest(self.sidecar, name)))
                except ResonanceError as error:
                    if len(names) == 1:
                        raise
                    self.log.warning("{}", error)
            if not self.ingests:
                raise ModelError("Neither the model in use nor the wanted one can be loaded.")
        except ResonanceError as error:
            self.error = error
            raise

    @contextmanager
    def fail_once(self) -> Iterator[None]:
        """Raise the first lasting error of a run, such as a broken model or a locked store, again at once.

        So that is waited for once, not once an album.
        """
        from resonance_engine.store.errors import is_busy

        if self.error is not None:
            raise self.error
        try:
            yield
        except StoreError as error:
            if is_busy(error):
                self.error = error
            raise

    def note(self, outcome: IngestOutcome) -> None:
        # In the course of one import, an id may stand for one item after another.
        self.keys.pop(outcome.job.item_id, None)
        self.reasons.pop(outcome.job.item_id, None)
        if outcome.error is not None:
            self.reasons[outcome.job.item_id] = outcome.error.reason
            self.log.warning("not analysed: {}", outcome.error)
        elif outcome.key is not None:
            self.keys[outcome.job.item_id] = outcome.key

    def link(self, items: Iterable[Item | ItemRow]) -> None:
        """Link analysed items, whose files are in place, and record the files that failed; rows that agree stay."""
        from resonance_engine.store import TrackRow

        present = [(item, item.id, state) for item in items if item.id is not None and (state := file_state(item.path))]
        linked = [(item, item_id, state) for item, item_id, state in present if item_id in self.keys]
        failed = [(item, item_id, state) for item, item_id, state in present if item_id in self.reasons]
        if not linked and not failed:
            return
        with self.fail_once():
            store, library = self.sidecar.store, self.sidecar.id
            rows = [TrackRow(item_id, item.added or 0.0, *state, self.keys[item_id]) for item, item_id, state in linked]
            store.tracks.link_many(library, rows)
            store.failures.clear(library, *(item.path for item, _, _ in linked))
            for item, item_id, state in failed:
                store.tracks.unlink(library, [item_id])
                store.failures.record(library, item.path, *state, self.reasons.pop(item_id))

    def finish(self) -> None:
        """Link once more what other plugins changed after the import, such as dates, and end the workers."""
        try:
            self.link(self.sidecar.rows_by_id(self.keys))
        finally:
            self.keys, self.reasons = {}, {}
            self.pools.close()
            self.sidecar.close()


def is_interrupted() -> bool:
    """Return whether the user interrupted beets, which marks the threads of its pipeline then."""
    return bool(getattr(threading.current_thread(), "abort_flag", False))
