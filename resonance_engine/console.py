"""Terminal output of commands: lines in any encoding, progress bars, errors as one sentence, exit statuses."""

from __future__ import annotations

import argparse
import math
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from resonance_engine.errors import ResonanceError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


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


def progress_bar(total: int) -> Any:
    """Return a tqdm bar with rate and time left on standard error, which shows only on a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, unit=" tracks", disable=None, dynamic_ncols=True, smoothing=0.1)


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
