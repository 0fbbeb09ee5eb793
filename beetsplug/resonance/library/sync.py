"""Keep the store in step with the library: events of one run, applied when it ends, and a plan of what differs.

The events come from several threads, some of them while beets holds its library's lock: nothing here waits or opens a
file then. A file or a date that changed makes an item suspect, the content key of its file says whether it is another
recording. The plan is what holds after a crash, with the plugin switched off for a while, or when files changed behind
beets' back. Following it twice changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from beetsplug.resonance.library.items import items_at
from beetsplug.resonance.library.sidecar import Sidecar, State, file_state
from resonance_engine.errors import AudioError, ResonanceError

if TYPE_CHECKING:
    from beets.library import Item, Library
    from beets.library.models import LibModel

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.runtime import Runtime
    from beetsplug.resonance.library.sidecar import ItemRow
    from resonance_engine.ingest import Job
    from resonance_engine.store import Failure, Store, TrackRow

FileChange = tuple[int, bytes, bytes, State, State]
Stat = Callable[[bytes], State | None]
EXIT_SECONDS = 5.0  # at the end of a command, to read the files that it changed
LOOK_SECONDS = 2.0  # to read changed files for a command that only looks
FEWEST_READ = 64  # files that are read though they take longer, some albums' worth
MOST_SECONDS = 30.0  # for those: a share may take a second for each
READ_SECONDS = 30.0  # for one file


class LibraryEvents:
    """What one run removed, stored, rewrote and moved; a change is an item's id, both paths and states of a file."""

    def __init__(self) -> None:
        self.removed: dict[int, bytes] = {}
        self.stored: set[int] = set()
        self.changes: list[FileChange] = []
        self.pending: dict[int, tuple[bytes, State]] = {}

    def record_removal(self, item: Item) -> None:
        """Record that an item left the library."""
        if item.id is not None:
            self.removed[item.id] = item.path

    def record_stored(self, model: LibModel, **_: object) -> None:
        """Record that a row of the library was stored, perhaps with tags or a date that were changed elsewhere."""
        from beets.library import Item

        if isinstance(model, Item) and model.id is not None:
            self.stored.add(model.id)

    def begin_change(self, item: Item, **_: object) -> None:
        """Record the state of an item's file that is about to be rewritten or moved."""
        state = file_state(item.path)
        if item.id is not None and state is not None:
            self.pending[item.id] = item.path, state

    def end_change(self, item: Item, destination: bytes | None = None, **_: object) -> None:
        """Record the new state of that file, and where it was moved to."""
        path = destination or item.path
        pending = self.pending.pop(item.id, None) if item.id is not None else None
        after = file_state(path)
        if item.id is None or pending is None or after is None:
            return
        source, before = pending
        if (source, before) != (path, after):
            self.changes.append((item.id, source, path, before, after))

    def apply(self, library: Library, runtime: Runtime | None = None, settings: Settings | None = None) -> None:
        """Update the store, if there is one.

        A file that had changed before the event stays suspect, unless beets stored its item and its content is that
        which was analysed.
        """
        sidecar = Sidecar(library, settings, runtime)
        if sidecar.exists:
            with sidecar.store:
                if self.removed or self.changes:
                    self.apply_changes(sidecar)
                relink_stored(sidecar, self.stored)
        self.removed, self.stored, self.changes = {}, set(), []

    def apply_changes(self, sidecar: Sidecar) -> None:
        """Unlink what was removed, and set the states of the files that beets rewrote or moved."""
        store, present = sidecar.store, {row.id: row.added for row in sidecar.rows_by_id(self.removed)}
        # A file may be another item's now: an import puts it where that of an item is which it removes.
        paths = items_at(sidecar.library, self.removed.values())
        library = sidecar.id  # which may be registered: not by who has the turn to write already
        with store.write():
            known = store.tracks.get(library, self.removed)
            # An import gives the id of a row that it replaces to another.
            gone = {
                item_id: path
                for item_id, path in self.removed.items()
                if item_id not in present or (item_id in known and known[item_id].added != present[item_id])
            }
            store.tracks.unlink(library, gone)
            store.failures.clear(library, *(path for path in gone.values() if path not in paths))
            update_states(store, library, self.changes)


def relink_stored(sidecar: Sidecar, item_ids: Set[int]) -> None:
    """Link items anew whose files or dates changed and whose content is the same, as far as they can be read soon.

    `beet update` gives all tracks of an album one date, and takes up tags that another program wrote.
    """
    tracks = sidecar.store.tracks.get(sidecar.id, item_ids)
    model = sidecar.model if tracks else None
    if model is None:
        return
    embedded = sidecar.store.vectors.embedded({track.content_key for track in tracks.values()}, model.id)
    failures = sidecar.store.failures.all(sidecar.id)
    plan = make_plan(sidecar.rows_by_id(tracks), tracks, embedded, failures, file_state)
    sidecar.store.tracks.link_many(sidecar.id, recognise(sidecar, plan, EXIT_SECONDS).recognised)


def update_states(store: Store, library: int, changes: list[FileChange]) -> None:
    """Set the states of changed files, in track and failure rows that had the states before the change."""
    tracks = store.tracks.get(library, {item_id for item_id, *_ in changes})
    states = {item_id: (track.size, track.mtime_ns) for item_id, track in tracks.items()}
    failures = store.failures.all(library)
    failed = {path: (failure.size, failure.mtime_ns, failure.reason) for path, failure in failures.items()}
    for item_id, source, destination, before, after in changes:
        if states.get(item_id) == before:
            states[item_id] = after
            store.tracks.update_file(library, item_id, *after)
        if source in failed and failed[source][:2] == before:
            *_, reason = failed.pop(source)
            store.failures.clear(library, source)
            store.failures.record(library, destination, *after, reason)
            failed[destination] = (*after, reason)


@dataclass(frozen=True)
class Plan:
    """The work that `total` items leave: `jobs` to analyse, ids `gone` from the library.

    Skipped are files that `failed` before and have not changed, and items whose file is `missing`; of those, `away`
    are otherwise unchanged. `stale` are the paths of failures that no item has any more, `outdated` the ids of items
    whose file changed and failed since, so that their rows are of no use. `changed` are the rows that suspect items,
    among the jobs, would have if their content was the same, `recognised` those of items whose content is. `lost` are
    the ids and dates of the other items without a file.
    """

    total: int
    jobs: list[Job]
    gone: list[int]
    failed: list[Failure]
    missing: int
    stale: list[bytes]
    away: int = 0
    outdated: tuple[int, ...] = ()
    changed: tuple[TrackRow, ...] = ()
    recognised: tuple[TrackRow, ...] = ()
    lost: tuple[tuple[int, float], ...] = ()

    @property
    def analysed(self) -> int:
        """The number of items that need no work."""
        return self.total - len(self.jobs) - len(self.failed) - self.missing


def make_plan(
    items: Iterable[ItemRow],
    tracks: Mapping[int, TrackRow],
    embedded: Set[bytes],
    failures: Mapping[bytes, Failure],
    stat: Stat,
) -> Plan:
    """Return the plan that brings the store up to the library.

    `tracks` are the store's rows by item id, `embedded` the content keys that need not go through the model,
    `failures` those of the store by path; `stat` gives a file's size and mtime in ns, None where it is missing. An item
    is analysed again when its id stands for another addition, its file changed or its content key has no vector.
    """
    jobs, failed, missing, away, changed = [], [], 0, 0, []
    ids, paths, outdated, lost = set(), set(), [], []
    for item in items:
        ids.add(item.id)
        paths.add(item.path)
        state, track = stat(item.path), tracks.get(item.id)
        if state is None:
            missing += 1
            if track is not None and track.added == item.added and track.content_key in embedded:
                away += 1
            else:
                lost.append((item.id, item.added))
            continue
        known = track is not None and (track.added, track.size, track.mtime_ns) == (item.added, *state)
        if known and track is not None and track.content_key in embedded:
            continue
        failure = failures.get(item.path)
        if failure is not None and (failure.size, failure.mtime_ns) == state:
            failed.append(failure)
            outdated += [item.id] if track is not None and not known else []
            continue
        jobs.append(item.job())
        if track is not None and track.content_key in embedded:
            size, mtime_ns = state
            changed.append(replace(track, added=item.added, size=size, mtime_ns=mtime_ns))
    gone, stale = sorted(tracks.keys() - ids), sorted(failures.keys() - paths)
    parts = (tuple(outdated), tuple(changed), (), tuple(lost))
    return Plan(len(ids), jobs, gone, failed, missing, stale, away, *parts)


def recognise(
    sidecar: Sidecar, plan: Plan, seconds: float = LOOK_SECONDS, clock: Callable[[], float] = time.monotonic
) -> Plan:
    """Return the plan without the jobs whose files hold what was analysed.

    As many files are read as so many seconds allow; the first `FEWEST_READ` have `MOST_SECONDS`.
    """
    if not plan.changed:
        return plan
    paths, began = {job.item_id: job.path for job in plan.jobs}, clock()
    until = began + seconds
    recognised = []
    with suppress(ResonanceError), closing(sidecar.runtime.open_identifier(READ_SECONDS)) as identifier:
        for number, row in enumerate(plan.changed):
            if clock() > (until if number >= FEWEST_READ else began + MOST_SECONDS):
                break
            try:
                key = identifier.identify(paths[row.item_id])
            except AudioError:
                if clock() > until:
                    break  # a disk that does not answer
                continue
            recognised += [row] if key == row.content_key else []
    same = {row.item_id for row in recognised}
    jobs = [job for job in plan.jobs if job.item_id not in same]
    changed = tuple(row for row in plan.changed if row.item_id not in same)
    return replace(plan, jobs=jobs, changed=changed, recognised=tuple(recognised))


def plan_library(sidecar: Sidecar, model_id: str, query: list[str] | None = None) -> Plan:
    """Return the plan for a library, or for the items of a query: those that failed before are tried again then."""
    from resonance_engine.features.attributes import NEAR_SILENCE_DB

    store, items = sidecar.store, sidecar.rows(query)
    tracks = store.tracks.all(sidecar.id)
    embedded = store.vectors.complete({track.content_key for track in tracks.values()}, model_id)
    embedded -= store.maintenance.silent_recordings(NEAR_SILENCE_DB)
    if query:
        return replace(make_plan(items, tracks, embedded, {}, file_state), gone=[])
    return make_plan(items, tracks, embedded, store.failures.all(sidecar.id), file_state)
