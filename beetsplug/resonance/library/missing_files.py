"""Items without a file that nothing is stored of, as the last analysis found them: no search looks at the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.records import has_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonance_engine.store import Store

MISSING_KEY = "missing_files"


@dataclass(frozen=True)
class MissingFiles:
    """The items of one library of a store, by id with the dates when they were added."""

    store: Store
    library: int

    def read(self) -> dict[int, float]:
        """Return what is noted; nothing where another version has written something else."""
        pairs = self.store.state.get(f"{MISSING_KEY}:{self.library}")
        if not has_type(pairs, list[list[float]]) or any(len(pair) != 2 for pair in pairs):
            return {}
        return {int(item_id): added for item_id, added in pairs}

    def note(self, lost: Mapping[int, float], is_whole: bool) -> None:
        """Note items that have neither a file nor an embedding, beside those known where not the `is_whole` library."""
        known = self.read()
        noted = dict(lost) if is_whole else {**known, **lost}
        if noted != known:
            self.store.state.set(f"{MISSING_KEY}:{self.library}", sorted(noted.items()))

    def count(self, items: Iterable[tuple[int, float, bytes]]) -> int:
        """Count the items, given as id, date and path, of which an analysis can make nothing for want of a file.

        Left out are those that have been replaced, analysed or tried in vain since.
        """
        known = self.read()
        linked, failures = self.store.tracks.get(self.library, known), self.store.failures.all(self.library)
        return sum(
            known.get(item_id) == added and item_id not in linked and path not in failures
            for item_id, added, path in items
        )
