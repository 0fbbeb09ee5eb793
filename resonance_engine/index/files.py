"""Files of indexes: a cache of the vectors in the store, for a model's embeddings and for each of its facets.

The header of a file has the generation of the store that it was built at; a file that is unusable in any way is built
again from the store. Small files are verified when they are opened; of a large one what is read is, when it is read.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import printable
from resonance_engine.index.array_scan import ArrayScan, no_release
from resonance_engine.index.backends import NumpyScan
from resonance_engine.index.inverted_lists import ListSearch
from resonance_engine.index.layout import moment_section, read_moments, read_segment, segment_sections
from resonance_engine.index.methods import AUTO, IndexMethod, build_requested, build_segment, choose_method
from resonance_engine.index.restoring_scan import RestoringScan
from resonance_engine.index.sections import LARGE, MAGIC, MAGIC_WORDS, map_sections, read_header, write_sections
from resonance_engine.index.vector_index import VectorIndex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.index.statistics import VectorMoments
    from resonance_engine.store import Store
    from resonance_engine.store.records import Ids

    Halves = NDArray[np.float16]

__all__ = [
    "MAGIC",
    "MAGIC_WORDS",
    "VectorIndex",
    "apply_changes",
    "index_path",
    "load_index",
    "open_index",
    "read_index",
    "read_method",
    "save_index",
]

log = logging.getLogger(__name__)

EMBEDDING = "embedding"  # as in the store, whose import would load the database
VERIFIED_AT_ONCE = 2**25  # bytes
# The file is rewritten when more rows than both of these changed; fewer are applied at each opening.
REWRITE_ROWS = 64
REWRITE_SHARE = 0.05


def open_index(
    store: Store, model_id: str, folder: Path, kind: str = EMBEDDING, setting: str = AUTO, resident: bool = True
) -> VectorIndex:
    """Open the index of a model's embeddings, or of a facet, as the store has them now, by way of a file in `folder`.

    A facet's vectors have the ids of their embeddings. `setting` is the method, or AUTO. The file is written when it is
    missing, unusable, many changes behind or for another method; a folder that can't be written to only costs time. If
    not `resident`, the memory of a file is given back after each use. Raises StoreError when the store can't
    be used or doesn't know the model, and ValueError when the model has no such facet.
    """
    path = index_path(folder, model_id, kind)
    restore = partial(_restore, store, model_id, path, kind)
    cached = _load_restoring(path, model_id, kind, resident, restore)
    with store.read():
        generation = store.generation
        changed = apply_changes(store, model_id, *cached, kind) if cached else None
        if cached and changed is not None:
            index, old = cached[0], _method_of(cached[0])
            requested = choose_method(setting, len(index))
            if changed <= max(REWRITE_ROWS, REWRITE_SHARE * len(index)) and old and old.requested == requested:
                return index
            index = _rearrange(index, requested)
        else:
            index = _build(*store.vectors.halves(model_id, kind), setting)
    if len(index):
        try:
            save_index(path, index, model_id, generation, kind)
        except OSError as error:
            log.debug("the index %s isn't kept: %s", printable(path), error)
        else:
            # Mapped, it takes less memory than as it was built.
            written = _load_restoring(path, model_id, kind, resident, restore)
            index = written[0] if written and written[1] == generation else index
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


def load_index(
    path: Path, model_id: str, kind: str = EMBEDDING, resident: bool = True
) -> tuple[VectorIndex, int] | None:
    """Load the index in a file and the generation that it was built at.

    None when the file isn't there, isn't sound or is of another model or facet, and where FAISS can't be loaded.
    """
    try:
        return read_index(path, model_id, kind, resident)
    except FileNotFoundError:
        return None
    except Exception as error:  # Whatever is in the file, and however FAISS fails, the store has the vectors.
        log.debug("the index %s can't be used: %s", printable(path), error)
        return None


def read_index(
    path: Path, model_id: str, kind: str = EMBEDDING, resident: bool = True, verified: bool = False
) -> tuple[VectorIndex, int]:
    """Load as `load_index` does, but raise: OSError, ImportError without FAISS, ValueError and others for damage.

    A large file is read as a whole if it has to be `verified`.
    """
    mapped = map_sections(path)
    header, arrays = mapped.header, mapped.arrays
    if (header["model"], header["kind"]) != (model_id, kind):
        raise ValueError(f"it is of the model {header['model']}, {header['kind']}")
    segment, method = read_segment(header, arrays)
    count, width = arrays["vectors"].shape
    release = partial(mapped.release, LARGE)
    scan = ArrayScan(width, segment, method, no_release if resident else release)
    if verified or len(mapped.memory) <= VERIFIED_AT_ONCE:
        scan.verify()
        release()
    return _over(scan, read_moments(arrays["moments"], count, width)), int(header["generation"])


def read_method(path: Path) -> IndexMethod | None:
    """Read by which method a file is searched; None where there is none that can be used."""
    with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
        return IndexMethod(**read_header(file)["method"])
    return None


def save_index(path: Path, index: VectorIndex, model_id: str, generation: int, kind: str = EMBEDDING) -> None:
    """Write an index built at a generation of the store, atomically; OSError where that is impossible.

    Does nothing where FAISS can't be loaded: there, reading the store is as fast as reading a file.
    """
    moments = index.moments
    scan = _array_scan(index)
    if scan is None or scan.base is None:
        try:
            ids = index.ids
            scan = ArrayScan(index.dimensions, build_segment(ids, index.vectors(ids).astype(np.float16)))
        except ImportError:
            return
    assert scan.base is not None, "nothing was added or removed since it was built"
    header, arrays = segment_sections(scan.base, scan.method)
    header |= {"model": model_id, "kind": kind, "generation": generation}
    write_sections(path, header, {"moments": moment_section(moments), **arrays})


def _load_restoring(
    path: Path, model_id: str, kind: str, resident: bool, restore: Callable[[], ArrayScan]
) -> tuple[VectorIndex, int] | None:
    loaded = load_index(path, model_id, kind, resident)
    if loaded and isinstance(loaded[0].scan, ArrayScan):
        loaded[0].scan = RestoringScan(loaded[0].scan, restore)
    return loaded


def _restore(store: Store, model_id: str, path: Path, kind: str) -> ArrayScan:
    """Read from the store what a file turned out not to hold, and drop the file, so that it is made again."""
    log.debug("the index %s is damaged", printable(path))
    with suppress(OSError):
        path.unlink(missing_ok=True)
    ids, halves = store.vectors.halves(model_id, kind)
    return ArrayScan(halves.shape[1], build_segment(ids, halves))


def _build(ids: Ids, halves: Halves, setting: str) -> VectorIndex:
    """Build an index of vectors (n, d) under ascending ids (n,)."""
    try:
        segment, method = build_requested(ids, halves, choose_method(setting, len(ids)))
    except ImportError as error:
        log.debug("numpy searches the index: %s", error)
        return VectorIndex(ids, halves.astype(np.float32), NumpyScan(halves.shape[1]))
    return _over(ArrayScan(halves.shape[1], segment, method))


def _rearrange(index: VectorIndex, requested: str) -> VectorIndex:
    """Return an index of the same vectors, laid out for a method; an inverted file keeps its centroids."""
    scan = _array_scan(index)
    assert scan is not None, "it was loaded from a file"
    moments = index.moments
    search = scan.search
    centroids = search.centroids if isinstance(search, ListSearch) else None
    segment, method = build_requested(*scan.halves(), requested, centroids, scan.method.trained)
    return _over(ArrayScan(index.dimensions, segment, method), moments)


def _array_scan(index: VectorIndex) -> ArrayScan | None:
    scan = index.scan.inner if isinstance(index.scan, RestoringScan) else index.scan
    return scan if isinstance(scan, ArrayScan) else None


def _method_of(index: VectorIndex) -> IndexMethod | None:
    scan = _array_scan(index)
    return scan.method if scan else None


def _over(scan: ArrayScan, moments: VectorMoments | None = None) -> VectorIndex:
    return VectorIndex(np.empty(0, np.int64), np.empty((0, scan.dimensions), np.float32), scan, moments)
