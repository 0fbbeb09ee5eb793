"""beet resonance VERB: analyse the library, show and check the result, choose, add or train a model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.cluster import open_cluster, verify_scheduler
from beetsplug.resonance.commands.common import join_words, user_errors
from beetsplug.resonance.commands.verb_options import MINUTES, OPTIONS
from beetsplug.resonance.commands.verb_parser import VerbParser, flag_of_option
from beetsplug.resonance.commands.verbs import VERBS, find_verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from optparse import Values

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.library.sidecar import Sidecar

FEWEST_MINUTES, MOST_MINUTES = 1, 1440


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    subcommand = ui.Subcommand("resonance", VerbParser(), "analyse the library's sound, or say how far that is")

    @user_errors("resonance")
    def resonance(lib: Library, opts: Values, args: list[str]) -> None:
        verb, rest = parse_verb(opts, args)
        with closing(open_sidecar(lib)) as sidecar, open_cluster(sidecar, opts, log) as threads:
            opts.threads = threads
            run(sidecar, verb, rest, opts, log)

    subcommand.func = resonance
    return subcommand


def run(sidecar: Sidecar, verb: str, rest: list[str], opts: Values, log: BeetsLogger) -> None:
    from beetsplug.resonance.commands import (
        analyze,
        apart,
        check,
        draw_map,
        duplicates,
        evaluate,
        model_add,
        models,
        outliers,
        passages,
        serve,
        shared,
        status,
        tag,
        taste,
        teach,
        train,
        vectors,
        write,
    )

    verbs: dict[str, Callable[[], None]] = {
        "analyze": lambda: analyze.analyze(sidecar, rest, opts.threads, opts.pretend, log),
        "analyze --background": lambda: status.start(sidecar),
        "analyze --passages": lambda: passages.analyze_passages(sidecar, rest, opts.threads, opts.pretend, log),
        "pause": lambda: status.pause(sidecar),
        "resume": lambda: status.resume(sidecar),
        "stop": lambda: status.stop(sidecar),
        "status": lambda: status.status(sidecar),
        "failures": lambda: analyze.failures(sidecar, rest, opts.retry, opts.threads, log),
        "check": lambda: check.check(sidecar, opts.repair),
        "sidecar copy": lambda: shared.copy_sidecar(sidecar, rest[0]),
        "sidecar index": lambda: shared.index_sidecar(sidecar),
        "prune": lambda: check.prune(sidecar, opts.pretend),
        "eval": lambda: evaluate.evaluate(sidecar, rest, opts, log),
        "map": lambda: draw_map.draw_map(sidecar, rest, opts, log),
        "train": lambda: train.train(sidecar, rest, opts.minutes or MINUTES, opts, log),
        "train from lists": lambda: taste.train_taste(sidecar, rest, opts, log),
        "teach": lambda: teach.teach(sidecar, opts, log),
        "model list": lambda: models.list_models(sidecar),
        "model add": lambda: model_add.add_model(sidecar, rest[0], opts.name, log),
        "model use": lambda: models.use_model(sidecar, rest[0], opts.threads, log),
        "model remove": lambda: models.remove_model(sidecar, rest[0], opts.yes),
        "vectors export": lambda: vectors.export_vectors(sidecar, rest, log),
        "vectors import": lambda: vectors.import_vectors(sidecar, rest[0], log),
        "compare": lambda: passages.compare(sidecar, rest, opts.plot),
        "passages": lambda: passages.passages(sidecar, rest, log),
        "apart": lambda: apart.edit_apart(sidecar, rest, opts.other or [], opts.remove, log),
        "duplicates": lambda: duplicates.list_duplicates(sidecar, rest, opts, log),
        "write": lambda: write.write(sidecar, rest, opts, log),
        "serve": lambda: serve.serve(sidecar, opts),
        "tag": lambda: tag.tag(sidecar, rest, opts, log),
        "outliers": lambda: outliers.outliers(sidecar, rest, opts, log),
    }
    of_lists = opts.from_playlists or opts.plays or opts.ratings
    way = " --background" if opts.background else " --passages" if opts.passages else " from lists" if of_lists else ""
    verbs[verb + way]()


def parse_verb(opts: Values, args: list[str]) -> tuple[str, list[str]]:
    """Return the verb and the words after it; UserError where words or options make no sense together."""
    verb = find_verb(args)
    rest = args[len(verb.split()) :]
    verify_model_arguments(verb, rest)
    for name in OPTIONS:
        if getattr(opts, name) not in (None, False) and name not in VERBS[verb].options:
            owners = join_words([owner for owner, each in VERBS.items() if name in each.options], "and")
            raise UserError(f"resonance: {flag_of_option(name)} belongs to {owners}, not to {verb}")
    verify_background(opts, rest)
    verify_scheduler(opts)
    if rest and VERBS[verb].is_whole:
        raise UserError(f"resonance: {verb} is about the whole library and takes no query, not {' '.join(rest)!r}")
    if opts.threads is not None and not 1 <= opts.threads <= 64:
        raise UserError(f"resonance: --threads must be 1 to 64, not {opts.threads}")
    if opts.minutes is not None and not FEWEST_MINUTES <= opts.minutes <= MOST_MINUTES:
        raise UserError(
            f"resonance: --minutes must be {FEWEST_MINUTES} to {MOST_MINUTES:,} (a day), not {opts.minutes:g}"
        )
    return verb, rest


def verify_background(opts: Values, query: list[str]) -> None:
    """Raise UserError where --background comes with an option of the foreground."""
    if opts.background:
        for given, name in (
            (opts.pretend, "--pretend"),
            (opts.threads, "--threads"),
            (query, "a query"),
            (opts.passages, "--passages"),
        ):
            if given:
                raise UserError(
                    f"resonance: --background analyses all that is new, as the configuration says, without {name}"
                )


def verify_model_arguments(verb: str, words: list[str]) -> None:
    """Raise UserError for other than one name, or one file, after a verb that takes that; after `model list`, none."""
    if verb == "model list" and words:
        raise UserError(f"resonance: model list shows all models and takes no name, not {' '.join(words)!r}")
    noun, example = VERBS[verb].noun or ("", "")
    if example and len(words) != 1:
        given = f"not {len(words)}" if words else f"for example `beet resonance {verb} {example}`"
        remedy = "; `beet resonance model list` shows them" if noun == "name" else ""
        raise UserError(f"resonance: {verb} takes one {noun}, {given}{remedy}")
