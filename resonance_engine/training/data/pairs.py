"""`pairs.json`: which files belong together.

A list of lists of at least two paths each; files of one list are the same piece of music to the training, such as two
takes, a remaster or a cover:

    [["studio/a.flac", "live/a.flac"], ["b.mp3", "b (remix).mp3", "b (demo).mp3"]]

Relative paths start at `data.root` or, where that is not set, at the folder of the file itself. A path in several lists
joins them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError, printable
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM = '[["a.mp3", "live/a.mp3"], ["b.mp3", "c.mp3"]]'


def read_pairs(file: Path, root: str = "") -> list[list[Path]]:
    """Read the lists of a pairs file as absolute paths; raises ConfigError with the place in the file.

    Every path must be that of an existing file.
    """
    name = printable(file)
    folder = expand_home(root) if root else file.parent
    pairs = [parse_pair(entry, folder, f"{name}, list {number}") for number, entry in enumerate(read_lists(file), 1)]
    verify_present(pairs, name)
    return pairs


def read_lists(file: Path) -> list[object]:
    """Return the file's list of at least one entry."""
    name = printable(file)
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{name} is not there; set data.pairs_json to a file like {FORM}.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not valid JSON: {error}.") from error
    if not isinstance(document, list) or not document:
        raise ConfigError(f"{name} must be a list of lists of paths, such as {FORM}.")
    return document


def verify_present(pairs: Sequence[Sequence[Path]], name: str) -> None:
    """Raise ConfigError where a path in the file `name` is not that of an existing file."""
    missing = [(number, path) for number, pair in enumerate(pairs, 1) for path in pair if not is_file(path)]
    if missing:
        number, path = missing[0]
        others = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise ConfigError(
            f"{name}, list {number}: {printable(path)} is not there{others}; correct the path, or set data.root to the "
            "folder that paths start from."
        )


def is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - false, too, for a name that is too long


def parse_pair(entry: object, folder: Path, where: str) -> list[Path]:
    """Parse the paths of one list; `where` names it in the errors."""
    if not isinstance(entry, list):
        raise ConfigError(f"{where} must be a list of paths, not {json.dumps(entry)[:60]}; the form is {FORM}.")
    for number, path in enumerate(entry, 1):
        if not isinstance(path, str) or not path or "\0" in path:
            raise ConfigError(f"{where}: its path {number} must be a path, not {json.dumps(path)[:60]}.")
    paths = [Path(folder, expand_home(path)).absolute() for path in entry]
    files = {os.path.realpath(path): path for path in paths}
    if len(files) < 2:
        raise ConfigError(f"{where} must have at least two different files, not {len(files)}; the form is {FORM}.")
    return list(files.values())
