"""Terminal output of commands: lines in any encoding, progress bars, errors as one sentence, exit statuses."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ResonanceError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def print_line(text: str) -> None:
    """Print a line to standard output; characters that its encoding lacks are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def complain(error: ResonanceError) -> None:
    sys.stderr.write(f"resonance: {error}\n")


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


def attempted(run: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run a command and return its exit status; an error that a user can fix is one line on standard error."""
    try:
        run(options)
    except ResonanceError as error:
        complain(error)
        return 1
    except OSError as error:  # a full disk, a folder that may not be written, a name that is too long
        complain(ResonanceError(f"{describe_os_error(error)}."))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("resonance: stopped; what was done is kept, run the command again to go on\n")
        return 130
    return 0
