"""beet resonance analyze | status | check: keep the library's sounds known, and see how that stands."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import duration, opened, remaining, seconds_per_track, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings
    from beetsplug.resonance.sidecar import Sidecar
    from beetsplug.resonance.sync import Plan

LAST_RUN_KEY = "last_analysis"


class MaintainOptions(Protocol):
    threads: int | None
    pretend: bool
    repair: bool


def command(settings: Settings, log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("resonance", help="analyse the library's sound, or say how far that is")
    made.parser.usage = (
        "%prog analyze [QUERY] [--threads N] [--pretend] | status | check [--repair]\n\n"
        "analyze  listen to every track that is new or has changed; can be stopped and run again\n"
        "status   how many tracks are analysed, with which model, and what failed\n"
        "check    look for damage in the collected data; --repair mends what it finds\n\n"
        "Example: beet resonance analyze --threads 2 albumartist:bach"
    )
    made.parser.add_option("--threads", type="int", metavar="N", help="analyse N files side by side")
    made.parser.add_option("--pretend", action="store_true", default=False, help="only say what would be done")
    made.parser.add_option("--repair", action="store_true", default=False, help="mend what check finds")
    verbs: dict[str, Callable[[Sidecar, MaintainOptions, list[str], BeetsLogger], None]] = {
        "analyze": analyze,
        "status": status,
        "check": check,
    }

    @spoken
    def resonance(lib: Library, opts: MaintainOptions, args: list[str]) -> None:
        if not args or args[0] not in verbs:
            given = f"not {args[0]!r}" if args else "for example `beet resonance analyze`"
            raise UserError(f"resonance: say analyze, status or check, {given}")
        if opts.threads is not None and not 1 <= opts.threads <= 64:
            raise UserError(f"resonance: --threads must be 1 to 64, not {opts.threads}")
        with opened(lib, settings) as sidecar:
            verbs[args[0]](sidecar, opts, args[1:], log)

    made.func = resonance
    return made


def analyze(sidecar: Sidecar, opts: MaintainOptions, query: list[str], log: BeetsLogger) -> None:
    from beetsplug.resonance.sync import forget, library_plan

    rows = sidecar.rows(query)
    if not rows:
        raise UserError(
            f"resonance: no track matches {' '.join(query)!r}"
            if query
            else "the library has no tracks; import some with `beet import PATH`"
        )
    with sidecar.ingest(opts.threads) as ingest:
        made = library_plan(sidecar, ingest.model.id, query)
        if opts.pretend:
            pretend(sidecar, made, opts.threads)
            return
        if made.gone and not forget(sidecar, made, len(rows)):
            log.warning(
                "{} analysed tracks are no longer in the library at once; they are kept. If you removed them, "
                "run `beet resonance check --repair`",
                len(made.gone),
            )
        started = time.monotonic()
        embedded, linked, errors = 0, 0, 0
        with progress(len(made.jobs)) as bar:
            for outcome in ingest.run(made.jobs):
                bar.update(1)
                if outcome.error is not None:
                    errors += 1
                    bar.clear()
                    log.warning("not analysed: {}", outcome.error)
                embedded += outcome.embedded
                linked += outcome.key is not None and not outcome.embedded
        if not query:
            sidecar.store.activate(ingest.model.id)
        sidecar.store.set_state(LAST_RUN_KEY, time.time())
    took = time.monotonic() - started
    parts = [f"{embedded:,} tracks analysed in {duration(took)}"]
    parts += [f"{linked:,} recognised"] if linked else []
    parts += [f"{errors:,} failed"] if errors else []
    parts += [f"{made.failed:,} that failed before and have not changed left out"] if made.failed else []
    parts += [f"{made.missing:,} files missing"] if made.missing else []
    ui.print_(", ".join(parts))
    if made.jobs and errors == len(made.jobs):
        raise UserError("resonance: nothing could be analysed; see the lines above")


def pretend(sidecar: Sidecar, made: Plan, threads: int | None) -> None:
    seconds = len(made.jobs) * seconds_per_track(sidecar) / sidecar.settings.workers(threads)
    for job in made.jobs:
        ui.print_(str(job.path))
    ui.print_(f"{len(made.jobs):,} tracks to analyse, about {duration(seconds)}; {len(made.gone):,} to forget")


def progress(total: int):  # type: ignore[no-untyped-def]
    """A bar with rate and time left on the terminal's error stream, and nothing where that is no terminal."""
    from tqdm import tqdm

    return tqdm(total=total, unit="track", disable=None, dynamic_ncols=True, smoothing=0.1)


def status(sidecar: Sidecar, opts: MaintainOptions, args: list[str], log: BeetsLogger) -> None:  # noqa: ARG001
    no_more(args)
    coverage = sidecar.coverage()
    model = sidecar.model
    lines = [
        ("tracks", f"{coverage.total:,}"),
        ("analysed", f"{coverage.embedded:,}"),
        ("not yet", f"{coverage.missing:,}"),
        ("failed", f"{coverage.failed:,}"),
        ("model", f"{model.name} {model.version} ({model.id})" if model else "none used yet"),
        ("database", f"{sidecar.path} ({size(sidecar.path.stat().st_size)})"),
    ]
    last = sidecar.store.state(LAST_RUN_KEY)
    if last is not None:
        lines.append(("last analysis", f"{datetime.fromtimestamp(last):%Y-%m-%d %H:%M}"))
    lines.append(("time per track", f"{seconds_per_track(sidecar):.2f} s"))
    for name, value in lines:
        ui.print_(f"{name + ':':<16}{value}")
    for failure in sidecar.store.failures(sidecar.id).values():
        from resonance_engine.errors import printable

        ui.print_(f"{'':<16}{printable(failure.path)}: {failure.reason}")
    if coverage.missing:
        ui.print_(remaining(sidecar, coverage))


def check(sidecar: Sidecar, opts: MaintainOptions, args: list[str], log: BeetsLogger) -> None:  # noqa: ARG001
    no_more(args)
    model = sidecar.model
    if model is None:
        ui.print_("nothing is analysed yet, so there is nothing to check")
        return
    from beetsplug.resonance.sync import library_plan

    made = library_plan(sidecar, model.id)
    problems = sidecar.store.check(model.id)
    if made.gone:
        problems.append(f"{len(made.gone):,} analysed tracks are no longer in the library")
    for problem in problems:
        ui.print_(problem)
    if opts.repair and problems:
        for done in sidecar.store.repair(model.id):
            ui.print_(done)
        sidecar.store.unlink(sidecar.id, made.gone)
        ui.print_("repaired; run `beet resonance analyze` for what has to be made again")
        return
    if problems:
        raise UserError(f"resonance: {len(problems)} problems found; `beet resonance check --repair` mends them")
    ui.print_(f"no problems; {len(made.jobs):,} tracks wait for `beet resonance analyze`")


def no_more(args: list[str]) -> None:
    if args:
        raise UserError(f"resonance: this takes no query, but got {' '.join(args)!r}")


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
