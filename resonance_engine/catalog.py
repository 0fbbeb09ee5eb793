"""A folder of music without beets: analysed like a library, and exported as a catalog that can be queried.

A catalog is a folder with `index.faiss` (FAISS, by track id), `meta.json` (ids, paths, names, the model) and
`embeddings.npy` (rows in the order of meta.json, used where the index cannot be read). Its store, `resonance.db`, makes
the next run do only what is new.
"""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import math
import os
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.audio.windows import read_tags
from resonance_engine.errors import AudioError, CatalogError, StoreError, neutralise, printable
from resonance_engine.features.attributes import NEAR_SILENCE_DB
from resonance_engine.files import write_bytes
from resonance_engine.index.files import VectorIndex, read_catalog_index, write_catalog_index
from resonance_engine.ingest import Ingest, Job
from resonance_engine.records import parse_record
from resonance_engine.store import Store
from resonance_engine.store.errors import is_damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from resonance_engine.ingest import IngestOutcome

FORMAT = 1
STORE, INDEX, META, EMBEDDINGS = "resonance.db", "index.faiss", "meta.json", "embeddings.npy"
LIBRARY = "catalog"
IDS_KEY = "catalog_ids"  # of the state of the store
MESSAGE_LENGTH = 100  # characters of what is wrong that an error repeats
LARGEST = 1.001  # number in a unit vector, rounding allowed for
BLOCK = 4096  # vectors that are processed together


@dataclass(frozen=True)
class CatalogEntry:
    """A track of a catalog: its id in the index, the path of its file and what to call it.

    `attributes` are tempo, key, energy and brightness; older catalogs have none.
    """

    id: int
    path: str
    artist: str
    title: str
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Artist and title, or the file's name where it has no title."""
        if not self.title:
            return printable(Path(self.path).stem)
        return neutralise(f"{self.artist} - {self.title}" if self.artist else self.title)


@dataclass(frozen=True)
class Catalog:
    """A catalog that was read: its tracks by id, the index over them and the id of the model that made it."""

    entries: dict[int, CatalogEntry]
    index: VectorIndex
    model_id: str


@contextmanager
def open_catalog_store(folder: Path) -> Iterator[Store]:
    """Open the store of a catalog for one run that writes it, and close it after the `with`.

    Raises CatalogError while another run does, and for a damaged store. The kernel holds the lock, on the folder: it
    ends with the process. A file system without locks does without it.
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


def write_catalog(
    folder: Path, entries: list[CatalogEntry], matrix: NDArray[np.float32], model: dict[str, Any]
) -> None:
    """Write the three files of a catalog; meta.json comes last, with the model of the others and their checksum."""
    buffer = io.BytesIO()
    np.save(buffer, matrix, allow_pickle=False)
    ids = np.array([entry.id for entry in entries], np.int64)
    index = VectorIndex(ids, matrix)
    tracks = [asdict(entry) for entry in entries]
    meta = {"format": FORMAT, "model": model, "vectors": vector_checksum(index, ids), "tracks": tracks}
    try:
        write_bytes(folder / EMBEDDINGS, buffer.getvalue())
        write_catalog_index(folder / INDEX, index)
        write_bytes(folder / META, json.dumps(meta, indent=1).encode())
    except OSError as error:
        raise CatalogError(f"{printable(folder)} cannot be written to: {error.strerror}.") from error


def vector_checksum(index: VectorIndex, ids: NDArray[np.int64]) -> int:
    """Return the CRC-32 of the vectors of ids, in their order, whichever of a catalog's files they were read from."""
    checksum = 0
    for start in range(0, len(ids), BLOCK):
        checksum = zlib.crc32(index.vectors(ids[start : start + BLOCK]).astype("<f2").tobytes(), checksum)
    return checksum


def read_entries(folder: Path) -> tuple[list[CatalogEntry], str, int | None]:
    """Return the tracks of a catalog's meta.json, the id of its model and its vectors' checksum, if it has one."""
    path = folder / META
    again = "run `resonance index` again"
    try:
        meta = json.loads(path.read_bytes())
        if meta["format"] != FORMAT:
            raise CatalogError(f"{printable(path)} has format {meta['format']}, this program reads {FORMAT}; {again}.")
        entries = [parse_entry(track) for track in meta["tracks"]]
        if len({entry.id for entry in entries}) < len(entries):
            raise ValueError("two of its tracks have one id")
        return entries, str(meta["model"]["id"]), meta.get("vectors")
    except FileNotFoundError as error:
        raise CatalogError(
            f"{printable(folder)} is no catalog: it has no {META}; make one with `resonance index MUSIC --out CATALOG`."
        ) from error
    except OSError as error:
        raise CatalogError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = " ".join(str(error).split())[:MESSAGE_LENGTH]
        raise CatalogError(f"{printable(path)} is damaged ({message}); {again}.") from error


def parse_entry(track: object) -> CatalogEntry:
    """Return the entry of a track in meta.json; ValueError where it is none, or has text that no terminal takes."""
    entry = parse_record(CatalogEntry, track, "a track")
    if "\0" in entry.path:
        raise ValueError("the path of a track cannot be")
    os.fsencode(entry.path)
    f"{entry.artist}{entry.title}".encode()
    return entry


def read_catalog(folder: Path) -> Catalog:
    """Load a catalog; where FAISS's file cannot be read, the embeddings serve."""
    entries, model_id, checksum = read_entries(folder)
    ids = np.array([entry.id for entry in entries], np.int64)
    try:
        index = read_catalog_index(folder / INDEX)
    except CatalogError:
        index = VectorIndex(ids, read_embeddings(folder / EMBEDDINGS, len(ids)))
    same_ids = np.array_equal(index.ids, np.sort(ids))
    # A writer may have been killed between two files: the ids can be the same, and the model another.
    if not same_ids or (checksum is not None and checksum != vector_checksum(index, ids)):
        raise CatalogError(f"The files of {printable(folder)} do not belong together; run `resonance index` again.")
    if not all(np.isfinite(index.vectors(ids[start : start + BLOCK])).all() for start in range(0, len(ids), BLOCK)):
        raise CatalogError(f"{printable(folder)} holds vectors that are no numbers; run `resonance index` again.")
    return Catalog({entry.id: entry for entry in entries}, index, model_id)


def read_embeddings(path: Path, count: int) -> NDArray[np.float32]:
    """Load the embeddings (count, dimensions) that `write_catalog` wrote.

    Not with `np.load`, which asks for as much memory as a header says, whatever the file holds.
    """
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another version of numpy's format")
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
            content = file.read()
    except Exception as error:  # numpy raises many kinds for a header that is none
        raise CatalogError(f"{printable(path)} cannot be read either; run `resonance index` again.") from error
    fits = len(shape) == 2 and shape[0] == count and 4 * math.prod(shape) == len(content)
    if not fits or by_column or dtype != np.dtype("<f4"):
        raise CatalogError(f"{printable(path)} does not hold {count} embeddings; run `resonance index` again.")
    vectors = np.frombuffer(content, "<f4").reshape(shape).astype(np.float32)
    # Of unit vectors no number is larger; what is no number at all is not smaller either.
    if not (np.abs(vectors) <= LARGEST).all():
        raise CatalogError(f"{printable(path)} holds vectors that no model made; run `resonance index` again.")
    return vectors
