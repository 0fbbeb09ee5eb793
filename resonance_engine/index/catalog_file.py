"""The index of a catalog: a plain FAISS file, which other programs read, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import CatalogError, printable
from resonance_engine.files import write_bytes
from resonance_engine.index.backends import FaissScan
from resonance_engine.index.vector_index import VectorIndex

if TYPE_CHECKING:
    from pathlib import Path


def write_catalog_index(path: Path, index: VectorIndex) -> None:
    """Write an index atomically as a plain FAISS file, which `faiss.read_index` reads."""
    try:
        write_bytes(path, _plain_scan(index).to_bytes())
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be written: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be written: {error.strerror}.") from error


def read_catalog_index(path: Path) -> VectorIndex:
    """Read the index in a plain FAISS file with ids."""
    try:
        with path.open("rb") as file:
            scan = FaissScan.read(file)
        return VectorIndex(np.empty(0, np.int64), np.empty((0, scan.dimensions), np.float32), scan)
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be read: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogError(f"{printable(path)} is {error}; export the catalog again.") from error


def _plain_scan(index: VectorIndex) -> FaissScan:
    if isinstance(index.scan, FaissScan):
        return index.scan
    copy = FaissScan(index.dimensions)
    copy.add(index.ids, index.vectors(index.ids))
    return copy
