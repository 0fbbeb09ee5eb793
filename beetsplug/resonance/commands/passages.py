"""beet resonance compare, passages, analyze --passages: passages that two recordings have in common, or many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import exclusive_analysis
from beetsplug.resonance.commands.common import (
    align_columns,
    format_size,
    require_searchable,
    verify_output,
    write_output,
)
from beetsplug.resonance.library.dense import analyse_dense, estimate_dense, plan_dense, read_decoding
from beetsplug.resonance.library.items import matching_ids, no_match
from beetsplug.resonance.library.labels import label_item
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import format_estimate, format_tracks
from beetsplug.resonance.search.passages import find_side, find_track, load_dense, search_passages
from resonance_engine.audio.passage import format_time
from resonance_engine.console import progress_bar
from resonance_engine.errors import VIZ_EXTRA, ModelError, format_count, printable
from resonance_engine.files import expand_home
from resonance_engine.search.passages import find_passages

if TYPE_CHECKING:
    from pathlib import Path

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.dense import DensePlan
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.search.passages import MatchingPassage
    from resonance_engine.store import Model

MOST_HITS = 30
THOUSAND = 1_000
SEARCH_SECONDS = 0.006  # that a search takes for one track


def compare(sidecar: Sidecar, words: list[str], plot: str | None) -> None:
    """Print the similar passages of two files or tracks, and draw the matrix of their windows."""
    if len(words) != 2:
        raise UserError(f"resonance: compare takes two files or queries, each one argument, not {len(words)}")
    target = expand_home(plot) if plot is not None else None
    if target is not None:
        require_drawing(target)
    sides = [find_side(sidecar, word) for word in words]
    first, second = load_dense(sidecar, sidecar.model, sides)
    matches = find_passages(first, second)
    labels = [side.label for side in sides]
    if not matches:
        ui.print_(f"no passage of {labels[0]} is similar to one of {labels[1]}")
    for line in align_columns([format_passage(passage) for passage in matches]):
        ui.print_(line)
    if matches:
        ui.print_(f"similar passages of {labels[0]} (left) and {labels[1]} (right)")
    if target is not None:
        from resonance_engine.search.passage_plot import draw_matrix

        write_output(target, draw_matrix(first, second, matches, (labels[0], labels[1])))
        ui.print_(f"the matrix was written to {printable(target)}")


def require_drawing(target: Path) -> None:
    """Raise TargetError or UserError where no picture can be drawn into a file."""
    from resonance_engine.search.passage_plot import has_matplotlib

    verify_output(target, "compare --plot", (".png",))
    if not has_matplotlib():
        raise UserError(f"resonance: --plot draws with matplotlib: {VIZ_EXTRA}")


def format_passage(passage: MatchingPassage) -> tuple[str, ...]:
    """Return the cells of a line: score, times in both, similarity."""
    return f"{passage.score:.2f}", format_span(passage.first), format_span(passage.second), f"{passage.similarity:.2f}"


def format_span(span: tuple[float, float]) -> str:
    return f"{format_time(round(span[0]))}-{format_time(round(span[1]))}"


def passages(sidecar: Sidecar, query: list[str], log: BeetsLogger) -> None:
    """Print the passages of a track that are similar to some of other tracks, and how many could not be searched."""
    require_searchable(sidecar, log)
    if not query:
        raise UserError("resonance: passages takes a query for one track, for example `beet resonance passages id:1`")
    model = sidecar.model
    assert model is not None, "something is analysed"
    searched = find_track(sidecar, query, "passages")
    stored = sidecar.store.passages.stored(model.id)
    if not stored - {searched.key}:
        raise UserError("resonance: no other track has dense windows yet; run `beet resonance analyze --passages`")
    [windows] = load_dense(sidecar, model, [searched])
    with progress_bar(len(stored), SEARCH_SECONDS, leave=False) as bar:
        hits, count, short, pending = search_passages(sidecar, model, searched, windows, bar.update)
    rows = [(*format_passage(hit.passage), label_item(hit.item)) for hit in hits[:MOST_HITS]]
    for line in align_columns(rows) if rows else [f"no passage of {searched.label} is similar to one of another track"]:
        ui.print_(line)
    parts = [f"{format_tracks(count)} searched"]
    parts += [f"{format_count(len(hits) - MOST_HITS, 'weaker passage')} not shown"] if len(hits) > MOST_HITS else []
    parts += [f"{pending:,} not, without dense windows (`beet resonance analyze --passages`)"] if pending else []
    parts += [f"{short:,} too short"] if short else []
    ui.print_(", ".join(parts))


def analyze_passages(sidecar: Sidecar, query: list[str], threads: int | None, pretend: bool, log: BeetsLogger) -> None:
    """Say how long and how large, then compute and store the dense windows of all tracks, or of matching ones."""
    item_ids = matching_ids(sidecar.library, query)
    if not item_ids:
        raise no_match(sidecar.library, "resonance", query)
    require_searchable(sidecar, log)
    model = sidecar.model
    assert model is not None, "something is analysed"
    models = Models(sidecar)
    name = models.name_of(model.id) or models.wanted
    settings = sidecar.settings
    pool = sidecar.runtime.open_dense_pool(models.path(name), settings.workers(threads), settings.timeout)
    try:
        description = pool.description()
        if description.id != model.id:
            raise ModelError(f"The file of the model {model.name} was replaced; run `beet resonance analyze` first.")
        plan = plan_dense(sidecar, model, item_ids, read_decoding(description))
        ui.print_(describe_plan(sidecar, model, plan, threads))
        if pretend or not plan.paths:
            return
        with exclusive_analysis(sidecar, whole=False, log=log):
            pace = estimate_dense(sidecar, model, plan.windows / len(plan.paths), threads)[0]
            done, failed = analyse_dense(sidecar, model, pool, plan, pace, log)
        ui.print_(f"dense windows of {format_tracks(done)} stored" + (f", {failed:,} failed" if failed else ""))
        if not done:
            raise UserError("resonance: no track could be given dense windows")
    finally:
        pool.close()


def describe_plan(sidecar: Sidecar, model: Model, plan: DensePlan, threads: int | None) -> str:
    """Return what a dense analysis takes, also for 1,000 tracks, and what it leaves out, in one line."""
    left = [
        f"{count:,} {what}"
        for count, what in (
            (plan.known, "done already"),
            (plan.unanalysed, "not analysed yet"),
            (plan.failed, "left out that failed before"),
            (plan.missing, "without a file"),
            (plan.short, "too short"),
        )
        if count
    ]
    if not plan.paths:
        return ", ".join(["nothing to do", *left])
    seconds, size = estimate_dense(sidecar, model, plan.windows, threads)
    share = THOUSAND / len(plan.paths)
    each_thousand = f"{format_estimate(share * seconds)} and {format_size(round(share * size))} per 1,000 tracks"
    takes = f"about {format_estimate(seconds)} and {format_size(size)} ({each_thousand})"
    return ", ".join([f"dense windows of {format_tracks(len(plan.paths))}: {takes}", *left])
