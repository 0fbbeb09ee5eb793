"""A folder of music without beets: analysed like a library, and exported as a catalog that can be queried.

A catalog is a folder with `index.faiss` (FAISS, by track id), `meta.json` (ids, paths, names, the model) and
`embeddings.npy` (rows in the order of meta.json, used where the index cannot be read). Its store, `resonance.db`, makes
the next run do only what is new.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.audio.windows import read_tags
from resonance_engine.catalog_files import (
    EMBEDDINGS,
    INDEX,
    META,
    CatalogEntry,
    is_catalog,
    read_entries,
    write_catalog,
)
from resonance_engine.errors import AudioError, CatalogError, StoreError, printable
from resonance_engine.features.attributes import NEAR_SILENCE_DB
from resonance_engine.ingest import Ingest, Job
from resonance_engine.store import Store
from resonance_engine.store.errors import is_damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from resonance_engine.ingest import IngestOutcome

STORE = "resonance.db"
LIBRARY = "catalog"
IDS_KEY = "catalog_ids"  # of the state of the store


def verify_catalog_folder(folder: Path) -> None:
    """Raise CatalogError for a folder where a catalog would replace files that are none of a catalog."""
    if (folder / STORE).exists():  # `open_catalog_store` looks into it
        return
    taken = [name for name in (META, INDEX, EMBEDDINGS) if (folder / name).exists()]
    if taken and not is_catalog(folder):
        raise CatalogError(
            f"{printable(folder / taken[0])} is there already and is of no catalog; name another folder with --out."
        )


@contextmanager
def open_catalog_store(folder: Path) -> Iterator[Store]:
    """Open the store of a catalog for one run that writes it, and close it after the `with`.

    Raises CatalogError while another run does, for a damaged store, and for the sidecar of a library of beets. The
    kernel holds the lock, on the folder: it ends with the process. A file system without locks does without it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CatalogError(f"Another `resonance index` is writing {printable(folder)}; wait for it.") from error
        except OSError:
            pass
        with Store(folder / STORE) as store:
            if {*store.libraries.ids()} - {store.libraries.find(LIBRARY)}:
                raise CatalogError(
                    f"{printable(folder / STORE)} is the data of a library of beets; name another folder with --out."
                )
            yield store
    except StoreError as error:
        if is_damage(error) or isinstance(error.__cause__, ValueError):
            raise CatalogError(
                f"{printable(folder / STORE)} is damaged; delete it and run `resonance index` again, which then "
                "analyses all files."
            ) from error
        raise
    finally:
        os.close(descriptor)


class CatalogUpdate:
    """Brings a catalog up to a music folder: analyse new files, unlink removed ones, export the catalog's files.

    The store gives each path its id, before the first analysis: what an interrupted run has done stays done. `dropped`
    are the tracks whose files are not among the folder's any more.
    """

    def __init__(self, folder: Path, files: list[Path], ingest: Ingest) -> None:
        self.folder = folder
        self.ingest = ingest
        self.store = ingest.store
        self.store.maintenance.drop_silent(NEAR_SILENCE_DB)
        self.ids = self.assign_ids(files)
        self.jobs = list(self.pending_jobs())

    def assign_ids(self, files: Iterable[Path]) -> dict[str, int]:
        """Return an id for each path, the one that it has if any; paths that are gone lose theirs, and their tracks."""
        library, store = self.ingest.library, self.store
        known = store.state.get(IDS_KEY, dict)
        if known is None:  # a catalog made before the store had them
            known = {}
            if (self.folder / META).exists():
                known = {entry.path: entry.id for entry in read_entries(self.folder)[0]}
        tracks = store.tracks.all(library)
        unused = itertools.count(max([0, *known.values(), *tracks]) + 1)
        ids = {path: known[path] if path in known else next(unused) for path in map(str, files)}
        removed = tracks.keys() - ids.values()
        self.dropped = len(removed)
        if removed or ids != known:
            with store.write():
                store.state.set(IDS_KEY, ids)
                store.tracks.unlink(library, removed)
        return ids

    def pending_jobs(self) -> Iterator[Job]:
        """Yield the files that are new, changed or not embedded, unless they failed as they are."""
        library, store = self.ingest.library, self.store
        tracks, failures = store.tracks.all(library), store.failures.all(library)
        embedded = store.vectors.embedded({track.content_key for track in tracks.values()}, self.ingest.model.id)
        for path, item_id in self.ids.items():
            try:
                stat = Path(path).stat()
            except OSError:
                continue
            track, failure = tracks.get(item_id), failures.get(os.fsencode(path))
            state = (stat.st_size, stat.st_mtime_ns)
            if track is not None and (track.size, track.mtime_ns) == state and track.content_key in embedded:
                continue
            if failure is None or (failure.size, failure.mtime_ns) != state:
                yield Job(item_id, 0.0, Path(path))

    def run(self) -> Iterator[IngestOutcome]:
        """Analyse the pending files, then take the model into use."""
        yield from self.ingest.run(self.jobs)
        self.store.models.activate(self.ingest.model.id)

    def export(self) -> int:
        """Write the catalog's files and return how many tracks it has."""
        tracks = self.store.tracks.all(self.ingest.library)
        keys = {track.content_key for track in tracks.values()}
        vectors, analyses = self.store.vectors.get(keys, self.ingest.model.id), self.store.analyses.get(keys)
        entries, rows = [], []
        for path, item_id in sorted(self.ids.items(), key=lambda item: item[1]):
            key = tracks[item_id].content_key if item_id in tracks else None
            if key is not None and key in vectors:
                attributes = analyses[key].attributes if key in analyses else {}
                entries.append(_create_entry(item_id, path, attributes))
                rows.append(vectors[key])
        width = self.ingest.model.dimensions
        matrix = np.stack(rows) if rows else np.empty((0, width), np.float32)
        write_catalog(self.folder, entries, matrix, asdict(self.ingest.model))
        return len(entries)


def _create_entry(item_id: int, path: str, attributes: Mapping[str, Any]) -> CatalogEntry:
    try:
        names = read_tags(Path(path))
    except AudioError:
        return CatalogEntry(item_id, path, "", "", dict(attributes))
    return CatalogEntry(item_id, path, names.artist, names.title, dict(attributes))
