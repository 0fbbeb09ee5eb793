"""What may come up in a list, and why the rest may not."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.library.item_query import excluded_ids, matching_ids
from beetsplug.resonance.library.metadata import metadata_of
from beetsplug.resonance.search.request import option_errors
from resonance_engine.search.constraints import Constraints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Item

    from beetsplug.resonance.search.finder import Finder
    from beetsplug.resonance.search.request import SearchRequest
    from resonance_engine.search.versions import TrackMetadata

EXCLUDED, TOO_LONG = "excluded by the configuration", "too long"
MOST_REFUSED = 0.1  # share of the library from which on what is excluded is left out before the search, not after


class CandidateFilter:
    """What may come up: by the queries of the wish and the configuration, by tempo and key; asked in batches of ids.

    `items` are the ids of the items that stand for vectors; `kept_out` counts what is left out before the search.
    """

    def __init__(self, finder: Finder, wish: SearchRequest, seeds: Sequence[Mapping[str, Any]]) -> None:
        self.search, self.wish, self.command, self.seeds = finder.search, wish, finder.command, seeds
        self.sidecar = finder.search.sidecar
        library, settings = self.sidecar.library, self.sidecar.settings
        minutes = settings.max_length if wish.max_length is None else wish.max_length
        self.longest = minutes * 60 if minutes else math.inf
        self.excluded = dict.fromkeys(excluded_ids(library, settings.exclude, finder.today), EXCLUDED)
        self.among = self.matches()
        self.constraints = Constraints(wish.tempo, wish.compatible_key)
        if self.constraints.tempo is not None and self.constraints.tempo.relative:
            with option_errors("bpm"):
                self.constraints.seed_tempi(seeds)
        if self.constraints.compatible_key:
            with option_errors("key"):
                self.constraints.seed_keys(seeds)
        self.items: dict[int, int] = {}
        self.kept_out: Counter[str] = Counter()
        self.valued = False

    def matches(self) -> set[int] | None:
        """The items that match --from; None for any, UserError for none."""
        if not self.wish.among:
            return None
        found = matching_ids(self.sidecar.library, self.wish.among)
        if not found:
            words = shlex.join(self.wish.among)
            raise UserError(f"{self.command} --from: no track matches {words}; try `beet ls {words}`")
        return found

    def allowed(self) -> set[int] | None:
        """The vector ids that may come up; None for any."""
        if self.among is None and len(self.excluded) <= MOST_REFUSED * len(self.search.index):
            return None
        items = matching_ids(self.sidecar.library, ()) if self.among is None else self.among
        self.kept_out = Counter(self.excluded[each] for each in items if each in self.excluded)
        known = self.sidecar.store.tracks.vector_ids(
            self.sidecar.id, items - self.excluded.keys(), self.search.model.id
        )
        return set(known.values())

    def notes(self) -> tuple[str, ...]:
        """A sentence on a field that nothing could be favoured by."""
        preference = self.wish.preference
        if preference is None or not preference.strength or self.valued or not self.items:
            return ()
        return (f"no track here has a number in the field {preference.field}, so --prefer changes nothing",)

    def may(self, item_id: int) -> bool:
        return item_id not in self.excluded and (self.among is None or item_id in self.among)

    def described(self, vector_ids: Sequence[int]) -> Mapping[int, TrackMetadata]:
        """What rules need to know of the items behind vectors, without those that are not in the library."""
        found = self.search.current_items(vector_ids)
        known = metadata_of(self.search.sidecar.library, {item for items in found.values() for item in items})
        # Looked at here: to ask all items for their lengths reads the whole table, lyrics and all.
        for each, track in known.items():
            if track.seconds > self.longest:
                self.excluded.setdefault(each, TOO_LONG)
        described = {}
        for vector_id, items in found.items():
            there = [item for item in items if item in known]
            if there:
                # Files of one sound count as one track, which the first that may come up stands for.
                item = next((each for each in there if self.may(each)), there[0])
                self.items[vector_id] = item
                described[vector_id] = known[item]
        return described

    def refused(self, vector_ids: Sequence[int]) -> dict[int, str]:
        """The vectors that may not come up, and why not."""
        reasons = {each: self.excluded[item] for each in vector_ids if (item := self.items[each]) in self.excluded}
        if self.constraints != Constraints():
            attributes = self.search.attributes(vector_ids)
            for each in vector_ids:
                if each not in reasons and (reason := self.constraints.refusal(attributes.get(each, {}), self.seeds)):
                    reasons[each] = reason
        return reasons

    def values(self, vector_ids: Sequence[int]) -> dict[int, float]:
        """The numeric field that is favoured, by vector id, where an item has it."""
        name = self.wish.preference.field if self.wish.preference is not None else ""
        wanted = {self.items[each]: each for each in vector_ids if each in self.items}
        items = {item.id: item for item in self.search.items(set(wanted)) if item.id is not None}
        found = {wanted[each]: value for each, item in items.items() if (value := number(item, name)) is not None}
        self.valued = self.valued or bool(found)
        return found


def number(item: Item, name: str) -> float | None:
    """A field of an item as a number; None where it is none."""
    try:
        value = float(item.get(name))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
