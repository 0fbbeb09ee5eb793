"""The name of a library in its store, by which it is told from the others there.

A store beside the library knows it by its file's name. In a shared store that name would be everybody's, so a library
gets the names of its machine and folder when it first comes into one, and keeps them in a small file beside it: neither
a move nor a renamed machine makes another library of it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from resonance_engine.files import write_bytes
from resonance_engine.records import has_type

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "resonance-library.json"


def name_library(library: Path, shared: bool) -> str:
    """Return the name of the library in a file: the one that it was given earlier, if any."""
    names = read_names(library.parent)
    own = text_of(library.name)
    if own in names:
        return names[own]
    if not shared:
        return own
    import socket  # every start of beets loads this module

    return f"{socket.gethostname()}:{text_of(str(library.absolute()))}"


def remember_name(library: Path, name: str) -> None:
    """Keep the name of a library beside it; where nothing can be written, it is made up anew each time."""
    names, own = read_names(library.parent), text_of(library.name)
    if names.get(own) != name:
        with suppress(OSError):
            write_bytes(library.with_name(FILE_NAME), json.dumps({**names, own: name}, indent=1).encode())


def read_names(folder: Path) -> dict[str, str]:
    """Return the names of the libraries in a folder by the names of their files; none where they cannot be read."""
    try:
        names = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return names if has_type(names, dict[str, str]) else {}


def text_of(name: str) -> str:
    """Return the name of a file as a text that every database takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
