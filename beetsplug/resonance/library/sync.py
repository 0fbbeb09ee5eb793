"""Library and store brought together: first a plan of what differs, then the work.

Events during an import keep the store fresh; this is what holds after a crash, with the plugin switched off for a
while, or when files changed behind beets' back. Running it twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.events import file_state
from resonance_engine.ingest import Job

if TYPE_CHECKING:
    from beetsplug.resonance.library.events import State
    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.store import Failure, TrackRow

Stat = Callable[[bytes], "State | None"]
MASS_REMOVAL = 20  # up to this many vanished tracks are believed whatever their share


@dataclass(frozen=True)
class Plan:
    """What has to be done about `total` items: `jobs` to listen to, ids `gone` from the library.

    Skipped are files that `failed` before and have not changed, and the `missing` ones, which are not there; of those,
    `away` are known as they were. `stale` are the paths of failures that no item has any more, `outdated` the ids of
    items whose file changed and failed since: what it was is of no use.
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
        """Items that nothing has to be done about."""
        return self.total - len(self.jobs) - len(self.failed) - self.missing


def plan(
    items: Iterable[ItemRow],
    tracks: Mapping[int, TrackRow],
    embedded: Set[bytes],
    failures: Mapping[bytes, Failure],
    stat: Stat,
) -> Plan:
    """Compare what the library holds with what the store knows.

    `tracks` is the store's view by item id, `embedded` the content keys that the model has said all of, `failures` the
    files that could not be analysed by path, `stat` gives a file's size and mtime in ns, or None where it is missing.
    An item is listened to again when its id stands for another addition, its file changed or its sound has no vector.
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
        jobs.append(Job(item.id, item.added, Path(os.fsdecode(item.path))))
    gone, stale = sorted(tracks.keys() - ids), sorted(failures.keys() - paths)
    return Plan(len(ids), jobs, gone, failed, missing, stale, away, tuple(outdated))


def library_plan(sidecar: Sidecar, model_id: str, query: list[str] | None = None) -> Plan:
    """The plan for a library; for the items that match a query, what failed before is tried again, nothing is gone."""
    store, items = sidecar.store, sidecar.rows(query)
    tracks = store.tracks.all(sidecar.id)
    embedded = store.vectors.complete({track.content_key for track in tracks.values()}, model_id)
    if query:
        return replace(plan(items, tracks, embedded, {}, file_state), gone=[])
    return plan(items, tracks, embedded, store.failures.all(sidecar.id), file_state)


def believable(gone: int, known: int, missing: int, total: int, music_present: bool) -> bool:
    """Whether tracks may be forgotten: not while the disk is away or most of a library has vanished at once."""
    if not music_present or (total > 0 and missing == total):
        return False
    return gone <= MASS_REMOVAL or gone <= known / 2


def forgettable(sidecar: Sidecar, made: Plan) -> bool:
    """Whether the items that left the library may be forgotten; see `believable`."""
    known = len(sidecar.store.tracks.all(sidecar.id))
    return believable(len(made.gone), known, made.missing, made.total, music_folder(sidecar).is_dir())


def forget(sidecar: Sidecar, made: Plan) -> bool:
    """Forget the items that left the library, if that is believable; their sounds' vectors stay until pruned."""
    if not forgettable(sidecar, made):
        return False
    with sidecar.store.write():
        sidecar.store.tracks.unlink(sidecar.id, made.gone)
        sidecar.store.failures.clear(sidecar.id, *made.stale)
    return True


def music_folder(sidecar: Sidecar) -> Path:
    return Path(os.fsdecode(sidecar.library.directory))
