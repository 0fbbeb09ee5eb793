"""The index of a model's embeddings, and the files in which indexes survive between commands.

An index is a copy of what the store holds. Its file says at which generation of the store it was made;
whatever is wrong with the file, the index is made again from the store.
"""

from __future__ import annotations

import json
import logging
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.atomic import write_bytes
from resonance_engine.errors import CatalogError, printable
from resonance_engine.scan import FaissScan
from resonance_engine.vector_index import VectorIndex

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.store import Store

__all__ = [
    "VectorIndex",
    "apply_changes",
    "index_path",
    "load_index",
    "open_index",
    "read_catalog_index",
    "save_index",
    "write_catalog_index",
]

log = logging.getLogger(__name__)

MAGIC = b"resonance index 1"
HEADER_LIMIT = 4096
# The file is written again when more rows than both of these changed; fewer are applied at each opening.
REWRITE_ROWS = 64
REWRITE_SHARE = 0.05


def open_index(store: Store, model_id: str, folder: Path) -> VectorIndex:
    """The index over a model's embeddings as the store has them now, by way of a file in `folder`.

    The file is made, or made again, when it is missing, unusable or many changes behind; a folder that can't
    be written to only costs time. Raises StoreError when the store can't be used or doesn't know the model.
    """
    path = index_path(folder, model_id)
    cached = load_index(path, model_id)
    with store.read():
        generation = store.generation
        changed = apply_changes(store, model_id, *cached) if cached else None
        if cached and changed is not None:
            index, stale = cached[0], changed > max(REWRITE_ROWS, REWRITE_SHARE * len(cached[0]))
        else:
            index = VectorIndex(*store.matrix(model_id))
            stale = len(index) > 0
    if stale:
        try:
            save_index(path, index, model_id, generation)
        except OSError as error:
            log.debug("the index %s isn't kept: %s", printable(path), error)
    return index


def apply_changes(store: Store, model_id: str, index: VectorIndex, generation: int) -> int | None:
    """Bring an index of an earlier generation up to the store's, and say how many vectors that concerned.

    None when the index isn't an earlier state of the store, as after one was restored from a backup; the
    index is of no use then.
    """
    if generation > store.generation:
        return None
    changes = store.changes(model_id, generation)
    if index.dimensions != changes.added_vectors.shape[1]:
        return None
    index.remove(changes.removed_ids)
    index.add(changes.added_ids, changes.added_vectors)
    return len(changes) if len(index) == store.vector_count(model_id) else None


def index_path(folder: Path, model_id: str) -> Path:
    """Where the index of a model is kept."""
    return folder / f"resonance-{model_id}.index"


def load_index(path: Path, model_id: str) -> tuple[VectorIndex, int] | None:
    """The index in a file and the generation that it was made at.

    None when the file isn't there, isn't sound or is of another model, and where FAISS can't be loaded.
    """
    try:
        content = memoryview(path.read_bytes())
        start, header = _header(content)
        payload = content[start:]
        if header["model"] != model_id:
            raise ValueError(f"it is of the model {header['model']}")
        if header["checksum"] != zlib.crc32(payload):
            raise ValueError("its content is damaged")
        index = _over(FaissScan.from_bytes(payload))
        return index, int(header["generation"])
    except FileNotFoundError:
        return None
    except Exception as error:  # Whatever is in the file, and however FAISS fails, the store has the vectors.
        log.debug("the index %s can't be used: %s", printable(path), error)
        return None


def save_index(path: Path, index: VectorIndex, model_id: str, generation: int) -> None:
    """Write an index made at a generation of the store, in one step; OSError where that is impossible.

    Does nothing where FAISS can't be loaded: there, reading the store is as fast as reading a file.
    """
    try:
        payload = _scan(index).to_bytes()
    except ImportError:
        return
    header = {"model": model_id, "generation": generation, "checksum": zlib.crc32(payload)}
    write_bytes(path, b"\n".join((MAGIC, json.dumps(header).encode(), payload)))


def write_catalog_index(path: Path, index: VectorIndex) -> None:
    """Write an index as a plain FAISS file, `faiss.read_index` reads it, in one step."""
    try:
        write_bytes(path, _scan(index).to_bytes())
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be written: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be written: {error.strerror}.") from error


def read_catalog_index(path: Path) -> VectorIndex:
    """The index in a plain FAISS file with ids."""
    try:
        return _over(FaissScan.from_bytes(path.read_bytes()))
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be read: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogError(f"{printable(path)} is {error}; export the catalog again.") from error


def _header(content: memoryview) -> tuple[int, dict[str, Any]]:
    lines = bytes(content[:HEADER_LIMIT]).split(b"\n", 2)
    if len(lines) < 3 or lines[0] != MAGIC:
        raise ValueError("it has another format")
    return len(lines[0]) + len(lines[1]) + 2, json.loads(lines[1])


def _scan(index: VectorIndex) -> FaissScan:
    scan = index.scan
    if isinstance(scan, FaissScan):
        return scan
    copy = FaissScan(index.dimensions)
    copy.add(index.ids, index.vectors(index.ids))
    return copy


def _over(scan: FaissScan) -> VectorIndex:
    return VectorIndex(np.empty(0, np.int64), np.empty((0, scan.dimensions), np.float32), scan)
