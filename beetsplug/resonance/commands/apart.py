"""beet resonance apart: list, add and remove rules of tracks that are never in one playlist."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from beets import ui
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns
from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.fields.analysis_cache import AnalysisCache
from beetsplug.resonance.library.field_names import describe_unknown_fields
from beetsplug.resonance.library.items import matching_ids, no_match, select_items
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import Coverage, describe_coverage, format_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar

BY_ID = ("id:", "id=")
MOST_PAIRS = 10_000
EXAMPLE = "`beet resonance apart artist:slayer --and genres:lullaby`"


def edit_apart(sidecar: Sidecar, query: list[str], others: list[str], remove: bool, log: BeetsLogger) -> None:
    """List what is kept apart, or add or remove a rule of two queries; `others` holds the other as one text, if any.

    What is listed has a number, by which it can be removed. Ids do not survive a new import as recordings do: of
    queries by id, the pairs of matching recordings are kept.
    """
    check_arguments(query, others, remove)
    if not query:
        list_apart(sidecar)
        return
    other = split_query(others[0]) if others else None
    if remove and other is None and len(query) == 1 and query[0].isdecimal():
        remove_number(sidecar, int(query[0]))
    elif remove:
        remove_apart(sidecar, query, other)
    elif other is not None and any(word.startswith(BY_ID) for word in (*query, *other)):
        known = content_keys(sidecar)
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
            "resonance: apart --remove takes a query, or a number of the list that `beet resonance apart` shows"
        )
    if query and not others and not remove:
        raise UserError(f"resonance: say with --and what these tracks are to be apart from, for example {EXAMPLE}")


def add_rule(sidecar: Sidecar, query: list[str], other: list[str]) -> None:
    """Keep two queries apart, whatever they match when a list is made, and print what that is now."""
    counts = [len(matching_ids(sidecar.library, words)) for words in (query, other)]  # raises for one of no sense
    is_new = sidecar.store.incompatible_queries.add(tuple(query), tuple(other))
    rule, matches = f"{shlex.join(query)} and {shlex.join(other)}", f"{counts[0]:,} and {format_tracks(counts[1])}"
    only_one = "; of these, a playlist takes one" if query == other else ""
    ui.print_(f"{rule} are kept apart {'from now on' if is_new else 'already'}: {matches} now{only_one}")
    sides = [query] if query == other else [query, other]
    for words in (words for words, count in zip(sides, counts, strict=False) if not count):
        hint = describe_unknown_fields(sidecar.library, words) or f"`beet ls {shlex.join(words)}` lists what does"
        ui.print_(f"no track matches {shlex.join(words)} yet; {hint}")


def remove_apart(sidecar: Sidecar, query: list[str], other: list[str] | None) -> None:
    """Remove the rules of a query, or of two, and the pairs of recordings that they match; print them."""
    before = list_kept(sidecar)
    if before:
        store = sidecar.store
        store.incompatible_queries.remove(tuple(query), None if other is None else tuple(other))
        if store.incompatible_pairs.all():
            known = content_keys(sidecar)
            keys = None if other is None else matching_keys(sidecar.library, other, known)
            store.incompatible_pairs.remove(matching_keys(sidecar.library, query, known), keys)
    left = {kept.sides for kept in list_kept(sidecar)}
    removed = [kept for kept in before if kept.sides not in left]
    for words in (query, other or []) if not removed else ():
        if words and not matching_ids(sidecar.library, words):
            raise no_match(sidecar.library, "resonance", words)
    print_removed(removed)
    if not removed:
        ui.print_("no rule has this query, and none of these tracks is of a pair that is kept apart")


def remove_number(sidecar: Sidecar, number: int) -> None:
    """Remove what has a number in the list, and print it; raises UserError where nothing has."""
    kept = list_kept(sidecar)
    if not 1 <= number <= len(kept):
        there = f"the list has 1 to {len(kept):,}" if kept else "no tracks are kept apart"
        raise UserError(f"resonance: apart has no number {number}; {there}")
    chosen = kept[number - 1]
    one, other = chosen.sides
    if isinstance(one, bytes) and isinstance(other, bytes):
        sidecar.store.incompatible_pairs.remove({one}, {other})
    elif isinstance(one, tuple) and isinstance(other, tuple):
        sidecar.store.incompatible_queries.remove(one, other)
    print_removed([chosen])


def print_removed(removed: Sequence[Kept]) -> None:
    for kept in removed:
        ui.print_(f"removed: {kept.one} never with {kept.other}")


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


class Kept(NamedTuple):
    """What is kept apart: two sides as words, and as they are stored, the words of queries or two content keys."""

    one: str
    other: str
    sides: tuple[tuple[str, ...], tuple[str, ...]] | tuple[bytes, bytes]


def list_apart(sidecar: Sidecar) -> None:
    """Print a rule a line, with how many tracks it is about now, then a pair a line, each with its number."""
    kept = list_kept(sidecar)
    width = len(str(len(kept)))
    rows = [
        (f"{number:>{width}}.", entry.one, "never with", entry.other, count_matches(sidecar, entry))
        for number, entry in enumerate(kept, 1)
    ]
    for line in align_columns(rows) if rows else []:
        ui.print_(line)
    pairs = len(sidecar.store.incompatible_pairs.all()) if sidecar.exists else 0
    present = sum(isinstance(entry.sides[0], bytes) for entry in kept)
    if pairs > present:
        more = " more" if present else ""
        ui.print_(f"{format_pairs(pairs - present)}{more} with a track that this library does not have now")
    elif not kept:
        ui.print_(f"no tracks are kept apart; do so for example with {EXAMPLE}")


def list_kept(sidecar: Sidecar) -> list[Kept]:
    """Return the rules in the order of their making, then the pairs whose tracks the library has, in that of names.

    Each track of a pair is named by the item of the lowest id that holds it.
    """
    if not sidecar.exists:
        return []
    rules = [
        Kept(shlex.join(one), shlex.join(other), (one, other))
        for one, other in sidecar.store.incompatible_queries.all()
    ]
    if not (pairs := sidecar.store.incompatible_pairs.all()):
        return rules
    items = {key: item_id for item_id, key in sorted(content_keys(sidecar).items(), reverse=True)}
    present = [pair for pair in pairs if items.keys() >= {*pair}]
    listed = select_items(sidecar.library, {items[key] for pair in present for key in pair})
    names = {item.id: describe_entry(item) for item in listed}
    named = (sorted((names[items[key]], key) for key in pair) for pair in present)
    return [*rules, *sorted(Kept(one, other, (key, other_key)) for (one, key), (other, other_key) in named)]


def count_matches(sidecar: Sidecar, kept: Kept) -> str:
    """Return how many tracks the queries of a rule match, in words; beets may not understand one any more."""
    queries = [side for side in kept.sides if isinstance(side, tuple)]
    try:
        counts = [len(matching_ids(sidecar.library, query)) for query in queries]
    except ParsingError as error:
        return f"(not understood: {error})"
    return f"({counts[0]:,} and {format_tracks(counts[1])})" if counts else ""


def format_pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count:,} pairs"


def content_keys(sidecar: Sidecar) -> dict[int, bytes]:
    """Return the content keys of the analysed items, by item id."""
    return AnalysisCache(lambda _, keys: {key: key for key in keys}, sidecar.settings).get_all(sidecar.library)


def count_pairs(one: set[bytes], other: set[bytes]) -> int:
    """Return the number of unordered pairs of two different recordings, one of each set."""
    both = len(one & other)
    return len(one) * len(other) - both * (both + 1) // 2
