"""beet resonance apart: list, add and remove incompatible pairs of tracks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns
from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.fields.analysis_cache import AnalysisCache
from beetsplug.resonance.library.items import matching_ids, no_match, select_items
from beetsplug.resonance.library.sidecar import Coverage, describe_coverage, format_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar

MOST_PAIRS = 10_000
EXAMPLE = "`beet resonance apart artist:slayer --and genres:lullaby`"


def edit_pairs(sidecar: Sidecar, query: list[str], others: list[str], remove: bool, log: BeetsLogger) -> None:
    """List the pairs, or add or remove those of the matches of one query and another.

    `others` holds the other query as one text, or nothing.
    """
    check_arguments(query, others, remove)
    if not query:
        list_pairs(sidecar)
        return
    known = content_keys(sidecar.library)
    if not known:
        raise UserError(describe_coverage(sidecar, Coverage(sidecar.coverage().total, 0, 0)))
    one = resolve_keys(sidecar, query, known, log)
    other = resolve_keys(sidecar, split_query(others[0]), known, log) if others else None
    if remove:
        count = sidecar.store.incompatible_pairs.remove(one, other)
        ui.print_(f"{format_pairs(count)} may be together again" if count else "none of these tracks was kept apart")
    elif other is not None:
        add_pairs(sidecar, one, other)


def check_arguments(query: list[str], others: list[str], remove: bool) -> None:
    """Raise UserError for arguments that exclude or lack each other."""
    if len(others) > 1:
        raise UserError("resonance: apart takes --and once; put a query of several words into quotes")
    if others and not (query and split_query(others[0])):
        raise UserError(f"resonance: apart takes a query on either side of --and, for example {EXAMPLE}")
    if remove and not query:
        raise UserError(
            "resonance: apart --remove takes a query; `beet resonance apart` shows the pairs that there are"
        )
    if query and not others and not remove:
        raise UserError(f"resonance: say with --and what these tracks are to be apart from, for example {EXAMPLE}")


def resolve_keys(sidecar: Sidecar, query: list[str], known: Mapping[int, bytes], log: BeetsLogger) -> set[bytes]:
    """Return the recordings that a query matches; UserError for none, a warning for those not analysed."""
    ids = matching_ids(sidecar.library, query)
    if not ids:
        raise no_match("resonance", query)
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
    return {known[item_id] for item_id in ids & known.keys()}


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


def list_pairs(sidecar: Sidecar) -> None:
    """Print a pair a line, each track by the item of the lowest id that holds it."""
    pairs = sidecar.store.incompatible_pairs.all() if sidecar.exists else frozenset()
    if not pairs:
        ui.print_(f"no tracks are kept apart; do so for example with {EXAMPLE}")
        return
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
