"""Filter candidates by query, exclusion rules, length, tempo and key, with a reason for each rejection."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from beetsplug.resonance.library.item_query import excluded_ids, matching_ids, no_match
from beetsplug.resonance.library.metadata import metadata_of
from beetsplug.resonance.search.request import option_errors
from resonance_engine.search.constraints import Constraints
from resonance_engine.search.selection import CandidateTrack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from beets.library import Item

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

EXCLUDED, TOO_LONG = "excluded by the configuration", "too long"
MOST_EXCLUDED = 0.1  # share of the library from which on excluded items are left out before the search, not after


class CandidateFilter:
    """The queries, tempo and key of a request and the rules of the configuration, applied to batches of candidates.

    `allowed` are the vector ids that may come up, None for any; `rejected` counts what is left out before the search;
    `items` are the ids of the items that stand for vectors. Of several files with one sound, `files` names the one to
    take, by vector id.
    """

    def __init__(
        self,
        session: SearchSession,
        request: SearchRequest,
        command: str,
        seeds: Sequence[Mapping[str, Any]],
        today: date,
        files: Mapping[int, int] | None = None,
    ) -> None:
        self.session, self.seeds, self.files = session, seeds, files or {}
        library, settings = session.sidecar.library, session.sidecar.settings
        minutes = settings.max_length if request.max_length is None else request.max_length
        self.longest = minutes * 60 if minutes else math.inf
        self.excluded = dict.fromkeys(
            excluded_ids(library, settings.exclude, today) if settings.exclude else (), EXCLUDED
        )
        self.among = matching_ids(library, request.among) if request.among else None
        if self.among is not None and not self.among:
            raise no_match(f"{command} --from", request.among)
        self.constraints = Constraints(request.tempo, request.compatible_key)
        if self.constraints.tempo is not None and self.constraints.tempo.relative:
            with option_errors("bpm"):
                self.constraints.seed_tempi(seeds)
        if self.constraints.compatible_key:
            with option_errors("key"):
                self.constraints.seed_keys(seeds)
        self.preference = request.preference
        self.items: dict[int, int] = {}
        self.rejected: Counter[str] = Counter()
        self.has_values = False
        self.allowed = self._allowed_vectors()

    def _allowed_vectors(self) -> set[int] | None:
        session = self.session
        if self.among is None and len(self.excluded) <= MOST_EXCLUDED * len(session.index):
            return None
        items = matching_ids(session.sidecar.library, ()) if self.among is None else self.among
        self.rejected.update(self.excluded[each] for each in items if each in self.excluded)
        ids = session.store.tracks.vector_ids(session.sidecar.id, items - self.excluded.keys(), session.model.id)
        return set(ids.values())

    def notes(self) -> tuple[str, ...]:
        """Return a sentence on a preferred field that no candidate has."""
        if self.preference is None or not self.preference.strength or self.has_values or not self.items:
            return ()
        return (f"no track here has a number in the field {self.preference.field}, so --prefer changes nothing",)

    def load(self, vector_ids: Iterable[int]) -> dict[int, CandidateTrack]:
        """Load what is known of the candidates behind vector ids, in their order, without those that are gone."""
        ids = list(dict.fromkeys(vector_ids))
        items = self.session.current_items(ids)
        metadata = metadata_of(self.session.sidecar.library, {item for same in items.values() for item in same})
        # Compared here: to select all items by their lengths reads the whole table, lyrics and all.
        for item, track in metadata.items():
            if track.seconds > self.longest:
                self.excluded.setdefault(item, TOO_LONG)
        chosen = {}
        for vector_id in ids:
            present = [item for item in items.get(vector_id, ()) if item in metadata]
            if present:
                # Files of one sound count as one track, which the first that may come up stands for.
                among = present if self.among is None else [item for item in present if item in self.among]
                allowed = [item for item in among if item not in self.excluded]
                file = self.files.get(vector_id)
                chosen[vector_id] = file if file in present else (allowed or present)[0]
        self.items |= chosen
        rejections = self._rejections(chosen)
        values = self._values(chosen, self.preference.field) if self.preference else {}
        return {
            vector_id: CandidateTrack(metadata[item], rejections.get(vector_id, ""), values.get(vector_id, math.nan))
            for vector_id, item in chosen.items()
        }

    def _rejections(self, items: Mapping[int, int]) -> dict[int, str]:
        """Return why vectors may not come up, of those that may not."""
        rejections = {vector_id: self.excluded[item] for vector_id, item in items.items() if item in self.excluded}
        if self.constraints.tempo is not None or self.constraints.compatible_key:
            rest = [each for each in items if each not in rejections]
            attributes = self.session.attributes(rest)
            reasons = ((each, self.constraints.rejection(attributes.get(each, {}), self.seeds)) for each in rest)
            rejections |= {each: reason for each, reason in reasons if reason}
        return rejections

    def _values(self, items: Mapping[int, int], field: str) -> dict[int, float]:
        """Return a numeric field by vector id, of items that have it."""
        vector_of = {item: each for each, item in items.items()}
        numbers = ((item, number(item, field)) for item in self.session.items(set(vector_of)))
        values = {vector_of[item.id]: value for item, value in numbers if item.id is not None and value is not None}
        self.has_values = self.has_values or bool(values)
        return values


def number(item: Item, name: str) -> float | None:
    """Return a field of an item as a number; None where it is none."""
    try:
        value = float(item.get(name))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
