"""What the commands share: errors as sentences, questions to the user, formats."""

from __future__ import annotations

import atexit
import functools
import gc
import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError
from beets.util.color import colorize

from beetsplug.resonance.errors import describe_error
from resonance_engine.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from optparse import Values
    from pathlib import Path

    from beets.library import Library
    from beets.logging import BeetsLogger
    from beets.util.color import ColorName

    from beetsplug.resonance.library.sidecar import Sidecar

SENTENCE_END = re.compile(r"[.?!] [A-Z]|\.\.$")  # before another sentence, or of an open range, such as year:1990..
OWN_MARKS = {
    ".png": b"Software\0Resonance",
    ".html": b'<meta name="generator" content="Resonance">',
    ".md": b"# Evaluation of the library",
    ".json": b'"model_id":',
}
MARKED_BYTES = 4096  # at the beginning, which hold the mark
INTERRUPTED = 130  # the exit status of a command that Ctrl-C ended
Command = Callable[["Library", Any, list[str]], None]
OpenSidecar = Callable[["Library"], "Sidecar"]


def user_errors(name: str) -> Callable[[Command], Command]:
    """Let a command raise errors that a user can fix as beets' UserError: one sentence, exit status 1.

    All have one form: the command's `name`, or what follows it of its options, a colon, a clause without a full stop.
    Where the reader of its output ended, as `head` does, it ends in silence, with the shell's status for that.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(lib: Library, opts: Any, args: list[str]) -> None:
            from resonance_engine import console
            from resonance_engine.errors import ResonanceError

            console.open_closed_streams()
            try:
                command(lib, opts, args)
                sys.stdout.flush()
            except UserError as error:
                raise UserError(format_error(name, str(error))) from error
            except (ResonanceError, OSError) as error:
                reason = console.settle_output()
                if isinstance(error, BrokenPipeError):
                    raise SystemExit(console.BROKEN_PIPE) from error
                if isinstance(error, OSError) and reason is not None:
                    raise UserError(format_error(name, str(console.OutputError(reason)))) from error
                raise UserError(format_error(name, describe_error(error))) from error
            except KeyboardInterrupt:  # of which beets makes a success
                atexit.register(gc.freeze)  # or Python looks for cycles among all that was loaded before it ends
                raise SystemExit(INTERRUPTED) from None

        return wrapped

    return decorate


def format_error(name: str, sentence: str) -> str:
    """Return a sentence in the form of the errors of a command, which some have already."""
    clause = sentence if SENTENCE_END.search(sentence) else sentence.removesuffix(".")
    return clause if clause.startswith((f"{name}: ", f"{name} -")) else f"{name}: {clause}"


def require_searchable(sidecar: Sidecar, log: BeetsLogger) -> None:
    """Log what is not analysed, and a wanted model that is not there; UserError where there is nothing to search."""
    from beetsplug.resonance.background.process_lock import is_analysing
    from beetsplug.resonance.library.models import describe_missing_model
    from beetsplug.resonance.library.sidecar import require_coverage

    require_coverage(sidecar, log, is_analysing(sidecar))
    if missing := describe_missing_model(sidecar):
        log.warning("{}", missing)


def is_interactive() -> bool:
    """Return whether there is a user to answer questions."""
    return sys.stdin.isatty()


def has_terminal() -> bool:
    """Return whether questions can be shown to a user and answered."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(question: str) -> bool:
    """Ask the user a question; an empty answer is no. Raises UserError where there is no input.

    Without a terminal the answer is read first, as from a pipe: an error shall not stand behind a question.
    """
    if is_interactive():
        return ui.input_options(("yes", "no"), prompt=f"{question} (y/N)", default="n") == "y"
    answer = sys.stdin.readline()
    if not answer:
        raise UserError(f"{question} Nobody is there to answer; --yes does")
    ui.print_(f"{question} (y/N)")
    return answer.strip().lower() in ("y", "yes")


def verify_output(path: Path, option: str, suffixes: Sequence[str]) -> None:
    """Raise as `verify_target`, also for a picture, page or report that Resonance did not write."""
    from resonance_engine.files import verify_target

    verify_target(path, option, suffixes, is_own_output, "picture, page or report of Resonance")


def is_own_output(path: Path) -> bool:
    """Whether a picture, page or report has the mark of Resonance."""
    with path.open("rb") as file:
        return OWN_MARKS[path.suffix.lower()] in file.read(MARKED_BYTES)


def write_output(target: Path, content: bytes) -> None:
    """Write the file that a command was given; UserError where that is impossible."""
    from resonance_engine.files import write_bytes

    try:
        write_bytes(target, content)
    except OSError as error:
        raise UserError(f"resonance: {printable(target)} cannot be written: {error.strerror}") from error


def join_words(words: Sequence[str], last: str) -> str:
    """Join words as in "a, b and c"; `last` is the word before the last one."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def align_columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows of a table as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def format_size(count: int) -> str:
    """Return a number of bytes such as 1.5 MB."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def given_template(opts: Values) -> str | None:
    """Return the format that the command line gives, "" for that of --path; None for neither."""
    template: str | None = opts.format
    return "" if template is None and opts.path else template


def choose_colours() -> Callable[[ColorName, str], str]:
    """Return what colours a text on a terminal, and leaves it plain in a pipe."""
    return colorize if sys.stdout.isatty() else lambda _, text: text


def format_time(seconds: float) -> str:
    """Return a time in seconds since the epoch as the local date and minute."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
