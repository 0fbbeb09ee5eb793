"""What is wrong in a sidecar, found by reading alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.errors import printable
from resonance_engine.store.codec import STORED_TOLERANCE, decode, flaw, tag_flaw
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.reading.pairs import STATE as PAIRS
from resonance_engine.store.reading.pairs import pairs_of
from resonance_engine.store.reading.view import Reading, read_json
from resonance_engine.store.records import EMBEDDING
from resonance_engine.store.sentences import UNREADABLE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from resonance_engine.store.records import Model

SOUND = "ok"
EMBEDDED = f"SELECT content_key FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}'"  # noqa: S608 - a constant
PENDING = f"SELECT count(*) FROM track WHERE content_key NOT IN ({EMBEDDED})"  # noqa: S608 - a constant
# SQLite may look into what is no JSON where conditions are joined by AND.
UNSAID = (
    "SELECT content_key, broken FROM (SELECT content_key, CASE WHEN typeof(attributes) = 'text' "
    "AND json_valid(attributes) THEN json_type(attributes) <> 'object' ELSE 1 END AS broken FROM analysis) "
    "WHERE broken OR (content_key NOT IN (SELECT content_key FROM vector) "
    "AND content_key NOT IN (SELECT content_key FROM track))"
)


class CheckReading(Reading):
    """Verbs that examine the whole store."""

    def check(self, model_id: str, partial: bool = False) -> list[str]:
        """What is wrong with the file and with a model's vectors, a sentence each; empty when nothing is.

        `partial`: the model need not have heard every track, as long as another one is in use.
        """
        with self._view() as view:
            driver = view.driver
            model = known_model(driver, model_id)
            problems = [f"{printable(self.path)}: {line}." for line in unsound(driver)]
            problems += [
                f"{printable(self.path)}: row {row} of table {table} refers to a missing {parent}."
                for table, row, parent in dangling(driver)
            ]
            problems += [f"The note {key!r} can't be read." for key in unreadable_notes(driver)]
            problems += [f"The {kind} of recording {key.hex()} {reason}." for key, kind, reason in flaws(driver, model)]
            problems += [f"The tags of recording {key.hex()} {reason}." for key, reason in tag_flaws(driver, model)]
            problems += [f"The analysis of recording {key.hex()} {reason}." for key, reason in said_flaws(driver)]
            [pending] = driver.execute(PENDING, (model_id,)).fetchone()
            if pending and not partial:
                problems.append(f"{pending} linked tracks have no embedding by the model {model.name} yet.")
            return problems

    def lacking(self, model_id: str) -> dict[bytes, str]:
        """What lacks of recordings that a model has an embedding of, by content key: a facet, windows, the analysis.

        What a model says of a recording is written in one transaction: a part that lacks was lost. Tags aside, which
        older versions did not keep; see `TagReading.without_tags`.
        """
        with self._view() as view:
            found: dict[bytes, list[str]] = {}
            for key, part in lacking(view.driver, known_model(view.driver, model_id)):
                found.setdefault(key, []).append(part)
            return {key: ", ".join(parts) for key, parts in found.items()}


def unsound(driver: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file itself."""
    return [line for (line,) in driver.execute("PRAGMA integrity_check") if line != SOUND]


def dangling(driver: sqlite3.Connection) -> list[tuple[str, int, str]]:
    """Table, row number and missing table of rows that refer to a row that is not there."""
    return [(table, row, parent) for table, row, parent, _ in driver.execute("PRAGMA foreign_key_check")]


def unreadable_notes(driver: sqlite3.Connection) -> list[str]:
    """The keys of facts about the store that say nothing."""
    return [key for key, value in driver.execute("SELECT key, value FROM state") if not is_note(key, value)]


def is_note(key: object, value: object) -> bool:
    """Whether a fact about the store can be read."""
    try:
        noted = read_json(value)
        if key == PAIRS:
            pairs_of(noted)
    except UNREADABLE:
        return False
    return True


def flaws(driver: sqlite3.Connection, model: Model) -> Iterator[tuple[bytes, str, str]]:
    """Content key, kind and flaw of each vector that the model can't have made, or that stands alone."""
    widths = model.widths()
    for key, kind, data in driver.execute("SELECT content_key, kind, data FROM vector WHERE model_id = ?", (model.id,)):
        width = widths.get(kind)
        reason = "is of a kind that the model doesn't make" if width is None else stored_flaw(data, width)
        if reason:
            yield key, kind, reason
    windows = "SELECT content_key, position, data FROM window WHERE model_id = ?"
    for key, position, data in driver.execute(windows, (model.id,)):
        reason = stored_flaw(data, model.dimensions)
        if reason:
            yield key, f"window {position}", reason
    for table, kind in (("vector", "facet"), ("window", "window")):
        alone = f"SELECT DISTINCT content_key FROM {table} WHERE model_id = ? AND content_key NOT IN ({EMBEDDED})"  # noqa: S608 - constants
        for (key,) in driver.execute(alone, (model.id, model.id)):
            yield key, kind, "has no embedding beside it"


def tag_flaws(driver: sqlite3.Connection, model: Model) -> Iterator[tuple[bytes, str]]:
    """Content key and flaw of each recording's tags that the model can't have given."""
    for key, data in driver.execute("SELECT content_key, data FROM tag WHERE model_id = ?", (model.id,)):
        reason = tag_flaw(data, len(model.tags))
        if reason:
            yield key, reason
    alone = f"SELECT content_key FROM tag WHERE model_id = ? AND content_key NOT IN ({EMBEDDED})"  # noqa: S608 - a constant
    for (key,) in driver.execute(alone, (model.id, model.id)):
        yield key, "have no embedding beside them"


def said_flaws(driver: sqlite3.Connection) -> Iterator[tuple[bytes, str]]:
    """Content key and flaw of each analysis that can't be read, or that stands for nothing."""
    for key, broken in driver.execute(UNSAID):
        yield key, "can't be read" if broken else "belongs to no vector and no track"


def lacking(driver: sqlite3.Connection, model: Model) -> Iterator[tuple[bytes, str]]:
    """Content key and missing part of recordings that a model has an embedding of."""
    for kind in model.modalities:
        there = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ?"
        statement = f"{EMBEDDED} AND content_key NOT IN ({there})"
        for (key,) in driver.execute(statement, (model.id, model.id, kind)).fetchall():
            yield key, f"the {kind}"
    # Positions are counted from 0: the last one tells how many there were.
    whole = "SELECT content_key FROM window WHERE model_id = ? GROUP BY content_key HAVING count(*) > max(position)"
    for (key,) in driver.execute(f"{EMBEDDED} AND content_key NOT IN ({whole})", (model.id, model.id)).fetchall():
        yield key, "windows"
    said = "SELECT content_key FROM analysis"
    for (key,) in driver.execute(f"{EMBEDDED} AND content_key NOT IN ({said})", (model.id,)).fetchall():
        yield key, "the analysis"


def stored_flaw(data: object, width: int) -> str | None:
    """What is wrong with a stored vector, as the end of a sentence; None if nothing is."""
    if not isinstance(data, bytes):
        return f"should be bytes and is {type(data).__name__}"
    if len(data) != 2 * width:
        return f"should take {2 * width} bytes and takes {len(data)}"
    return flaw(decode(data, width), width, STORED_TOLERANCE)
