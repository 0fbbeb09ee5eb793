"""Find what is wrong in a sidecar, by reading alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.store.arrays import array_defect
from resonance_engine.store.errors import UNREADABLE
from resonance_engine.store.models import select_model
from resonance_engine.store.passages import stored_passage_defect
from resonance_engine.store.records import EMBEDDING, FLOAT16, decode
from resonance_engine.store.sqlite_file import read_json
from resonance_engine.store.sqlite_statements import FILE_CHECK, INVALID_ANALYSES, REFERENCE_CHECK
from resonance_engine.store.state import PAIRS_KEY, RULES_KEY, parse_pairs, parse_rules
from resonance_engine.store.vectors import LENGTH_TOLERANCE, vector_defect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.store.models import Model
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.store import Store

SOUND = "ok"
# A vector just inside the tolerance may leave it when it is rounded: half a unit in the last of float16's 11
# bits.
STORED_TOLERANCE = LENGTH_TOLERANCE + 2.0**-11
EMBEDDED = f"SELECT content_key FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}'"  # noqa: S608 - a constant
PENDING = f"SELECT count(*) FROM track WHERE content_key NOT IN ({EMBEDDED})"  # noqa: S608 - a constant


def check_store(store: Store, model_id: str, partial: bool = False) -> list[str]:
    """Return what is wrong with the file and with a model's vectors, a sentence each; empty when nothing is.

    `partial`: the model need not have embedded every track, as long as another one is in use.
    """
    with store.read() as driver:
        model = select_model(driver, model_id)
        problems = [f"{store.name}: {line}." for line in integrity_errors(driver)]
        problems += [
            f"{store.name}: row {row} of table {table} refers to a missing {parent}."
            for table, row, parent in dangling_rows(driver)
        ]
        problems += [f"The note {key!r} can't be read." for key in unreadable_state(driver)]
        invalid = invalid_vectors(driver, model)
        problems += [f"The {kind} of recording {key.hex()} {reason}." for key, kind, reason in invalid]
        problems += [f"The tags of recording {key.hex()} {reason}." for key, reason in invalid_tags(driver, model)]
        passages = invalid_passages(driver, model)
        problems += [f"The dense windows of recording {key.hex()} {reason}." for key, reason in passages]
        problems += [f"The array {name!r} of library {library} {why}." for library, name, why in invalid_arrays(driver)]
        problems += [f"The analysis of recording {key.hex()} {why}." for key, why in invalid_analyses(driver)]
    return problems if partial else problems + describe_unembedded(store, model_id)


def describe_unembedded(store: Store, model_id: str) -> list[str]:
    """Return a sentence on linked tracks that a model has no embedding of, which an analysis mends; empty for none."""
    with store.read() as driver:
        count = driver.execute(PENDING, (model_id,)).fetchone()[0]
        tracks = "linked track has" if count == 1 else "linked tracks have"
        return (
            [f"{count} {tracks} no embedding by the model {select_model(driver, model_id).name} yet."] if count else []
        )


def incomplete_recordings(store: Store, model_id: str) -> dict[bytes, str]:
    """Return the missing parts of recordings that a model has an embedding of, by content key.

    What a model gives for a recording is written in one transaction: a missing part was lost. Tags aside, which
    older versions did not store; see `TagTable.count_missing`.
    """
    with store.read() as driver:
        parts: dict[bytes, list[str]] = {}
        for key, part in missing_parts(driver, select_model(driver, model_id)):
            parts.setdefault(key, []).append(part)
        return {key: ", ".join(missing) for key, missing in parts.items()}


def integrity_errors(driver: Snapshot) -> list[str]:
    """Return what SQLite finds wrong with the file itself."""
    return [line for (line,) in driver.execute(FILE_CHECK) if line != SOUND]


def dangling_rows(driver: Snapshot) -> list[tuple[str, int, str]]:
    """Return table, row number and missing table of rows that refer to a missing row."""
    return [(table, row, parent) for table, row, parent, _ in driver.execute(REFERENCE_CHECK)]


def unreadable_state(driver: Snapshot) -> list[str]:
    """Return the keys of state rows that can't be parsed."""
    return [key for key, value in driver.execute("SELECT key, value FROM state") if not is_readable_state(key, value)]


def is_readable_state(key: object, value: object) -> bool:
    """Whether a state row can be parsed."""
    try:
        parsed = read_json(value)
        if key == PAIRS_KEY:
            parse_pairs(parsed)
        if key == RULES_KEY:
            parse_rules(parsed)
    except UNREADABLE:
        return False
    return True


def invalid_vectors(driver: Snapshot, model: Model) -> Iterator[tuple[bytes, str, str]]:
    """Yield content key, kind and defect of each vector that the model can't have given, or without its embedding."""
    widths = model.widths()
    vectors = "SELECT content_key, kind, data FROM vector WHERE model_id = ?"
    for key, kind, data in driver.execute(vectors, (model.id,)):
        width = widths.get(kind)
        reason = "is of a kind that the model doesn't make" if width is None else stored_vector_defect(data, width)
        if reason:
            yield key, kind, reason
    windows = 'SELECT content_key, position, data FROM "window" WHERE model_id = ?'
    for key, position, data in driver.execute(windows, (model.id,)):
        reason = stored_vector_defect(data, model.dimensions)
        if reason:
            yield key, f"window {position}", reason
    for table, kind in (("vector", "facet"), ("window", "window")):
        alone = f'SELECT DISTINCT content_key FROM "{table}" WHERE model_id = ? AND content_key NOT IN ({EMBEDDED})'  # noqa: S608 - constants
        for (key,) in driver.execute(alone, (model.id, model.id)):
            yield key, kind, "has no embedding beside it"


def invalid_tags(driver: Snapshot, model: Model) -> Iterator[tuple[bytes, str]]:
    """Yield content key and defect of each recording's tags that the model can't have given."""
    for key, data in driver.execute("SELECT content_key, data FROM tag WHERE model_id = ?", (model.id,)):
        reason = stored_tags_defect(data, len(model.tags))
        if reason:
            yield key, reason
    alone = f"SELECT content_key FROM tag WHERE model_id = ? AND content_key NOT IN ({EMBEDDED})"  # noqa: S608 - a constant
    for (key,) in driver.execute(alone, (model.id, model.id)):
        yield key, "have no embedding beside them"


def invalid_passages(driver: Snapshot, model: Model) -> Iterator[tuple[bytes, str]]:
    """Yield content key and defect of each recording's dense windows that the model can't have given."""
    statement = "SELECT content_key, data, hop, length FROM passage WHERE model_id = ?"
    for key, data, hop, length in driver.execute(statement, (model.id,)):
        reason = stored_passage_defect(data, hop, length, model.dimensions, STORED_TOLERANCE)
        if reason:
            yield key, reason


def invalid_arrays(driver: Snapshot) -> Iterator[tuple[int, str, str]]:
    """Yield library, name and defect of each array that can't be read."""
    for library, name, data in driver.execute('SELECT library_id, name, data FROM "array"'):
        reason = array_defect(data)
        if reason:
            yield library, name, reason


def invalid_analyses(driver: Snapshot) -> Iterator[tuple[bytes, str]]:
    """Yield content key and defect of each analysis that can't be parsed, or whose recording is in no other table."""
    for key, broken in driver.execute(INVALID_ANALYSES):
        yield key, "can't be read" if broken else "belongs to no vector and no track"


def missing_parts(driver: Snapshot, model: Model) -> Iterator[tuple[bytes, str]]:
    """Yield content key and missing part of recordings that a model has an embedding of."""
    # Positions are counted from 0: the last one tells how many there were.
    windows = 'SELECT content_key FROM "window" WHERE model_id = ? GROUP BY content_key HAVING count(*) > max(position)'
    facet = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ?"
    parts: list[tuple[str, str, tuple[str, ...]]] = [
        *((f"the {kind}", facet, (model.id, kind)) for kind in model.modalities),
        ("windows", windows, (model.id,)),
        ("the analysis", "SELECT content_key FROM analysis", ()),
    ]
    for part, complete, parameters in parts:
        for (key,) in driver.execute(f"{EMBEDDED} AND content_key NOT IN ({complete})", (model.id, *parameters)):
            yield key, part


def stored_vector_defect(data: object, width: int) -> str | None:
    """Return what is wrong with a stored vector, as the end of a sentence; None if nothing is."""
    if not isinstance(data, bytes):
        return f"should be bytes and is {type(data).__name__}"
    if len(data) != width * FLOAT16.itemsize:
        return f"should take {width * FLOAT16.itemsize} bytes and takes {len(data)}"
    return vector_defect(decode(data, width), width, STORED_TOLERANCE)


def stored_tags_defect(data: object, count: int) -> str | None:
    """Return what is wrong with the stored probabilities of `count` tags, as the end of a sentence, or None."""
    if not isinstance(data, bytes):
        return f"should be bytes and are {type(data).__name__}"
    if len(data) != FLOAT16.itemsize * count:
        return f"should take {FLOAT16.itemsize * count} bytes and take {len(data)}"
    probabilities = decode(data, count)
    return None if ((probabilities >= 0) & (probabilities <= 1)).all() else "should lie between 0 and 1 and do not"
