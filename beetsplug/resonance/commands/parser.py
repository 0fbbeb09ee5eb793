"""An option parser whose errors have beets' own form: one sentence, which names --help."""

from __future__ import annotations

import sys
from optparse import AmbiguousOptionError, BadOptionError
from typing import TYPE_CHECKING, NoReturn

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import join_words
from resonance_engine.suggestions import nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from optparse import OptionGroup, OptionParser


def suggest_flag(flag: str, known: Iterable[str]) -> str:
    """Return a hint on an unknown option: the known one whose name is nearest; the dashes of both do not count."""
    names = {each.lstrip("-"): each for each in known}
    nearest = nearest_names(flag.lstrip("-"), names)
    return f"did you mean {names[nearest[0]]}?" if nearest else ""


class CommandParser(ui.CommonOptionsParser):
    """Parses the options of a command; a mistake raises UserError, where optparse prints all of the help first."""

    def error(self, msg: str) -> NoReturn:
        help_hint = f"`{self.program()} --help` lists the options"
        cause = sys.exception()
        if isinstance(cause, AmbiguousOptionError):
            clause = f"{cause.opt_str} may be {join_words([*cause.possibilities], 'or')};"
        elif isinstance(cause, BadOptionError):
            clause = f"there is no option {cause.opt_str}; {suggest_flag(cause.opt_str, self.flags())}".rstrip()
        else:
            clause = f"{msg};"
        raise UserError(f"{self.get_prog_name().split()[-1]}: {clause} {help_hint}")

    def program(self) -> str:
        """Return the words whose help is about what was mistaken, such as "beet similar"."""
        return self.get_prog_name()

    def flags(self) -> Iterator[str]:
        """Yield the flags of all options, such as -n and --count."""
        containers: list[OptionParser | OptionGroup] = [self, *self.option_groups]
        for container in containers:
            for option in container.option_list:
                yield from str(option).split("/")
