"""Terminal output of commands: lines in any encoding, progress, errors as one sentence, exit statuses."""

from __future__ import annotations

import argparse
import math
import os
import sys
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn, TextIO
from unicodedata import combining, east_asian_width

from resonance_engine.errors import ResonanceError, describe_missing_package, describe_os_error, neutralise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
COLUMNS = 80  # of a terminal that does not tell its width
PRIOR_COUNT = 8  # that the expected pace counts for, against the measured one
CLEAR_LINE = "\r\x1b[K"
BAR_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {pace}]"


class OutputError(ResonanceError):
    """Standard output takes no more, for the `reason`."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"standard output cannot be written: {reason.strerror}")
        self.reason = reason


def print_line(text: str) -> None:
    """Print a line to standard output; characters that its encoding lacks are escaped. Raises OutputError."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    except OSError as error:
        raise OutputError(error) from error


def complain(error: ResonanceError) -> None:
    write_error(str(error))


def write_error(text: str) -> None:
    """Write a line to standard error; where nothing takes it, the work goes on all the same."""
    try:
        sys.stderr.write(f"resonance: {text}\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


class StatusLine:
    """A line that is replaced in place, on a stream that is a terminal; on any other, nothing is written."""

    def __init__(self, stream: TextIO, enabled: bool = True) -> None:
        self.stream, self.shown = stream, ""
        self.enabled = enabled and stream.isatty()
        self.lock = Lock()

    def show(self, text: str) -> None:
        """Replace the line by a text, cut to the width of the terminal."""
        with self.lock:
            if self.enabled and text != self.shown:
                encoding = self.stream.encoding or "utf-8"
                visible = fit_columns(text, terminal_columns(self.stream) - 1)
                self.write(CLEAR_LINE + visible.encode(encoding, "replace").decode(encoding))
                self.shown = text

    def clear(self) -> None:
        """Remove the line, before anything else is written."""
        with self.lock:
            if self.shown:
                self.write(CLEAR_LINE)
                self.shown = ""

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:  # the terminal was closed; what is shown on it matters to nobody
            self.enabled = False


def terminal_columns(stream: TextIO) -> int:
    """Return the width of a terminal in columns."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except OSError:
        return COLUMNS


def fit_columns(text: str, columns: int) -> str:
    """Return a text without control characters, and no wider than `columns`: an ellipsis ends one that is cut."""
    text = neutralise(text)
    if sum(map(character_columns, text)) <= columns:
        return text
    width, end = 1, 0  # of the ellipsis
    for end, character in enumerate(text):  # noqa: B007 - the place where the text is cut
        width += character_columns(character)
        if width > columns:
            break
    return text[:end] + "…"


def character_columns(character: str) -> int:
    """Return the columns that a character takes on a terminal."""
    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def progress_bar(total: int | None, expected: float | None = None, unit: str = "track", **options: Any) -> Any:
    """Return a tqdm bar with pace and time left on standard error, which shows only on a terminal.

    The time left begins from the `expected` seconds for one, and follows what is measured. Of nothing, none shows.
    """
    return bar_class()(
        expected,
        **{
            "total": total,
            "unit": unit,
            "disable": None if total != 0 else True,
            "dynamic_ncols": True,
            "bar_format": BAR_FORMAT,
            **options,
        },
    )


@cache  # for each class, tqdm starts a thread that watches its bars and never ends
def bar_class() -> Any:
    """Return the class of all progress bars; it loads tqdm."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, expected: float | None, **options: Any) -> None:
            self.expected = expected
            super().__init__(**options)

        @property
        def format_dict(self) -> dict[str, Any]:
            values = super().format_dict
            elapsed, done, left = values["elapsed"], values["n"] - values["initial"], "?"
            if values["total"] is not None and (done or self.expected is not None):
                pace = elapsed / done if self.expected is None else blend_pace(self.expected, elapsed, done)
                left = tqdm.format_interval(math.ceil(pace * max(0, values["total"] - values["n"])))
            return {**values, "left": left, "pace": format_pace(elapsed / done if done else None, values["unit"])}

    return Bar


@contextmanager
def above_bars() -> Iterator[None]:
    """Take all progress bars off the terminal while a `with` lasts, for other lines."""
    with bar_class().external_write_mode():
        yield


def blend_pace(expected: float, elapsed: float, done: int) -> float:
    """Return the seconds that one takes: the expected ones count as much as `PRIOR_COUNT` measured ones."""
    return (PRIOR_COUNT * expected + elapsed) / (PRIOR_COUNT + done)


def format_pace(seconds: float | None, unit: str) -> str:
    """Return the seconds that one takes as such, or as the number per second where that is above one."""
    if seconds is None:
        return f"? {unit}s/s"
    return f"{seconds:.1f} s/{unit}" if seconds > 1 else f"{1 / max(seconds, 1e-3):.1f} {unit}s/s"


class SentenceParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, where argparse prints the usage first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` lists the options\n")


def use_dashes(arguments: Iterable[str]) -> list[str]:
    """Write the names of long options with dashes, --cache_dir as --cache-dir."""
    named = (argument.partition("=") for argument in arguments)
    return ["".join((name.replace("_", "-") if name.startswith("--") else name, *rest)) for name, *rest in named]


def positive(text: str) -> int:
    """Parse a whole number of at least 1, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return number


def duration(text: str) -> float:
    """Parse a number of minutes above 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of minutes above 0, not {text}")
    return number


def report_errors(run: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run a command and return its exit status; an error that a user can fix is one line on standard error."""
    try:
        run(options)
    except OutputError:
        raise
    except ResonanceError as error:
        complain(error)
        return 1
    except OSError as error:  # a full disk, a folder that may not be written, a name that is too long
        complain(ResonanceError(f"{describe_os_error(error)}."))
        return 1
    except ModuleNotFoundError as error:
        sentence = describe_missing_package(error)
        if not sentence:
            raise
        complain(ResonanceError(sentence))
        return 1
    except KeyboardInterrupt:
        write_error("stopped; what was done is kept, run the command again to go on")
        return 130
    return 0


def guard_output(run: Callable[[], int]) -> int:
    """Run what prints and return its exit status, by the shell's convention where the output ends early.

    Nobody misses what a closed stream or a pipe without a reader would have taken; a full disk is one line.
    """
    open_closed_streams()
    try:
        try:
            return run()
        finally:
            if (reason := settle_output()) is not None:
                raise OutputError(reason) from reason
    except OutputError as error:
        if isinstance(error.reason, BrokenPipeError):
            return BROKEN_PIPE
        complain(error)
        return 1


def settle_output() -> OSError | None:
    """Write what is left for standard output; where that is impossible, return why and let it lead nowhere."""
    try:
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        return error
    return None


def discard(stream: TextIO) -> None:
    """Let a stream lead nowhere: when Python ends it writes what is left in the buffer, and complains otherwise."""
    with suppress(OSError, ValueError):  # one that is no file
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


def open_closed_streams() -> None:
    """Open the null device as each standard stream that is closed, so that no other file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 # until the end
