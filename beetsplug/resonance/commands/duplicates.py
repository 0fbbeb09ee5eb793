"""beet resonance duplicates: groups of tracks that are one recording, and which of each to keep; deletes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns, choose_colours, require_searchable
from beetsplug.resonance.commands.similar import track_record
from beetsplug.resonance.library.items import matching_ids, no_match
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from optparse import Values

    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.duplicates import DuplicateGroup


def list_duplicates(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Print the groups with a track that the query matches, of the whole library without one."""
    if opts.json and opts.format is not None:
        raise UserError("resonance: --json takes no --format")
    require_searchable(sidecar, log)
    matches = matching_ids(sidecar.library, query) if query else None
    if matches is not None and not matches:
        raise no_match(sidecar.library, "resonance", query)
    groups = select_groups(sidecar, matches)
    if opts.json:
        ui.print_(json.dumps([group_record(group) for group in groups], indent=1))
    elif opts.format is not None:
        print_formatted(groups, opts.format)
    elif not groups:
        which = (
            "library"
            if matches is None
            else f"{format_tracks(len(matches))} that {'match' if len(matches) != 1 else 'matches'}"
        )
        ui.print_(f"no duplicates in the {which}")
    else:
        print_groups(groups)


def select_groups(sidecar: Sidecar, matches: set[int] | None) -> list[DuplicateGroup]:
    """Return the groups that hold a match, or all."""
    from beetsplug.resonance.search.duplicates import find_duplicate_ids, load_groups
    from beetsplug.resonance.search.session import open_session

    with open_session(sidecar) as session:
        groups = find_duplicate_ids(session)
    return load_groups(
        sidecar.library, [each for each in groups if matches is None or not matches.isdisjoint(each.item_ids)]
    )


def print_groups(groups: Sequence[DuplicateGroup]) -> None:
    """Print each group below its evidence, the track to keep first; then how many there are."""
    colour = choose_colours()
    for group in groups:
        ui.print_(colour("text_highlight_minor", f"{', '.join(group.evidence)}; keep the first: {group.reason}"))
        rows = [("  ", *describe_file(item), describe_entry(item)) for item in group.items]
        for line in align_columns(rows):
            ui.print_(line)
    spare = sum(len(group.items) - 1 for group in groups)
    count = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
    ui.print_(f"{count}, {format_tracks(spare)} to spare; nothing was changed")


def describe_file(item: Item) -> tuple[str, str, str]:
    """Return format, bitrate and length of an item as beets shows them, such as FLAC, 923kbps, 3:12."""
    shown = item.formatted()
    return item.format, shown["bitrate"], shown["length"]


def print_formatted(groups: Sequence[DuplicateGroup], template: str) -> None:
    """Print a track a line; `$res_group` numbers the groups, `$res_keep` is 1 for the track to keep, else 0."""
    for number, group in enumerate(groups, 1):
        for item in group.items:
            item["res_group"], item["res_keep"] = number, int(item is group.items[0])  # in memory: never stored
            ui.print_(describe_entry(item, template))


def group_record(group: DuplicateGroup) -> dict[str, Any]:
    """Return a group as JSON, the track to keep first."""
    tracks = [
        {**track_record(item), "format": item.format, "bitrate": item.bitrate, "keep": item is group.items[0]}
        for item in group.items
    ]
    return {"evidence": list(group.evidence), "keep": group.items[0].id, "reason": group.reason, "tracks": tracks}
