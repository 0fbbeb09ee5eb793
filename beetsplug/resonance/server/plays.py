"""How often and when items were played and how they are rated, as far as other plugins of beets note it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from beets.dbcore.types import DATE

from beetsplug.resonance.library.items import PLAYED_FIELDS, select_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Library

COUNT, RATING = "play_count", "rating"  # what beets' mpdstats writes
FIELDS = (COUNT, RATING, *PLAYED_FIELDS)
MARKS = ", ".join("?" * len(FIELDS))
STATEMENT = f"SELECT entity_id, key, value FROM item_attributes WHERE key IN ({MARKS})"  # noqa: S608 - marks


class Plays(NamedTuple):
    """How often an item was played, when last, in seconds since the epoch, and its rating; 0 where unknown."""

    times: int = 0
    last: float = 0.0
    rating: float = 0.0


def read_plays(library: Library, ids: Iterable[int] | None = None) -> dict[int, Plays]:
    """Return the plays of items by id, of all items for None; those of which nothing is noted are left out."""
    if ids is None:
        with library.transaction() as transaction:
            rows = transaction.query(STATEMENT, FIELDS)
    else:
        rows = [*select_rows(library, f"{STATEMENT} AND entity_id IN", ids, FIELDS)]
    plays: defaultdict[int, Plays] = defaultdict(Plays)
    for row in rows:
        known, item_id = plays[row["entity_id"]], row["entity_id"]
        if row["key"] == COUNT:
            plays[item_id] = known._replace(times=int(parse_number(row["value"])))
        elif row["key"] == RATING:
            plays[item_id] = known._replace(rating=parse_number(row["value"]))
        else:
            plays[item_id] = known._replace(last=max(known.last, DATE.parse(str(row["value"])) or 0.0))
    return dict(plays)


def parse_number(value: object) -> float:
    """Return the number in a field that can have anything, 0 for what is none or below 0."""
    try:
        number = float(str(value))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
