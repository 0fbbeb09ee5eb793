"""Files that are either as they were or complete, whatever happens while they are written."""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from resonance_engine.errors import TargetError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LEFT_BEHIND = 3600.0  # seconds after which a file that was never put in its place is that of a writer that was killed


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step, as `replace_file` does."""
    with replace_file(path) as file:
        file.write(content)


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path`, in one step, where the `with` ends without an error.

    Raises OSError and leaves the old file where that is impossible. A symbolic link stays one, its target is replaced;
    the mode of the file stays. What writers of the same file that were killed have left beside it is removed.
    """
    target = Path(os.path.realpath(path))
    beginning = f".{target.name[:40]}."
    temporary = target.with_name(f"{beginning}{os.urandom(8).hex()}")
    mode = None
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(target.stat().st_mode)
    try:
        # Not `tempfile`, which makes files that only their owner can read.
        with temporary.open("x+b") as file:
            if mode is not None:
                with suppress(OSError):  # a file system that has no modes
                    os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):
        _sweep(target.parent, beginning)


def _sweep(folder: Path, beginning: str) -> None:
    """Remove the old ones of the temporary files whose names begin like this."""
    name = re.compile(re.escape(beginning) + "[0-9a-f]{16}")
    old = time.time() - LEFT_BEHIND
    with os.scandir(folder) as entries:
        left = [entry for entry in entries if name.fullmatch(entry.name)]
    for entry in left:
        if entry.stat(follow_symlinks=False).st_mtime < old:
            folder.joinpath(entry.name).unlink()


def verify_target(
    path: Path,
    option: str,
    suffixes: Sequence[str],
    is_replaceable: Callable[[Path], bool] = lambda _: True,
    kind: str = "",
) -> None:
    """Raise TargetError for a file that a command must not write; to be called before anything is computed for it.

    `option` is where the user named it. Its name has to end in one of `suffixes`: a shell that has no file name to pass
    on passes the first song. An existing file has to be a regular one and, by its content, `is_replaceable`: one of the
    `kind` that the command writes. Raises OSError where that cannot be read.
    """
    if path.suffix.lower() not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}" if len(suffixes) > 1 else suffixes[0]
        raise TargetError(f"{option} takes the name of a file that ends in {known}, not {str(path)!r}.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise TargetError(f"{option}: there is no folder {printable(folder)}.")
    if not path.exists():
        return
    if not path.is_file():
        raise TargetError(f"{option}: {printable(path)} is there already and is no file; name another one.")
    if not is_replaceable(path):
        raise TargetError(
            f"{option}: {printable(path)} is there already and is no {kind}; name another file, or delete it first."
        )


def expand_home(path: Path | str) -> Path:
    """Return the path with `~` and `~name` as homes; an unknown name stays as it is, as a shell leaves it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
