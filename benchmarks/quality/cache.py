"""Results of systems, cached in a folder between runs: a file per track, never of another version of a system."""

from __future__ import annotations

import hashlib
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

    from benchmarks.quality.systems import Arrays

FAILURE = "failure"


@dataclass
class CorpusEmbeddings:
    """A system's arrays by a track's path, and the error of each track that it failed on."""

    arrays: dict[str, Arrays] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def stack(self, paths: Sequence[str]) -> tuple[list[int], dict[str, NDArray[np.generic]]]:
        """Return which of these tracks have arrays, by place, and their arrays (tracks, ...) by name."""
        known = [place for place, path in enumerate(paths) if path in self.arrays]
        rows = [self.arrays[paths[place]] for place in known]
        return known, {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}


class EmbeddingCache:
    """The cached results of one version of a system: arrays, or the error, of each track."""

    def __init__(self, folder: Path, name: str, version: str) -> None:
        self.folder = folder / f"{name}-{digest(version)}"

    def load(self, path: str) -> Arrays | str | None:
        """Return the result for a track; None where there is none, or no readable one."""
        try:
            with np.load(io.BytesIO(self.file(path).read_bytes()), allow_pickle=False) as arrays:
                return str(arrays[FAILURE]) if FAILURE in arrays else dict(arrays)
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def save(self, path: str, result: Arrays | str) -> None:
        arrays = {FAILURE: np.array(result)} if isinstance(result, str) else result
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self.file(path), buffer.getvalue())

    def file(self, path: str) -> Path:
        return self.folder / f"{digest(path)}.npz"


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
