"""beet resonance analyze | status | check: keep the library's sounds known, and see how that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import opened, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings

OPTIONS = {"analyze": ("threads", "pretend"), "status": (), "check": ("repair",)}


class ResonanceOptions(Protocol):
    threads: int | None
    pretend: bool
    repair: bool


def command(settings: Callable[[], Settings], log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("resonance", help="analyse the library's sound, or say how far that is")
    made.parser.usage = (
        "%prog analyze [QUERY] [--threads N] [--pretend]"
        "\n       beet resonance status"
        "\n       beet resonance check [--repair]"
        "\n\nanalyze  listen to every track that is new or has changed; can be stopped and run again"
        "\n         with a QUERY, to the tracks that match, those that failed before too"
        "\nstatus   how many tracks are analysed, with which model, and what failed"
        "\ncheck    look for damage in the collected data; --repair mends what it finds"
        "\n\nExample: beet resonance analyze --threads 2 albumartist:bach"
    )
    made.parser.add_option("--threads", type="int", metavar="N", help="analyze: listen to N files side by side")
    made.parser.add_option("--pretend", action="store_true", default=False, help="analyze: only say what would be done")
    made.parser.add_option("--repair", action="store_true", default=False, help="check: mend what it finds")

    @spoken
    def resonance(lib: Library, opts: ResonanceOptions, args: list[str]) -> None:
        verb, rest = verified(opts, args)
        with opened(lib, settings()) as sidecar:
            if verb == "analyze":
                from beetsplug.resonance.commands.analyze import analyze

                analyze(sidecar, rest, opts.threads, opts.pretend, log)
            elif verb == "status":
                from beetsplug.resonance.commands.health import status

                status(sidecar)
            else:
                from beetsplug.resonance.commands.health import check

                check(sidecar, opts.repair)

    made.func = resonance
    return made


def verified(opts: ResonanceOptions, args: list[str]) -> tuple[str, list[str]]:
    """The verb and what follows it; UserError where the words or options make no sense together."""
    if not args or args[0] not in OPTIONS:
        given = f"not {args[0]!r}" if args else "for example `beet resonance status`"
        raise UserError(f"resonance: say analyze, status or check, {given}")
    verb, rest = args[0], args[1:]
    for owner, names in OPTIONS.items():
        for name in names:
            if owner != verb and getattr(opts, name):
                raise UserError(f"resonance: --{name} belongs to {owner}, not to {verb}")
    if rest and verb != "analyze":
        raise UserError(f"resonance: {verb} is about the whole library and takes no query, not {' '.join(rest)!r}")
    if opts.threads is not None and not 1 <= opts.threads <= 64:
        raise UserError(f"resonance: --threads must be 1 to 64, not {opts.threads}")
    return verb, rest
