"""Items without a file that nothing is stored of, as the last analysis found them: no search looks at the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.records import has_type

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.library.sync import Plan

MISSING_KEY = "missing_files"


def note_missing(sidecar: Sidecar, plan: Plan, is_whole: bool) -> None:
    """Keep the ids and dates of the items that a plan found neither a file nor an embedding of.

    Those of a plan that is not of the whole library are added to the ones that are known.
    """
    known = read_missing(sidecar)
    found = dict(plan.lost) if is_whole else {**known, **dict(plan.lost)}
    if found != known:
        sidecar.store.state.set(f"{MISSING_KEY}:{sidecar.id}", sorted(found.items()))


def count_missing(sidecar: Sidecar) -> int:
    """Count the items of which an analysis can make nothing for want of a file.

    Left out are those that have been replaced, analysed or tried in vain since.
    """
    if not (known := read_missing(sidecar)):
        return 0
    store = sidecar.store
    linked, failures = store.tracks.get(sidecar.id, known), store.failures.all(sidecar.id)
    rows = sidecar.rows_by_id(known)
    return sum(row.added == known[row.id] and row.id not in linked and row.path not in failures for row in rows)


def read_missing(sidecar: Sidecar) -> dict[int, float]:
    """Return the dates of the noted items by id; none where another version has written something else."""
    pairs = sidecar.store.state.get(f"{MISSING_KEY}:{sidecar.id}")
    if not has_type(pairs, list[list[float]]) or any(len(pair) != 2 for pair in pairs):
        return {}
    return {int(item_id): added for item_id, added in pairs}
