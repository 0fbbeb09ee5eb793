"""Tags that were written to the fields of items, and the values before, which a row of the store's `state` keeps.

Only beets' database is written, never a file. The values before the last write alone are kept, for each library; those
that were written are kept of all writes, so that they are never taken for the user's own.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore import types
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.library.items import select_items
from resonance_engine.records import has_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beetsplug.resonance.library.sidecar import Sidecar

GENRES = "genres"
KEY = "tags_written"
GENRES_KEY = "genres_written"
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
Value = list[str] | str | None


class Restored(NamedTuple):
    """How many tracks have the values of field `field` from before again, were changed since, and are gone."""

    field: str
    restored: int
    changed: int
    gone: int


def parse_field(name: str | None) -> str:
    """Return the field that tags are written to, `genres` without a name.

    Raises UserError for a field that is not flexible text: one of beets' own, or of a plugin.
    """
    field = GENRES if name is None else name.strip()
    if field == GENRES:
        return field
    if not FIELD_NAME.fullmatch(field):
        raise UserError(
            f"resonance: tag --field takes a name of small letters, digits and underscores, such as genre_guess, "
            f"not {name!r}"
        )
    if field in Item._fields or field in Item._getters() or type(Item._type(field)) is not types.Default:
        raise UserError(
            f"resonance: tag --field takes genres or a field of your own, such as genre_guess; {field} has another use"
        )
    return field


def stored_value(item: Item, field: str) -> Value:
    """Return the value of a field in the item's own row; a flexible field may be one of its album's, too."""
    if field == GENRES:
        return [str(genre) for genre in item[GENRES] or ()]
    value = item._values_flex.get(field)
    return None if value is None else str(value)


def field_value(field: str, labels: list[str]) -> Value:
    """Return labels in the form of a field."""
    return labels if field == GENRES else "; ".join(labels)


def write_tags(sidecar: Sidecar, field: str, values: Mapping[int, list[str]]) -> int:
    """Set a field of items by id, keep what was in it for `undo_tags`, and return how many tracks were written.

    Until all are written, the record of the write before is kept, too: a process that ends, or a locked database, may
    leave nothing of this write, or a part.
    """
    items = {item.id: item for item in select_items(sidecar.library, values) if item.id is not None}
    rows = [
        [item_id, item.added or 0.0, stored_value(item, field), field_value(field, values[item_id])]
        for item_id, item in items.items()
    ]
    record = {"field": field, "tracks": rows}
    sidecar.store.state.set(state_key(sidecar), {**record, "previous": load_record(sidecar)})
    if field == GENRES:
        add_written(sidecar, [[item_id, added, after] for item_id, added, _, after in rows])
    with sidecar.library.transaction():
        for item_id, item in items.items():
            set_value(item, field, field_value(field, values[item_id]))
    sidecar.store.state.set(state_key(sidecar), record)
    return len(items)


def undo_tags(sidecar: Sidecar) -> Restored:
    """Restore the values from before the last write where nothing changed them since.

    Raises UserError where nothing was written.
    """
    record = load_record(sidecar)
    if record is None:
        raise UserError("resonance: tag has written nothing that could be undone; `beet resonance tag --write` writes")
    field, rows = record["field"], {row[0]: row[1:] for row in record["tracks"]}
    items = {item.id: item for item in select_items(sidecar.library, rows) if item.id is not None}
    restored = changed = 0
    undone = []
    with sidecar.library.transaction():
        for item_id, (added, before, after) in rows.items():
            item = items.get(item_id)
            if item is None or item.added != added:
                continue
            value = stored_value(item, field)
            if value == after:
                set_value(item, field, before)
                undone.append([item_id, added, after])
            if value in (before, after):  # a write that was broken off did not reach all
                restored += 1
            else:
                changed += 1
    sidecar.store.state.set(state_key(sidecar), None)
    if field == GENRES:
        gone = {json.dumps(row) for row in undone}
        written = [row for row in load_written(sidecar) if json.dumps(row) not in gone]
        sidecar.store.state.set(written_key(sidecar), written)
    return Restored(field, restored, changed, len(rows) - restored - changed)


def is_record(record: Any) -> bool:
    """Whether a value of the state is a record of `write_tags`."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("field"), str)
        and has_type(record.get("tracks"), list[list[Any]])
        and all(len(row) == 4 and isinstance(row[0], int) for row in record["tracks"])
    )


def load_record(sidecar: Sidecar) -> dict[str, Any] | None:
    """Return the record of the last write that reached beets' database, None for none.

    That is the one before where the last one was broken off and no track has a value of it.
    """
    record: Any = sidecar.store.state.get(state_key(sidecar)) if sidecar.exists else None
    if not is_record(record):
        return None
    previous = record.pop("previous", None)
    if not is_record(previous):
        return record  # type: ignore[no-any-return]  # checked
    after = {row[0]: (row[1], row[3]) for row in record["tracks"]}
    items = select_items(sidecar.library, after)
    is_written = any((item.added, stored_value(item, record["field"])) == after[item.id or 0] for item in items)
    return record if is_written else previous  # type: ignore[no-any-return]  # checked


def add_written(sidecar: Sidecar, rows: list[list[Any]]) -> None:
    """Keep rows of an item's id, when it was added, and the genres written to it, beside those of the writes before."""
    unique = {json.dumps(row): row for row in [*load_written(sidecar), *rows]}
    sidecar.store.state.set(written_key(sidecar), [*unique.values()])


def load_written(sidecar: Sidecar) -> list[list[Any]]:
    """Return the rows of all genres ever written: item id, when the item was added, genres."""
    rows: Any = sidecar.store.state.get(written_key(sidecar)) if sidecar.exists else None
    is_valid = has_type(rows, list[list[Any]]) and all(len(row) == 3 and isinstance(row[0], int) for row in rows)
    return rows if is_valid else []


def written_genres(sidecar: Sidecar) -> dict[tuple[int, float], list[list[str]]]:
    """Return the genres that were ever written to an item, by its id and when it was added."""
    genres: dict[tuple[int, float], list[list[str]]] = {}
    for item_id, added, values in load_written(sidecar):
        genres.setdefault((item_id, added), []).append(values)
    return genres


def written_key(sidecar: Sidecar) -> str:
    return f"{GENRES_KEY}:{sidecar.id}"


def state_key(sidecar: Sidecar) -> str:
    return f"{KEY}:{sidecar.id}"


def set_value(item: Item, field: str, value: Value) -> None:
    """Store a value in a field of an item; None removes a flexible field."""
    if value is not None:
        item[field] = value
    elif field in item._values_flex:
        del item[field]
    item.store()
