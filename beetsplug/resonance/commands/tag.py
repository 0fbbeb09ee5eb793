"""beet resonance tag: genres by the vote of neighbours beside the model's tags, and what is confirmed of them written.

It writes to beets' own database alone, and only with `--write`; `--undo` restores what was there before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import is_analysing
from beetsplug.resonance.commands.common import align_columns, confirm
from beetsplug.resonance.commands.similar import track_record
from beetsplug.resonance.fields.analysis_cache import AnalysisCache, load_tags
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks, require_coverage
from beetsplug.resonance.library.tag_changes import field_value, parse_field, stored_value, undo_tags, write_tags
from resonance_engine.errors import neutralise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from optparse import Values

    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.tagging.suggestions import Suggestion, VoteEvaluation
    from resonance_engine.tagging.tracks import LabelledTracks

MODES = ("write", "undo", "check")


class TagRow(NamedTuple):
    """A track with what its neighbours suggest, the surest first, and what the model's tags are."""

    item: Item
    suggestions: Sequence[Suggestion]
    model: Mapping[str, Any]


def tag(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Print suggestions for the tracks that match and have no value yet, and with `--write` store those confirmed."""
    check_combinations(opts, query)
    if opts.undo:
        print_restored(sidecar)
        return
    field, threshold = parse_field(opts.field), parse_threshold(opts.confidence)
    require_coverage(sidecar, log, is_analysing(sidecar))
    items = list(sidecar.library.items(query))
    if not items:
        raise no_match(sidecar.library, "resonance", query)
    if opts.check:
        ui.print_(check_line(measure(sidecar, threshold)))
        return
    empty = [item for item in items if opts.overwrite or not stored_value(item, field)]
    suggestions, reason, evaluation = suggest_genres(sidecar, empty, threshold)
    tags = AnalysisCache(load_tags, sidecar.settings).get_all(sidecar.library)
    rows = [TagRow(item, suggestions.get(item.id or 0, ()), tags.get(item.id or 0, {})) for item in empty]
    if opts.json:
        ui.print_(json.dumps([row_record(row) for row in rows], indent=1))
        return
    print_rows(rows, opts.format)
    print_counts(rows, len(suggestions), threshold)
    print_kept(field, len(items) - len(empty))
    ui.print_(check_line(evaluation) if evaluation is not None else reason)
    if opts.write:
        is_checked = evaluation is not None and evaluation.is_better_than_commonest
        store(sidecar, rows, field, opts.yes, is_checked)


def check_combinations(opts: Values, query: Sequence[str]) -> None:
    """Raise UserError for options that exclude each other."""
    modes = [f"--{name}" for name in MODES if getattr(opts, name)]
    if len(modes) > 1:
        raise UserError(f"resonance: tag takes one of {modes[0]} and {modes[1]}, not both")
    if opts.undo and query:
        raise UserError(f"resonance: tag --undo restores all of the last write and takes no query, not {query[0]!r}")
    if opts.check and query:
        raise UserError(f"resonance: tag --check measures the whole library and takes no query, not {query[0]!r}")
    if opts.json and modes:
        raise UserError(f"resonance: tag --json takes no {modes[0]}")
    if opts.yes and not opts.write:
        raise UserError("resonance: tag --yes goes with --write, which asks")
    check_options_of_output("tag", opts)


def check_options_of_output(verb: str, opts: Values) -> None:
    """Raise UserError where both forms of output are wanted."""
    if opts.json and opts.format is not None:
        raise UserError(f"resonance: {verb} takes one of --json and --format, not both")


def parse_threshold(confidence: float | None) -> float:
    """Return the least confidence of a suggestion; UserError for one outside 0 to 1."""
    from resonance_engine.tagging.suggestions import THRESHOLD

    if confidence is None:
        return THRESHOLD
    if not 0 < confidence <= 1:  # nor NaN
        raise UserError(f"resonance: tag --confidence must be above 0 and at most 1, not {confidence:g}")
    return confidence


def suggest_genres(
    sidecar: Sidecar, items: Sequence[Item], threshold: float
) -> tuple[dict[int, list[Suggestion]], str, VoteEvaluation | None]:
    """Return the suggestions by item id, why neighbours cannot vote, if so, else how they agree with the genres.

    Of the items, those that are analysed have suggestions, which may be none.
    """
    import numpy as np

    from beetsplug.resonance.search.session import open_session
    from beetsplug.resonance.search.tag_votes import load_tracks
    from resonance_engine.tagging.suggestions import evaluate, hold_vote, suggest
    from resonance_engine.tagging.vote import VoteSettings

    with open_session(sidecar) as session:
        tracks = load_tracks(session)
    places, labelled = tracks.places([item.id for item in items if item.id is not None]), tracks.table.labelled
    if reason := describe_useless(tracks.table):
        return {tracks.item_ids[place]: [] for place in places.tolist()}, reason, None
    votes = hold_vote(tracks.table, np.union1d(places, labelled), VoteSettings())
    chosen = suggest(tracks.table, votes.of(places), threshold)
    suggestions = {tracks.item_ids[place]: each for place, each in zip(places.tolist(), chosen, strict=True)}
    return suggestions, "", evaluate(tracks.table, votes.of(labelled), threshold)


def measure(sidecar: Sidecar, threshold: float) -> VoteEvaluation:
    """Return the agreement of votes with the genres of the library; UserError where neighbours cannot vote."""
    from beetsplug.resonance.search.session import open_session
    from beetsplug.resonance.search.tag_votes import load_tracks
    from resonance_engine.tagging.suggestions import evaluate, hold_vote
    from resonance_engine.tagging.vote import VoteSettings

    with open_session(sidecar) as session:
        table = load_tracks(session).table
    if reason := describe_useless(table):
        raise UserError(f"resonance: tag --check: {reason}")
    return evaluate(table, hold_vote(table, table.labelled, VoteSettings()), threshold)


def describe_useless(table: LabelledTracks) -> str:
    """Return why neighbours cannot vote: no genres, one genre, or one artist; empty where they can."""
    labelled = table.labelled
    if not len(labelled):
        return "no analysed track has a genre, so no neighbour has a vote; tag some, or see the model's tags alone"
    if len(table.labels) == 1:
        return (
            f"the only genre in the library is {table.labels[0]!r}, so neighbours have no choice; "
            "tag some tracks with another"
        )
    if table.artists[labelled[0]] >= 0 and len(set(table.artists[labelled].tolist())) == 1:
        return (
            "all tracks with a genre are of one artist, whose vote does not count for his own; tag some of another one"
        )
    return ""


def check_line(evaluation: VoteEvaluation) -> str:
    """Return the line on the precision of suggestions with the artists left out."""
    precision, coverage = evaluation.precision, evaluation.coverage
    tagged = f"on {coverage.trials:,} tagged track{'' if coverage.trials == 1 else 's'}, artists left out"
    if not precision.trials:
        return f"{tagged}: no suggestion is sure enough, coverage 0.00"
    low, high = evaluation.interval
    verdict = "" if evaluation.is_better_than_commonest else "; so these genres cannot be told by their neighbours"
    return (
        f"{tagged}: precision {precision.value:.2f} [{low:.2f}, {high:.2f}], coverage {coverage.value:.2f}; "
        f"{evaluation.commonest!r} for all of these would be right on {evaluation.share:.2f}{verdict}"
    )


def print_rows(rows: Sequence[TagRow], template: str | None) -> None:
    """Print the tracks of which something is known, in aligned columns."""
    cells = [
        (describe_entry(row.item, template), describe_suggestions(row.suggestions), describe_model(row.model))
        for row in rows
        if row.suggestions or row.model
    ]
    if cells:
        for line in align_columns([("track", "neighbours", "model"), *cells]):
            ui.print_(line)


def describe_suggestions(suggestions: Sequence[Suggestion]) -> str:
    return ", ".join(f"{neutralise(each.label)} {each.confidence:.2f} ({each.carriers})" for each in suggestions) or "-"


def describe_model(values: Mapping[str, Any]) -> str:
    """Return the tags and the voice of a track in words."""
    voice = f"vocals: {values['vocals']}" if values.get("vocals") else ""
    return "; ".join(filter(None, (values.get("tags", ""), voice))) or "-"


def print_counts(rows: Sequence[TagRow], analysed: int, threshold: float) -> None:
    """Print how many tracks have a suggestion, how many of the `analysed` ones have none, and how many are not."""
    sure, missing = sum(bool(row.suggestions) for row in rows), len(rows) - analysed
    absent = f"; {missing:,} {'is' if missing == 1 else 'are'} not analysed" if missing else ""
    ui.print_(
        f"{format_tracks(sure)} with a suggestion; on {analysed - sure:,} the neighbours abstain (below {threshold:g})"
        f"{absent}"
    )


def print_kept(field: str, kept: int) -> None:
    """Print how many tracks have a value already, if any."""
    if kept:
        have = "has" if kept == 1 else "have"
        ui.print_(f"{format_tracks(kept)} {have} {field} already; --overwrite suggests for them, too")


def store(sidecar: Sidecar, rows: Sequence[TagRow], field: str, is_confirmed: bool, is_checked: bool) -> None:
    """Write the suggestions that differ from what the tracks have, after asking unless `is_confirmed`.

    Raises UserError where nobody would be asked about suggestions that the tagged tracks do not confirm, so that they
    are not `is_checked`.
    """
    values = {row.item.id: [each.label for each in row.suggestions] for row in rows if row.item.id and row.suggestions}
    present = {row.item.id: stored_value(row.item, field) for row in rows}
    values = {item_id: labels for item_id, labels in values.items() if present[item_id] != field_value(field, labels)}
    if not values:
        ui.print_("nothing to write")
    elif is_confirmed and not is_checked:
        raise UserError(
            "resonance: tag --write --yes: your own genres do not confirm the suggestions (see the line above), so "
            "nothing was written; confirm by hand without --yes, or take a higher --confidence"
        )
    elif is_confirmed or confirm(f"Write {field} to {format_tracks(len(values))} in the library's database?"):
        count = write_tags(sidecar, field, values)
        ui.print_(f"{field} written to {format_tracks(count)}; `beet resonance tag --undo` restores what was there")


def print_restored(sidecar: Sidecar) -> None:
    """Undo the last write and print what came of it."""
    done = undo_tags(sidecar)
    ui.print_(f"{done.field} restored on {format_tracks(done.restored)}")
    for count, what in ((done.changed, "changed since, and left as they are"), (done.gone, "gone from the library")):
        if count:
            ui.print_(f"{format_tracks(count)} {what}")


def row_record(row: TagRow) -> dict[str, Any]:
    """Return a row as JSON."""
    suggestions = [
        {"genre": label, "confidence": round(confidence, 4), "neighbours": carriers}
        for label, confidence, carriers in row.suggestions
    ]
    return {**track_record(row.item), "suggestions": suggestions, "model": dict(row.model)}
