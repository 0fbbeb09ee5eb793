"""The tracks that were played last, by fields that other plugins write into the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.dbcore.types import DATE
from beets.exceptions import UserError

from beetsplug.resonance.library.item_query import matching_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Library

FIELDS = ("last_played", "lastplayed")  # beets' mpdstats plugin writes the first
EITHER = ","


def last_played(library: Library, query: Sequence[str], count: int, command: str) -> tuple[str, ...]:
    """Return the words of a query for the `count` tracks played last, of those that `query` matches, of all for none.

    Raises UserError where none was ever played.
    """
    marks = ", ".join("?" * len(FIELDS))
    statement = f"SELECT entity_id, value FROM item_attributes WHERE key IN ({marks})"  # noqa: S608 - marks
    with library.transaction() as transaction:
        rows = transaction.query(statement, FIELDS)
    played: dict[int, float] = {}
    for row in rows:
        moment = DATE.parse(str(row["value"])) or 0.0
        if moment > 0:
            played[row["entity_id"]] = max(moment, played.get(row["entity_id"], 0.0))
    candidates = played.keys() & matching_ids(library, query)
    if not candidates:
        which = "no track that matches" if query else "no track"
        raise UserError(
            f"{command} --recent: {which} was played yet as far as the library knows; "
            f"beets' mpdstats plugin notes it in the field {FIELDS[0]}"
        )
    last = sorted(candidates, key=lambda item_id: (-played[item_id], item_id))[:count]
    return tuple(word for item_id in last for word in (EITHER, f"id:{item_id}"))[1:]
