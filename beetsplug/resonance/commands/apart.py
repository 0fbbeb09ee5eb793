"""beet resonance apart: list, add and remove rules of tracks that are never in one playlist."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from beets import ui
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns
from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.fields.analysis_cache import AnalysisCache
from beetsplug.resonance.library.field_names import describe_unknown_fields
from beetsplug.resonance.library.items import matching_ids, no_match, select_items
from beetsplug.resonance.library.sidecar import Coverage, describe_coverage, format_tracks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar

BY_ID = ("id:", "id=")
MOST_PAIRS = 10_000
EXAMPLE = "`beet resonance apart artist:slayer --and genres:lullaby`"


def edit_apart(sidecar: Sidecar, query: list[str], others: list[str], remove: bool, log: BeetsLogger) -> None:
    """List what is kept apart, or add or remove a rule of two queries; `others` holds the other as one text, if any.

    Ids do not survive a new import as recordings do: of queries by id, the pairs of matching recordings are kept.
    """
    check_arguments(query, others, remove)
    if not query:
        list_apart(sidecar)
        return
    other = split_query(others[0]) if others else None
    if remove:
        remove_apart(sidecar, query, other)
    elif other is not None and any(word.startswith(BY_ID) for word in (*query, *other)):
        known = content_keys(sidecar.library)
        if not known:
            raise UserError(describe_coverage(sidecar, Coverage(sidecar.coverage().total, 0, 0)))
        add_pairs(sidecar, resolve_keys(sidecar, query, known, log), resolve_keys(sidecar, other, known, log))
    elif other is not None:
        add_rule(sidecar, query, other)


def check_arguments(query: list[str], others: list[str], remove: bool) -> None:
    """Raise UserError for arguments that exclude or lack each other."""
    if len(others) > 1:
        raise UserError("resonance: apart takes --and once; put a query of several words into quotes")
    if others and not (query and split_query(others[0])):
        raise UserError(f"resonance: apart takes a query on either side of --and, for example {EXAMPLE}")
    if remove and not query:
        raise UserError(
            "resonance: apart --remove takes a query; `beet resonance apart` shows the rules that there are"
        )
    if query and not others and not remove:
        raise UserError(f"resonance: say with --and what these tracks are to be apart from, for example {EXAMPLE}")


def add_rule(sidecar: Sidecar, query: list[str], other: list[str]) -> None:
    """Keep two queries apart, whatever they match when a list is made, and print what that is now."""
    counts = [len(matching_ids(sidecar.library, words)) for words in (query, other)]  # raises for one of no sense
    is_new = sidecar.store.incompatible_queries.add(tuple(query), tuple(other))
    rule, matches = f"{shlex.join(query)} and {shlex.join(other)}", f"{counts[0]:,} and {format_tracks(counts[1])}"
    ui.print_(f"{rule} are kept apart {'from now on' if is_new else 'already'}: {matches} now")
    for words in (words for words, count in zip((query, other), counts, strict=True) if not count):
        hint = describe_unknown_fields(sidecar.library, words) or f"`beet ls {shlex.join(words)}` lists what does"
        ui.print_(f"no track matches {shlex.join(words)} yet; {hint}")


def remove_apart(sidecar: Sidecar, query: list[str], other: list[str] | None) -> None:
    """Remove the rules of a query, or of two, and the pairs of recordings that they match; print how many."""
    store, parts = sidecar.store, []
    if sidecar.exists:
        removed = store.incompatible_queries.remove(tuple(query), None if other is None else tuple(other))
        parts += [f"{removed:,} rule{'' if removed == 1 else 's'} removed"] if removed else []
        if store.incompatible_pairs.all():
            known = content_keys(sidecar.library)
            keys = None if other is None else matching_keys(sidecar.library, other, known)
            pairs = store.incompatible_pairs.remove(matching_keys(sidecar.library, query, known), keys)
            parts += [f"{format_pairs(pairs)} may be together again"] if pairs else []
    for words in (query, other or []) if not parts else ():
        if words and not matching_ids(sidecar.library, words):
            raise no_match(sidecar.library, "resonance", words)
    ui.print_(", ".join(parts) or "no rule has this query, and none of these tracks is of a pair that is kept apart")


def matching_keys(library: Library, query: Sequence[str], known: Mapping[int, bytes]) -> set[bytes]:
    """Return the analysed recordings that a query matches."""
    return {known[item_id] for item_id in matching_ids(library, query) & known.keys()}


def resolve_keys(sidecar: Sidecar, query: list[str], known: Mapping[int, bytes], log: BeetsLogger) -> set[bytes]:
    """Return the recordings that a query matches; UserError for none, a warning for those not analysed."""
    ids = matching_ids(sidecar.library, query)
    if not ids:
        raise no_match(sidecar.library, "resonance", query)
    unknown = len(ids - known.keys())
    if unknown == len(ids):
        which = "the track that matches" if unknown == 1 else f"none of the {unknown:,} tracks that match"
        words = shlex.join(query)
        raise UserError(
            f"resonance: {which} {words} is {'not ' if unknown == 1 else ''}analysed yet; "
            f"run `beet resonance analyze {words}`"
        )
    if unknown:
        log.warning(
            "{} of {} left out, not analysed yet; see `beet resonance status`", f"{unknown:,}", format_tracks(len(ids))
        )
    return matching_keys(sidecar.library, query, known)


def add_pairs(sidecar: Sidecar, one: set[bytes], other: set[bytes]) -> None:
    count = count_pairs(one, other)
    if not count:
        raise UserError("resonance: both queries match the same recording alone, and a pair takes two")
    if count > MOST_PAIRS:
        raise UserError(
            f"resonance: that makes {count:,} pairs, and {MOST_PAIRS:,} are the most at a time; name fewer tracks"
        )
    new = sidecar.store.incompatible_pairs.add(one, other)
    already = f", {count - new:,} already" if new < count else ""
    ui.print_(f"{format_pairs(new)} kept apart from now on{already}" if new else "they are kept apart already")


def list_apart(sidecar: Sidecar) -> None:
    """Print a rule a line, with how many tracks it is about now, then a pair a line."""
    rules = sidecar.store.incompatible_queries.all() if sidecar.exists else []
    pairs = sidecar.store.incompatible_pairs.all() if sidecar.exists else frozenset()
    if not rules and not pairs:
        ui.print_(f"no tracks are kept apart; do so for example with {EXAMPLE}")
    rows = [
        (shlex.join(one), "never with", shlex.join(other), count_matches(sidecar, one, other)) for one, other in rules
    ]
    for line in align_columns(rows) if rows else []:
        ui.print_(line)
    if pairs:
        list_pairs(sidecar, pairs)


def count_matches(sidecar: Sidecar, *queries: Sequence[str]) -> str:
    """Return how many tracks the queries of a rule match, in words; beets may not understand one any more."""
    try:
        counts = [f"{len(matching_ids(sidecar.library, query)):,}" for query in queries]
    except ParsingError as error:
        return f"(not understood: {error})"
    return f"({' and '.join(counts)} tracks)"


def list_pairs(sidecar: Sidecar, pairs: Collection[tuple[bytes, bytes]]) -> None:
    """Print a pair a line, each track by the item of the lowest id that holds it."""
    items = {key: item_id for item_id, key in sorted(content_keys(sidecar.library).items(), reverse=True)}
    present = [(items[one], items[other]) for one, other in pairs if one in items and other in items]
    listed = select_items(sidecar.library, {item_id for pair in present for item_id in pair})
    names = {item.id: format(item) for item in listed}
    rows = sorted(sorted((names[one], names[other])) for one, other in present)
    for line in align_columns([(one, "never with", other) for one, other in rows]) if rows else []:
        ui.print_(line)
    gone = len(pairs) - len(present)
    if gone:
        ui.print_(f"{format_pairs(gone)}{' more' if present else ''} with a track that this library does not have now")


def format_pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count:,} pairs"


def content_keys(library: Library) -> dict[int, bytes]:
    """Return the content keys of the analysed items, by item id."""
    return AnalysisCache(lambda _, keys: {key: key for key in keys}).get_all(library)


def count_pairs(one: set[bytes], other: set[bytes]) -> int:
    """Return the number of unordered pairs of two different recordings, one of each set."""
    both = len(one & other)
    return len(one) * len(other) - both * (both + 1) // 2
