"""Disks that are small, full or not to be written to, in a mount namespace that ends with its process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INSIDE = "RESONANCE_FAULTS_INSIDE"
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
FILLER = "filler"
BLOCK = 4096


@cache
def allowed() -> bool:
    """Whether this system lets its users mount in a namespace of their own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True).returncode
        == 0
    )


def inside() -> bool:
    return INSIDE in os.environ


def go_inside(arguments: Sequence[str]) -> None:
    """Start this Python again with these arguments, in a namespace; returns only where that is not allowed."""
    if allowed() and not inside():
        command = [*UNSHARE, sys.executable, *arguments]
        os.execvpe(command[0], command, {**os.environ, INSIDE: "yes"})  # noqa: S606


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S607 - wherever it lies


def small(folder: Path, megabytes: int) -> None:
    """A disk of its own at a folder, empty."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)  # noqa: S607


def unmount_below(folder: Path) -> None:
    """Take all disks out of a folder, so that it can be deleted."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    for place in reversed(places):
        # Blanks in a path are written as numbers there.
        path = Path(place.replace(r"\040", " "))
        if path.is_relative_to(folder):
            unmount(path)


def fill(folder: Path) -> None:
    """Leave no room on the disk of a folder."""
    with suppress(OSError), (folder / FILLER).open("wb", buffering=0) as file:
        while True:
            file.write(bytes(BLOCK))


def is_full(folder: Path) -> bool:
    try:
        (folder / "probe").write_bytes(bytes(BLOCK))
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        (folder / "probe").unlink(missing_ok=True)
    return False


def protect(folder: Path) -> None:
    """Nothing below a folder can be written to."""
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,ro,bind", str(folder))
