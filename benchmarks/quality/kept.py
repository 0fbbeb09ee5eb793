"""What systems heard, kept in a folder between runs: one file a system, never of another version of it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.quality.listening import Heard

PATHS, MADE_BY, FAILED, SECONDS = "paths", "made_by", "failed", "seconds/"
ARRAYS = "arrays/"


@dataclass
class Kept:
    """By a track's path: the arrays that a system keeps of it and the seconds of its steps, or why it failed."""

    made_by: str
    heard: dict[str, Heard] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def missing(self, path: str) -> bool:
        return path not in self.heard and path not in self.failed

    def pool(self, paths: Sequence[str]) -> tuple[list[int], dict[str, NDArray[np.generic]]]:
        """Which of these tracks were heard, by place, and their arrays (tracks, ...) by name."""
        known = [place for place, path in enumerate(paths) if path in self.heard]
        found = [self.heard[paths[place]].arrays for place in known]
        return known, {name: np.stack([each[name] for each in found]) for name in found[0]} if found else {}


def read(file: Path, made_by: str) -> Kept:
    """What the file keeps; nothing where it does not exist, cannot be read, or is of something else."""
    from benchmarks.quality.listening import Heard

    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as found:
            if str(found[MADE_BY]) != made_by:
                return Kept(made_by)
            arrays = {name.removeprefix(ARRAYS): found[name] for name in found if name.startswith(ARRAYS)}
            seconds = {name.removeprefix(SECONDS): found[name] for name in found if name.startswith(SECONDS)}
            heard = {
                str(path): Heard(
                    {name: values[row] for name, values in arrays.items()},
                    {step: float(values[row]) for step, values in seconds.items()},
                )
                for row, path in enumerate(found[PATHS])
            }
            return Kept(made_by, heard, {str(path): str(why) for path, why in found[FAILED]})
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return Kept(made_by)


def write(file: Path, kept: Kept) -> None:
    """Replace the file by what is kept."""
    columns: dict[str, NDArray[np.generic]] = {
        MADE_BY: np.array(kept.made_by),
        PATHS: np.array(list(kept.heard), np.str_),
        FAILED: np.array(list(kept.failed.items()), np.str_).reshape(-1, 2),
    }
    rows = list(kept.heard.values())
    if rows:
        columns |= {ARRAYS + name: np.stack([each.arrays[name] for each in rows]) for name in rows[0].arrays}
        columns |= {SECONDS + step: np.array([each.seconds[step] for each in rows]) for step in rows[0].seconds}
    buffer = io.BytesIO()
    np.savez(buffer, **columns)  # type: ignore[arg-type]  # its keywords are arrays, or whether to pickle
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, buffer.getvalue())
