"""How much of a library is analysed, and how long the rest takes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.library.item_query import NO_TRACKS

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Coverage, Sidecar

USUAL_SECONDS = 0.5  # for one track, before anything was measured


def require_coverage(sidecar: Sidecar, log: BeetsLogger) -> Coverage:
    """Return the coverage, and log a line on what is missing; raises UserError when there is nothing to search."""
    coverage = sidecar.coverage()
    if not coverage.total:
        raise UserError(NO_TRACKS)
    if not coverage.embedded:
        raise UserError(describe_coverage(sidecar, coverage))
    if coverage.missing:
        log.info("{}", describe_coverage(sidecar, coverage))
    return coverage


def describe_coverage(sidecar: Sidecar, coverage: Coverage) -> str:
    """Return a clause on how much is analysed, how long the rest takes, and the command for it."""
    total, analysed, missing = coverage.total, coverage.embedded, coverage.missing
    if not missing:
        return "no track could be analysed; see `beet resonance status`"
    time = format_duration(estimate_seconds(sidecar, missing))
    if not analysed:
        none = "no track is" if total == 1 else f"none of {total:,} tracks is"
        return f"{none} analysed yet; run `beet resonance analyze` (about {time})"
    analyse_rest = f"run `beet resonance analyze` for {missing:,} more (about {time})"
    return f"{analysed:,} of {format_tracks(total)} analysed; {analyse_rest}"


def estimate_seconds(sidecar: Sidecar, count: int, threads: int | None = None) -> float:
    """Return about how long it takes to analyse `count` tracks, by the mean of those before."""
    from resonance_engine.ingest import SPEED_KEY

    seconds = (sidecar.exists and sidecar.store.state.get(SPEED_KEY, float)) or USUAL_SECONDS
    return float(count * seconds / sidecar.settings.workers(threads))


def format_duration(seconds: float) -> str:
    """Return a span of time such as 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def format_tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count:,} tracks"
