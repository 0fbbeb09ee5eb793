"""The parser of `beet resonance`: the options of all verbs, and help and errors that are about one."""

from __future__ import annotations

from itertools import chain
from optparse import Option
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns
from beetsplug.resonance.commands.parser import CommandParser
from beetsplug.resonance.commands.verb_options import OPTIONS
from beetsplug.resonance.commands.verbs import GROUPS, PROGRAM, VERBS, Verb, example_of, find_verb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from optparse import HelpFormatter


def make_option(name: str) -> Option:
    """Return the option of a name, for a parser."""
    flags, how = OPTIONS[name]
    return Option(*flags, dest=name, **(how if len(how) > 1 else {"action": "store_true", "default": False, **how}))


def flag_of_option(name: str) -> str:
    """Return the flag of an option, such as --and."""
    return OPTIONS[name][0][-1]


class VerbParser(CommandParser):
    """The parser of `beet resonance`, with the options of all verbs; its help is that of the verb in the words."""

    def __init__(self) -> None:
        super().__init__(option_list=[make_option(name) for name in OPTIONS])

    def program(self) -> str:
        try:
            return f"{self.get_prog_name()} {find_verb(self.largs or ())}"
        except UserError:  # no verb stands before the mistake
            return self.get_prog_name()

    def flags(self) -> Iterator[str]:
        """Yield the flags of the verb that stands before the mistake; of all verbs where none does."""
        try:
            options = [make_option(name) for name in VERBS[find_verb(self.largs or ())].options]
        except UserError:
            return super().flags()
        return chain(["--help"], *(str(option).split("/") for option in options))

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        words = [*(self.largs or ()), *(word for word in self.rargs or () if not word.startswith("-"))]
        if not words:
            return format_overview(VERBS)
        if len(words) == 1 and words[0] in GROUPS:
            return format_overview(
                {name: verb for name, verb in VERBS.items() if name.split()[0] == words[0]}, words[0]
            )
        name = find_verb(words)
        verb = VERBS[name]
        usage = " ".join(filter(None, (PROGRAM, name, verb.arguments, "[options]" if verb.options else "")))
        parts = [usage, f"{verb.summary[0].upper()}{verb.summary[1:]}.", verb.details]
        parts += [f"Example: {PROGRAM} {example_of(name)}"]
        options = [make_option(option) for option in verb.options]
        return CommandParser("\n\n".join(filter(None, parts)), options).format_help(formatter)


def format_overview(verbs: dict[str, Verb], first: str = "") -> str:
    """Return the help on several verbs, a line each; `first` is the word that they begin with."""
    program = f"{PROGRAM} {first}".rstrip()
    rows = align_columns([(f"  {name}", verb.summary) for name, verb in verbs.items()])
    example = example_of(next(iter(verbs))) if first else "status"
    return "\n".join((
        f"Usage: {program} VERB [options]", "", *rows, "",
        f"`{program} VERB --help` shows the options of one, and an example.", "", f"Example: {PROGRAM} {example}", "",
    ))  # fmt: skip
