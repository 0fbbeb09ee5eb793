"""beet resonance VERB: analyse the library, show and check the result, choose, add or train a model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import user_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from optparse import Values

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.library.sidecar import Sidecar

# The options of each verb.
OPTIONS = {
    "analyze": ("threads", "pretend", "background"),
    "pause": (),
    "resume": (),
    "stop": (),
    "status": (),
    "failures": ("retry", "threads"),
    "check": ("repair",),
    "prune": ("pretend",),
    "train": ("minutes", "name", "threads", "yes"),
    "model list": (),
    "model add": ("name",),
    "model use": ("threads",),
    "model remove": ("yes",),
    "apart": ("other", "remove"),
    "write": ("fields", "pretend", "overwrite", "yes"),
}
NAMES = tuple(dict.fromkeys(name for names in OPTIONS.values() for name in names))
WHOLE = ("pause", "resume", "stop", "status", "check", "prune")  # verbs that are about the whole library
SPELT = {"other": "and"}  # an option whose name Python keeps for itself
VERBS = tuple(dict.fromkeys(verb.split()[0] for verb in OPTIONS))
MODEL_VERBS = tuple(verb.split()[1] for verb in OPTIONS if verb.startswith("model "))
MINUTES, FEWEST_MINUTES, MOST_MINUTES = 30.0, 1, 1440


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    subcommand = ui.Subcommand("resonance", help="analyse the library's sound, or say how far that is")
    subcommand.parser.usage = (
        "%prog analyze [QUERY] [--threads N] [--pretend | --background]"
        "\n       beet resonance pause | resume | stop"
        "\n       beet resonance status"
        "\n       beet resonance failures [QUERY] [--retry]"
        "\n       beet resonance check [--repair]"
        "\n       beet resonance prune [--pretend]"
        "\n       beet resonance train [QUERY] [--minutes M] [--name NAME] [--yes]"
        "\n       beet resonance model list | add FILE.onnx [--name NAME] | use NAME | remove NAME [--yes]"
        "\n       beet resonance apart [QUERY --and QUERY | --remove QUERY [--and QUERY]]"
        "\n       beet resonance write [QUERY] --fields NAME,... [--overwrite] [--pretend] [--yes]"
        "\n\nanalyze  analyse every track that is new or has changed; can be stopped and run again"
        "\n         with a QUERY, to the tracks that match, those that failed before too"
        "\n         --background does it in a process that goes on when the terminal is closed"
        "\npause    let the background rest, also after new imports, until `resume`; `stop` ends it"
        "\nstatus   how many tracks are analysed, with which model, and what failed"
        "\nfailures the files that could not be analysed, and why; --retry analyses them again"
        "\ncheck    look for damage in the collected data; --repair mends what it finds"
        "\nprune    drop what is stored of tracks that are in no library any more, and files left over"
        "\ntrain    fine-tune the shipped model on your music, and say whether that made it better;"
        "\n         with a QUERY, on the tracks that match"
        "\nmodel    list the models; add an ONNX network that FILE.yaml beside it describes; use"
        "\n         another one once it has analysed the library, or `default`, which comes with"
        "\n         Resonance; remove one that you trained or added"
        "\napart    no playlist has a track of QUERY and one of the other QUERY, whatever these match when it"
        "\n         is made; --remove undoes it, without words it lists the rules"
        "\nwrite    show, ask and copy what was measured into fields of beets' database: res_bpm, res_key,"
        "\n         res_energy, res_brightness, res_tags, and if you name them beets' own bpm and"
        "\n         initial_key, which `beet write` then puts into the files; for use without Resonance"
        "\n\nExample: beet resonance analyze --threads 2 albumartist:bach"
        "\nExample: beet resonance train --minutes 60"
        "\nExample: beet resonance apart artist:slayer --and 'genres:lullaby year:..1990'"
        "\nExample: beet resonance write --fields res_bpm,res_key added:2026-01.."
    )
    add = subcommand.parser.add_option
    add("--threads", type="int", metavar="N", help="analyze, failures, train, model use: analyse N files at once")
    add("--pretend", action="store_true", default=False, help="analyze, prune, write: only say what would be done")
    add("--background", action="store_true", default=False, help="analyze: in a process of its own")
    add("--retry", action="store_true", default=False, help="failures: analyse them again")
    add("--repair", action="store_true", default=False, help="check: mend what it finds")
    add("--minutes", type="float", metavar="M", help=f"train: how long it may take ({MINUTES:g})")
    add("--name", metavar="NAME", help="train, model add: what the new model is called")
    add("-y", "--yes", action="store_true", default=False, help="train, model remove, write: do it without asking")
    add("--and", dest="other", action="append", metavar="QUERY", help="apart: the other side, one argument")
    add("--remove", action="store_true", default=False, help="apart: they may be together again")
    add("--fields", metavar="NAMES", help="write: which fields, with commas between")
    add("--overwrite", action="store_true", default=False, help="write: replace what bpm and initial_key hold, too")

    @user_errors
    def resonance(lib: Library, opts: Values, args: list[str]) -> None:
        verb, rest = parse_verb(opts, args)
        with closing(open_sidecar(lib)) as sidecar:
            run(sidecar, verb, rest, opts, log)

    subcommand.func = resonance
    return subcommand


def run(sidecar: Sidecar, verb: str, rest: list[str], opts: Values, log: BeetsLogger) -> None:
    from beetsplug.resonance.commands import analyze, apart, check, model_add, models, status, train, write

    verbs: dict[str, Callable[[], None]] = {
        "analyze": lambda: analyze.analyze(sidecar, rest, opts.threads, opts.pretend, log),
        "analyze --background": lambda: status.start(sidecar),
        "pause": lambda: status.pause(sidecar),
        "resume": lambda: status.resume(sidecar),
        "stop": lambda: status.stop(sidecar),
        "status": lambda: status.status(sidecar),
        "failures": lambda: analyze.failures(sidecar, rest, opts.retry, opts.threads, log),
        "check": lambda: check.check(sidecar, opts.repair),
        "prune": lambda: check.prune(sidecar, opts.pretend),
        "train": lambda: train.train(sidecar, rest, opts.minutes or MINUTES, opts, log),
        "model list": lambda: models.list_models(sidecar),
        "model add": lambda: model_add.add_model(sidecar, rest[0], opts.name, log),
        "model use": lambda: models.use_model(sidecar, rest[0], opts.threads, log),
        "model remove": lambda: models.remove_model(sidecar, rest[0], opts.yes),
        "apart": lambda: apart.edit_apart(sidecar, rest, opts.other or [], opts.remove, log),
        "write": lambda: write.write(sidecar, rest, opts, log),
    }
    verbs[f"{verb} --background" if opts.background else verb]()


def parse_verb(opts: Values, args: list[str]) -> tuple[str, list[str]]:
    """Return the verb and the words after it; UserError where words or options make no sense together."""
    if not args or args[0] not in VERBS:
        given = f"not {args[0]!r}" if args else "for example `beet resonance status`"
        raise UserError(f"resonance: say {join_words(VERBS, 'or')}, {given}")
    verb, rest = parse_model_verb(args[1:]) if args[0] == "model" else (args[0], args[1:])
    for name in NAMES:
        if getattr(opts, name) and name not in OPTIONS[verb]:
            owners = join_words([owner for owner, names in OPTIONS.items() if name in names], "and")
            raise UserError(f"resonance: --{SPELT.get(name, name)} belongs to {owners}, not to {verb}")
    verify_background(opts, rest)
    if rest and verb in WHOLE:
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
        for given, name in ((opts.pretend, "--pretend"), (opts.threads, "--threads"), (query, "a query")):
            if given:
                raise UserError(
                    f"resonance: --background analyses all that is new, as the configuration says, without {name}"
                )


def parse_model_verb(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb with `model` in front, such as `model use`, and the model's name, if it takes one."""
    if not words or words[0] not in MODEL_VERBS:
        given = f"not {words[0]!r}" if words else "for example `beet resonance model list`"
        raise UserError(f"resonance: model takes {join_words(MODEL_VERBS, 'or')}, {given}")
    verb, rest = words[0], words[1:]
    if verb == "list" and rest:
        raise UserError(f"resonance: model list shows all models and takes no name, not {' '.join(rest)!r}")
    if verb == "add" and len(rest) != 1:
        given = f"not {len(rest)}" if rest else "for example `beet resonance model add network.onnx`"
        raise UserError(f"resonance: model add takes one file, {given}")
    if verb != "list" and len(rest) != 1:
        given = f"not {len(rest)}" if rest else f"for example `beet resonance model {verb} own`"
        raise UserError(f"resonance: model {verb} takes one name, {given}; `beet resonance model list` shows them")
    return f"model {verb}", rest


def join_words(words: Sequence[str], last: str) -> str:
    """Join words as in "a, b and c"; `last` is the word before the last one."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]
