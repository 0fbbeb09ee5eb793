"""Dense windows of a library's tracks: what is pending, how long and large that is, and the analysis itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.cluster_runtime import counting_kept
from beetsplug.resonance.library.items import select_rows
from beetsplug.resonance.library.sidecar import file_state, format_tracks
from beetsplug.resonance.library.track_rows import current_rows
from resonance_engine.console import progress_bar
from resonance_engine.errors import AudioError, StoreError
from resonance_engine.features.spec import Decoding, FeatureSpec
from resonance_engine.store.records import FLOAT16

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import DensePool
    from resonance_engine.store import Model
    from resonance_engine.worker.worker import ModelDescription

SPEED_KEY = "seconds_per_dense_window"
USUAL_SECONDS = 0.1  # for a window, before anything was measured
SPEED_MEMORY = 0.9  # share of the known speed that a new measurement leaves
USUAL_LENGTH = 240.0  # seconds, of a track whose length beets does not know


@dataclass(frozen=True)
class DensePlan:
    """Recordings whose dense windows are to be computed, and tracks that are left out.

    `windows` is the number of theirs to expect; `known` counts the tracks that have theirs, `unanalysed` those
    that the model has no embedding of yet, `failed` those whose files could not be analysed and are as they were,
    `missing` those without a file and `short` those shorter than a window.
    """

    paths: tuple[Path, ...]
    windows: int
    known: int
    unanalysed: int
    failed: int
    missing: int
    short: int


def read_decoding(description: ModelDescription) -> Decoding:
    """Return how a worker's model cuts a recording into windows."""
    return FeatureSpec.from_json(description.spec).decoding if description.spec else Decoding()


def plan_dense(sidecar: Sidecar, model: Model, item_ids: Iterable[int], decoding: Decoding) -> DensePlan:
    """Return what is to be done for items of a library, each recording once."""
    store = sidecar.store
    rows = sidecar.rows_by_id(item_ids)
    tracks = current_rows(sidecar, rows)
    embedded = store.vectors.embedded({track.content_key for track in tracks.values()}, model.id)
    stored = store.passages.stored(model.id)
    lengths = {
        row["id"]: row["length"] or USUAL_LENGTH
        for row in select_rows(sidecar.library, "SELECT id, length FROM items WHERE id IN", [row.id for row in rows])
    }
    pending: dict[bytes, tuple[Path, int]] = {}
    failures = store.failures.all(sidecar.id)
    known = unanalysed = failed = missing = short = 0
    for row in rows:
        track = tracks.get(row.id)
        windows = count_windows(lengths.get(row.id, USUAL_LENGTH), decoding)
        if track is None or track.content_key not in embedded:
            failure, state = failures.get(row.path), file_state(row.path)
            if state is None:
                missing += 1
            elif failure is not None and (failure.size, failure.mtime_ns) == state:
                failed += 1
            else:
                unanalysed += 1
        elif track.content_key in stored:
            known += 1
        elif windows == 0:
            short += 1
        elif not (path := Path(os.fsdecode(row.path))).is_file():
            missing += 1
        else:
            pending[track.content_key] = path, windows
    paths = tuple(path for path, _ in pending.values())
    return DensePlan(paths, sum(count for _, count in pending.values()), known, unanalysed, failed, missing, short)


def count_windows(seconds: float, decoding: Decoding) -> int:
    """Return the number of dense windows of a recording."""
    return max(0, 1 + int((seconds - decoding.seconds) // decoding.hop_seconds))


def estimate_dense(sidecar: Sidecar, model: Model, windows: float, threads: int | None) -> tuple[float, int]:
    """Return about how many seconds so many windows take, and how many bytes."""
    pace = sidecar.store.state.get(SPEED_KEY, float) or USUAL_SECONDS
    return windows * pace / sidecar.settings.workers(threads), round(windows * model.dimensions * FLOAT16.itemsize)


def analyse_dense(
    sidecar: Sidecar, model: Model, pool: DensePool, plan: DensePlan, pace: float, log: BeetsLogger
) -> tuple[int, int]:
    """Compute and store the dense windows of a plan, each recording as soon as it is done; return done and failed.

    `pace` are the seconds to expect for a recording. What is stored stays when it is interrupted. Raises StoreError
    where the pool has another model, ClusterError, with what is kept, where a cluster does not go on.
    """
    if pool.description().id != model.id:
        raise StoreError("The model's file was replaced; run `beet resonance analyze` first.")
    store, done, failed = sidecar.store, 0, 0

    def is_known(key: bytes) -> bool:
        return key in store.passages.get([key], model.id)

    with counting_kept(lambda: done), progress_bar(len(plan.paths), pace) as bar:
        try:
            for result in pool.embed_dense(plan.paths, is_known):
                if result is None:
                    continue
                path, outcome = result
                if isinstance(outcome, AudioError):
                    failed += 1
                    bar.clear()
                    log.warning("no dense windows: {}", AudioError(path, outcome.reason))
                else:
                    if outcome.windows is not None:
                        with store.write():
                            store.passages.put(outcome.key, model.id, outcome.windows)
                            store.state.set(SPEED_KEY, blend(sidecar, outcome.seconds / len(outcome.windows.vectors)))
                    done += 1
                bar.update()
        except KeyboardInterrupt:
            bar.clear()
            log.warning("stopped; the dense windows of {} are kept, run it again to go on", format_tracks(done))
            raise
    return done, failed


def blend(sidecar: Sidecar, seconds: float) -> float:
    """Return the seconds that a window takes, after another recording's took `seconds` on average."""
    known = sidecar.store.state.get(SPEED_KEY, float)
    return seconds if known is None else SPEED_MEMORY * known + (1 - SPEED_MEMORY) * seconds
