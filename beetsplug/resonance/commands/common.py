"""What the commands share: their errors, their view of the library, and how things are said."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError
from beets.util.color import colorize

if TYPE_CHECKING:
    from beets.library import Library
    from beets.logging import BeetsLogger
    from beets.util.color import ColorName

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Coverage, Sidecar

Command = Callable[["Library", Any, list[str]], None]
USUAL_SECONDS = 0.5  # for one track, before anything was measured
NO_TRACKS = "the library has no tracks; import some with `beet import PATH`"


def user_errors(command: Command) -> Command:
    """The command with the engine's errors as beets prints them: one sentence, exit status 1."""

    @functools.wraps(command)
    def wrapped(lib: Library, opts: Any, args: list[str]) -> None:
        from resonance_engine.errors import ResonanceError

        try:
            command(lib, opts, args)
        except ResonanceError as error:
            raise UserError(str(error)) from error

    return wrapped


@contextmanager
def opened(lib: Library, settings: Settings) -> Iterator[Sidecar]:
    from beetsplug.resonance.library.sidecar import Sidecar

    sidecar = Sidecar(lib, settings)
    try:
        yield sidecar
    finally:
        sidecar.close()


def announce_coverage(sidecar: Sidecar, log: BeetsLogger) -> Coverage:
    """Say in one line what is not analysed yet, if anything; raises UserError when there is nothing to search."""
    coverage = sidecar.coverage()
    if not coverage.total:
        raise UserError(NO_TRACKS)
    if not coverage.embedded:
        raise UserError(remaining(sidecar, coverage.total, 0, coverage.missing))
    if coverage.missing:
        log.info("{}", remaining(sidecar, coverage.total, coverage.embedded, coverage.missing))
    return coverage


def remaining(sidecar: Sidecar, total: int, analysed: int, missing: int) -> str:
    """How much is analysed, how long the rest takes about, and what to run."""
    if not missing:
        return "no track could be analysed; see `beet resonance status`"
    time = duration(missing * seconds_per_track(sidecar) / sidecar.settings.workers())
    if not analysed:
        none = "no track is" if total == 1 else f"none of {total:,} tracks is"
        return f"{none} analysed yet; run `beet resonance analyze` (about {time})"
    return f"{analysed:,} of {tracks(total)} analysed; run `beet resonance analyze` for {missing:,} more (about {time})"


def seconds_per_track(sidecar: Sidecar) -> float:
    from resonance_engine.ingest import SPEED_KEY

    return float((sidecar.exists and sidecar.store.state.get(SPEED_KEY, float)) or USUAL_SECONDS)


def interactive() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def confirmed(question: str) -> bool:
    """What the user answers; no, where nothing is typed. Raises UserError where there is nobody to ask."""
    return ui.input_options(("yes", "no"), prompt=f"{question} (y/N)", default="n") == "y"


def duration(seconds: float) -> str:
    """A span of time as people say it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count:,} tracks"


def coloured(name: ColorName, text: str) -> str:
    """Coloured for a terminal, plain for a pipe."""
    return colorize(name, text) if sys.stdout.isatty() else text
