"""Compare library and store: a plan of what differs, and the removal of what left the library.

Events during an import keep the store fresh; this is what holds after a crash, with the plugin switched off for a
while, or when files changed behind beets' back. Following a plan twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.events import file_state

if TYPE_CHECKING:
    from beetsplug.resonance.library.events import State
    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.ingest import Job
    from resonance_engine.store import Failure, TrackRow

Stat = Callable[[bytes], "State | None"]
MASS_REMOVAL = 20  # up to this many vanished tracks are forgotten whatever their share


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
    store, items = sidecar.store, sidecar.rows(query)
    tracks = store.tracks.all(sidecar.id)
    embedded = store.vectors.complete({track.content_key for track in tracks.values()}, model_id)
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


def forget(sidecar: Sidecar, plan: Plan) -> bool:
    """Unlink the items that left the library, if that is plausible; their vectors stay until `prune`."""
    if not can_forget(sidecar, plan):
        return False
    with sidecar.store.write():
        sidecar.store.tracks.unlink(sidecar.id, plan.gone)
        sidecar.store.failures.clear(sidecar.id, *plan.stale)
    return True


def music_folder(sidecar: Sidecar) -> Path:
    return Path(os.fsdecode(sidecar.library.directory))
