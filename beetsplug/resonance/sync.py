"""Library and store brought together: first a plan of what differs, then the work.

Events during an import keep the store fresh; this is what holds after a crash, with the plugin switched off for a
while, or when files changed behind beets' back. Running it twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.ingest import Job

if TYPE_CHECKING:
    from beetsplug.resonance.sidecar import ItemRow, Sidecar
    from resonance_engine.store import Failure, TrackRow

Stat = Callable[[bytes], tuple[int, int] | None]
MASS_REMOVAL = 20  # up to this many vanished tracks are believed whatever their share


@dataclass(frozen=True)
class Plan:
    """What has to be done: `jobs` to listen to, items `gone` from the library; `failed` and `missing` are skipped.

    `failed` counts files that failed before and have not changed, `missing` the items whose file is not there.
    """

    jobs: list[Job]
    gone: list[int]
    failed: int
    missing: int


def plan(
    items: Iterable[ItemRow],
    tracks: Mapping[int, TrackRow],
    embedded: Set[bytes],
    failures: Mapping[bytes, Failure],
    stat: Stat,
) -> Plan:
    """Compare what the library holds with what the store knows.

    `tracks` is the store's view by item id, `embedded` the content keys that the model has vectors of, `failures` the
    files that could not be analysed by path, `stat` gives a file's size and mtime in ns, or None where it is missing.
    An item is listened to again when its id stands for another addition, its file changed or its sound has no vector.
    """
    jobs, failed, missing = [], 0, 0
    seen = set()
    for item in items:
        seen.add(item.id)
        state = stat(item.path)
        if state is None:
            missing += 1
            continue
        track = tracks.get(item.id)
        known = track is not None and (track.added, track.size, track.mtime_ns) == (item.added, *state)
        if known and track is not None and track.content_key in embedded:
            continue
        failure = failures.get(item.path)
        if failure is not None and (failure.size, failure.mtime_ns) == state:
            failed += 1
            continue
        jobs.append(Job(item.id, item.added, Path(os.fsdecode(item.path))))
    return Plan(jobs, sorted(tracks.keys() - seen), failed, missing)


def file_state(path: bytes) -> tuple[int, int] | None:
    """Size and modification time in ns of a file, None where there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - bytes, which may not be text
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def library_plan(sidecar: Sidecar, model_id: str, query: list[str] | None = None) -> Plan:
    """The plan for a library, or for the items of it that match a query; a query finds nothing gone."""
    store = sidecar.store
    tracks = store.tracks(sidecar.id)
    keys = {track.content_key for track in tracks.values()}
    items = sidecar.rows(query)
    made = plan(items, tracks, store.has(keys, model_id), store.failures(sidecar.id), file_state)
    return made if not query else Plan(made.jobs, [], made.failed, made.missing)


def believable(gone: int, known: int, missing: int, total: int, music_present: bool) -> bool:
    """Whether tracks may be forgotten: not while the disk is away or most of a library has vanished at once."""
    if not music_present or (total > 0 and missing == total):
        return False
    return gone <= MASS_REMOVAL or gone <= known / 2


def forget(sidecar: Sidecar, made: Plan, total: int) -> bool:
    """Forget the items that left the library, if that is believable; their sounds' vectors stay until pruned."""
    known = len(sidecar.store.tracks(sidecar.id))
    music_present = Path(os.fsdecode(sidecar.library.directory)).is_dir()
    if not believable(len(made.gone), known, made.missing, total, music_present):
        return False
    sidecar.store.unlink(sidecar.id, made.gone)
    return True
