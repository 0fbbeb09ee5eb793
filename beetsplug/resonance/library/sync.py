"""Keep the store in step with the library: events of one run, applied when it ends, and a plan of what differs.

The events come from several threads, some of them while beets holds its library's lock: nothing here waits or opens a
file then. The plan is what holds after a crash, with the plugin switched off for a while, or when files changed behind
beets' back. Following it twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.sidecar import Sidecar, State, file_state

if TYPE_CHECKING:
    from beets.library import Item, Library

    from beetsplug.resonance.library.sidecar import ItemRow
    from resonance_engine.ingest import Job
    from resonance_engine.store import Failure, Store, TrackRow

FileChange = tuple[int, bytes, bytes, State, State]
Stat = Callable[[bytes], State | None]
MASS_REMOVAL = 20  # up to this many vanished tracks are forgotten whatever their share


class LibraryEvents:
    """The removals, tag writes and moves of one run; a change is an item's id, both paths and both states of a file."""

    def __init__(self) -> None:
        self.removed: dict[int, bytes] = {}
        self.changes: list[FileChange] = []
        self.pending: dict[int, tuple[bytes, State]] = {}

    def record_removal(self, item: Item) -> None:
        """Record that an item left the library."""
        if item.id is not None:
            self.removed[item.id] = item.path

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

    def apply(self, library: Library) -> None:
        """Update the store, if there is one. A file that had changed before the event stays suspect."""
        sidecar = Sidecar(library)
        if sidecar.exists:
            present = {row.id: row.added for row in sidecar.rows_by_id(self.removed)}
            with sidecar.store as store, store.write():
                known = store.tracks.get(sidecar.id, self.removed)
                # An import gives the id of a row that it replaces to another.
                gone = {
                    item_id: path
                    for item_id, path in self.removed.items()
                    if item_id not in present or (item_id in known and known[item_id].added != present[item_id])
                }
                store.tracks.unlink(sidecar.id, gone)
                store.failures.clear(sidecar.id, *gone.values())
                apply_changes(store, sidecar.id, self.changes)
        self.removed, self.changes = {}, []


def apply_changes(store: Store, library: int, changes: list[FileChange]) -> None:
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
    whose file changed and failed since, so that their rows are of no use.
    """

    total: int
    jobs: list[Job]
    gone: list[int]
    failed: list[Failure]
    missing: int
    stale: list[bytes]
    away: int = 0
    outdated: tuple[int, ...] = ()

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
    jobs, failed, missing, away = [], [], 0, 0
    ids, paths, outdated = set(), set(), []
    for item in items:
        ids.add(item.id)
        paths.add(item.path)
        state, track = stat(item.path), tracks.get(item.id)
        if state is None:
            missing += 1
            away += track is not None and track.added == item.added and track.content_key in embedded
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
    gone, stale = sorted(tracks.keys() - ids), sorted(failures.keys() - paths)
    return Plan(len(ids), jobs, gone, failed, missing, stale, away, tuple(outdated))


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


def is_plausible(gone: int, known: int, missing: int, total: int, music_present: bool) -> bool:
    """Return whether tracks may be forgotten: not while the disk is away or most of a library has vanished at once."""
    if not music_present or (total > 0 and missing == total):
        return False
    return gone <= MASS_REMOVAL or gone <= known / 2


def can_forget(sidecar: Sidecar, plan: Plan) -> bool:
    """Return whether the items that left the library may be forgotten; see `is_plausible`."""
    known = len(sidecar.store.tracks.all(sidecar.id))
    return is_plausible(len(plan.gone), known, plan.missing, plan.total, music_folder(sidecar).is_dir())


def forget(sidecar: Sidecar, plan: Plan) -> None:
    """Unlink the items that left the library, and drop their failures; their vectors stay until `prune`."""
    if plan.gone or plan.stale:
        with sidecar.store.write():
            sidecar.store.tracks.unlink(sidecar.id, plan.gone)
            sidecar.store.failures.clear(sidecar.id, *plan.stale)


def music_folder(sidecar: Sidecar) -> Path:
    return Path(os.fsdecode(sidecar.library.directory))
