"""Files of indexes: a cache of the vectors in the store, for a model's embeddings and for each of its facets.

The header of a file has the generation of the store that it was built at; a file that is unusable in any way is built
again from the store.
"""

from __future__ import annotations

import json
import logging
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from resonance_engine.errors import CatalogError, printable
from resonance_engine.files import write_bytes
from resonance_engine.index.backends import FaissScan
from resonance_engine.index.statistics import VectorMoments
from resonance_engine.index.vector_index import VectorIndex

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
    "read_index",
    "save_index",
    "write_catalog_index",
]

log = logging.getLogger(__name__)

EMBEDDING = "embedding"  # as in the store, whose import would load the database
MAGIC_WORDS = b"resonance index "
MAGIC = MAGIC_WORDS + b"2"
HEADER_LIMIT = 4096
BLOCK = 2**20
# The file is rewritten when more rows than both of these changed; fewer are applied at each opening.
REWRITE_ROWS = 64
REWRITE_SHARE = 0.05


def open_index(store: Store, model_id: str, folder: Path, kind: str = EMBEDDING) -> VectorIndex:
    """Open the index of a model's embeddings, or of a facet, as the store has them now, by way of a file in `folder`.

    A facet's vectors have the ids of their embeddings. The file is written when it is missing,
    unusable or many changes behind; a folder that can't be written to only costs time. Raises StoreError when the
    store can't be used or doesn't know the model, and ValueError when the model has no such facet.
    """
    path = index_path(folder, model_id, kind)
    cached = load_index(path, model_id, kind)
    with store.read():
        generation = store.generation
        changed = apply_changes(store, model_id, *cached, kind) if cached else None
        if cached and changed is not None:
            index, stale = cached[0], changed > max(REWRITE_ROWS, REWRITE_SHARE * len(cached[0]))
        else:
            index = VectorIndex(*store.vectors.matrix(model_id, kind))
            stale = len(index) > 0
    if stale:
        try:
            save_index(path, index, model_id, generation, kind)
        except OSError as error:
            log.debug("the index %s isn't kept: %s", printable(path), error)
    return index


def apply_changes(
    store: Store, model_id: str, index: VectorIndex, generation: int, kind: str = EMBEDDING
) -> int | None:
    """Update an index of an earlier generation to the store's, and return how many vectors changed.

    None when the index isn't an earlier state of the store, as after one was restored from a backup; it is useless
    then.
    """
    if generation > store.generation:
        return None
    changes = store.vectors.changes(model_id, generation, kind)
    if index.dimensions != changes.added_vectors.shape[1]:
        return None
    index.remove(changes.removed_ids)
    index.add(changes.added_ids, changes.added_vectors)
    if generation == changes.generation:
        return 0  # built from this very state: nothing to count
    return len(changes) if len(index) == store.vectors.count(model_id, kind) else None


def index_path(folder: Path, model_id: str, kind: str = EMBEDDING) -> Path:
    """Return the path of the index of a model's embeddings, or of a facet."""
    return folder / f"resonance-{model_id}{'' if kind == EMBEDDING else f'-{kind}'}.index"


def load_index(path: Path, model_id: str, kind: str = EMBEDDING) -> tuple[VectorIndex, int] | None:
    """Load the index in a file and the generation that it was built at.

    None when the file isn't there, isn't sound or is of another model or facet, and where FAISS can't be loaded.
    """
    try:
        return read_index(path, model_id, kind)
    except FileNotFoundError:
        return None
    except Exception as error:  # Whatever is in the file, and however FAISS fails, the store has the vectors.
        log.debug("the index %s can't be used: %s", printable(path), error)
        return None


def read_index(path: Path, model_id: str, kind: str = EMBEDDING) -> tuple[VectorIndex, int]:
    """Load as `load_index` does, but raise: OSError, ImportError without FAISS, ValueError and others for damage."""
    with path.open("rb") as file:
        if file.readline(HEADER_LIMIT) != MAGIC + b"\n":
            raise ValueError("it has another format")
        header: dict[str, Any] = json.loads(file.readline(HEADER_LIMIT))
        start = file.tell()
        if (header["model"], header["kind"]) != (model_id, kind):
            raise ValueError(f"it is of the model {header['model']}, {header['kind']}")
        if header["checksum"] != _checksum(file):
            raise ValueError("its content is damaged")
        file.seek(start)
        scan = FaissScan.read(file)
        return _over(scan, _moments(file.read(), len(scan.ids()), scan.dimensions)), int(header["generation"])


def save_index(path: Path, index: VectorIndex, model_id: str, generation: int, kind: str = EMBEDDING) -> None:
    """Write an index built at a generation of the store, atomically; OSError where that is impossible.

    Does nothing where FAISS can't be loaded: there, reading the store is as fast as reading a file.
    """
    try:
        codes = _scan(index).to_bytes()
    except ImportError:
        return
    moments = index.moments
    sums = np.concatenate([moments.total, moments.moment.ravel()]).astype("<f8").tobytes()
    checksum = zlib.crc32(sums, zlib.crc32(codes))
    header = {"model": model_id, "kind": kind, "generation": generation, "checksum": checksum}
    write_bytes(path, b"\n".join((MAGIC, json.dumps(header).encode(), codes + sums)))


def write_catalog_index(path: Path, index: VectorIndex) -> None:
    """Write an index atomically as a plain FAISS file, which `faiss.read_index` reads."""
    try:
        write_bytes(path, _scan(index).to_bytes())
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be written: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be written: {error.strerror}.") from error


def read_catalog_index(path: Path) -> VectorIndex:
    """Read the index in a plain FAISS file with ids."""
    try:
        with path.open("rb") as file:
            return _over(FaissScan.read(file))
    except ImportError as error:
        raise CatalogError(f"{printable(path)} needs FAISS to be read: {error}.") from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogError(f"{printable(path)} is {error}; export the catalog again.") from error


def _checksum(file: BinaryIO) -> int:
    """Return the CRC-32 of the rest of a file."""
    checksum, block = 0, bytearray(BLOCK)
    while count := file.readinto(block):  # type: ignore[attr-defined]  # every binary file has it
        checksum = zlib.crc32(memoryview(block)[:count], checksum)
    return checksum


def _scan(index: VectorIndex) -> FaissScan:
    scan = index.scan
    if isinstance(scan, FaissScan):
        return scan
    copy = FaissScan(index.dimensions)
    copy.add(index.ids, index.vectors(index.ids))
    return copy


def _moments(content: bytes, count: int, dimensions: int) -> VectorMoments:
    numbers = np.frombuffer(content, "<f8").astype(np.float64)
    if len(numbers) != dimensions * (dimensions + 1):
        raise ValueError("its moments are of another width")
    return VectorMoments(count, numbers[:dimensions], numbers[dimensions:].reshape(dimensions, dimensions))


def _over(scan: FaissScan, moments: VectorMoments | None = None) -> VectorIndex:
    return VectorIndex(np.empty(0, np.int64), np.empty((0, scan.dimensions), np.float32), scan, moments)
