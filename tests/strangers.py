"""Another user, who may read what a test wrote and change nothing."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGER = 65534
"""The user id where root runs the tests; others take the right to write from themselves."""


@contextmanager
def as_stranger(folder: Path, *unreadable: Path) -> Iterator[None]:
    """Be a user who may write nothing in a folder, nor read some of its files."""
    files = [path for path in folder.iterdir() if path.is_file()]
    for path in files:
        path.chmod(0 if path in unreadable else 0o444)
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(STRANGER)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        for path in files:
            path.chmod(0o644)
