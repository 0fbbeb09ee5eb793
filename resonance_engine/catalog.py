"""A folder of music without beets: listened to like a library, and exported as a catalog that can be queried.

A catalog is a folder with `index.faiss` (FAISS, by track id), `meta.json` (ids, paths, names, the model) and
`embeddings.npy` (rows in the order of meta.json, used where the index cannot be read). Its store, `resonance.db`, makes
the next run do only what is new.
"""

from __future__ import annotations

import io
import json
import math
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.audio.windows import read_tags
from resonance_engine.errors import AudioError, CatalogError, printable
from resonance_engine.files import write_bytes
from resonance_engine.index.files import VectorIndex, read_catalog_index, write_catalog_index
from resonance_engine.ingest import Ingest, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from resonance_engine.ingest import IngestOutcome
    from resonance_engine.store import Store

FORMAT = 1
STORE, INDEX, META, EMBEDDINGS = "resonance.db", "index.faiss", "meta.json", "embeddings.npy"
LIBRARY = "catalog"
KINDS = {"id": int, "path": str, "artist": str, "title": str, "attributes": dict}
LARGEST_ID = 2**63
SHOWN = 100  # characters of what is wrong that an error repeats
LARGEST = 1.001  # number in a unit vector, rounding allowed for
BLOCK = 4096  # vectors that are looked at together
SUFFIXES = frozenset(
    [
        ".aac",
        ".aif",
        ".aiff",
        ".alac",
        ".ape",
        ".flac",
        ".m4a",
        ".m4b",
        ".mp3",
        ".mpc",
        ".oga",
        ".ogg",
        ".opus",
        ".tta",
        ".wav",
        ".wma",
        ".wv",
    ]
)


@dataclass(frozen=True)
class CatalogEntry:
    """A track of a catalog: its id in the index, the path of its file and what to call it.

    `attributes` are what was measured of it (tempo, key, energy, brightness); older catalogs have none.
    """

    id: int
    path: str
    artist: str
    title: str
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Artist and title, or the file's name where it has no title."""
        if not self.title:
            return printable(Path(self.path).stem)
        return f"{self.artist} - {self.title}" if self.artist else self.title


@dataclass(frozen=True)
class Catalog:
    """A catalog that was read: its tracks by id, the index over them and the id of the model that made it."""

    entries: dict[int, CatalogEntry]
    index: VectorIndex
    model_id: str


def music_files(folder: Path) -> list[Path]:
    """Every audio file below a folder, told by its name, in a stable order."""
    if not folder.is_dir():
        raise CatalogError(f"{printable(folder)} is not a folder; give the folder that holds your music.")
    return sorted(
        Path(root, name).absolute()
        for root, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    )


def jobs_for(files: Iterable[Path], known: dict[str, int], store: Store, library: int, model_id: str) -> list[Job]:
    """What has to be listened to: files that are new, changed or not embedded; the ids of known paths stay."""
    tracks = store.tracks.all(library)
    embedded = store.vectors.embedded({track.content_key for track in tracks.values()}, model_id)
    failures = store.failures.all(library)
    following = max([0, *known.values(), *tracks]) + 1
    jobs = []
    for path in files:
        item_id = known.get(str(path))
        if item_id is None:
            item_id, following = following, following + 1
        try:
            stat = path.stat()
        except OSError:
            continue
        track, failure = tracks.get(item_id), failures.get(os.fsencode(path))
        state = (stat.st_size, stat.st_mtime_ns)
        if track is not None and (track.size, track.mtime_ns) == state and track.content_key in embedded:
            continue
        if failure is None or (failure.size, failure.mtime_ns) != state:
            jobs.append(Job(item_id, 0.0, path))
    return jobs


class Update:
    """Brings a catalog up to a music folder: listen to what is new, forget what is gone, write the files."""

    def __init__(self, folder: Path, files: list[Path], ingest: Ingest) -> None:
        self.folder = folder
        self.ingest = ingest
        self.store = ingest.store
        known = {entry.path: entry.id for entry in read_entries(folder)[0]} if (folder / META).exists() else {}
        self.jobs = jobs_for(files, known, self.store, ingest.library, ingest.model.id)
        present = {str(path) for path in files}
        self.ids = {path: item_id for path, item_id in known.items() if path in present}
        self.ids |= {str(job.path): job.item_id for job in self.jobs}
        self.gone = [item_id for path, item_id in known.items() if path not in present]

    def listen(self) -> Iterator[IngestOutcome]:
        self.store.tracks.unlink(self.ingest.library, self.gone)
        yield from self.ingest.run(self.jobs)
        self.store.models.activate(self.ingest.model.id)

    def export(self) -> int:
        """Write the catalog's files and say how many tracks it has."""
        tracks = self.store.tracks.all(self.ingest.library)
        keys = {track.content_key for track in tracks.values()}
        vectors, analyses = self.store.vectors.get(keys, self.ingest.model.id), self.store.analyses.get(keys)
        entries, rows = [], []
        for path, item_id in sorted(self.ids.items(), key=lambda item: item[1]):
            key = tracks[item_id].content_key if item_id in tracks else None
            if key is not None and key in vectors:
                attributes = analyses[key].attributes if key in analyses else {}
                entries.append(entry_for(item_id, path, attributes))
                rows.append(vectors[key])
        width = self.ingest.model.dimensions
        matrix = np.stack(rows) if rows else np.empty((0, width), np.float32)
        write_catalog(self.folder, entries, matrix, asdict(self.ingest.model))
        return len(entries)


def entry_for(item_id: int, path: str, attributes: Mapping[str, Any]) -> CatalogEntry:
    try:
        found = read_tags(Path(path))
    except AudioError:
        return CatalogEntry(item_id, path, "", "", dict(attributes))
    return CatalogEntry(item_id, path, found.artist, found.title, dict(attributes))


def write_catalog(
    folder: Path, entries: list[CatalogEntry], matrix: NDArray[np.float32], model: dict[str, Any]
) -> None:
    """Write the three files of a catalog; meta.json comes last, names the model of the others and their checksum."""
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
    """Of the vectors of ids, in their order; the same whichever of a catalog's files they were read from."""
    checksum = 0
    for at in range(0, len(ids), BLOCK):
        checksum = zlib.crc32(index.vectors(ids[at : at + BLOCK]).astype("<f2").tobytes(), checksum)
    return checksum


def read_entries(folder: Path) -> tuple[list[CatalogEntry], str, int | None]:
    """The tracks that a catalog's meta.json lists, the id of its model and its vectors' checksum, if it has one."""
    path = folder / META
    again = "run `resonance index` again"
    try:
        meta = json.loads(path.read_bytes())
        if meta["format"] != FORMAT:
            raise CatalogError(f"{printable(path)} has format {meta['format']}, this program reads {FORMAT}; {again}.")
        entries = [entry_from(track) for track in meta["tracks"]]
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
        raise CatalogError(f"{printable(path)} is damaged ({sentence(error)}); {again}.") from error


def entry_from(track: Mapping[str, Any]) -> CatalogEntry:
    """The entry that meta.json says; TypeError or ValueError where it is none, as text that no terminal takes is."""
    entry = CatalogEntry(**track)
    for name, kind in KINDS.items():
        if type(getattr(entry, name)) is not kind:
            raise TypeError(f"the {name} of a track is of another kind")
    if abs(entry.id) >= LARGEST_ID or "\0" in entry.path:
        raise ValueError("the id or the path of a track cannot be")
    os.fsencode(entry.path)
    f"{entry.artist}{entry.title}".encode()
    return entry


def sentence(error: Exception) -> str:
    """The beginning of what an error says, on one line."""
    return " ".join(str(error).split())[:SHOWN]


def read_catalog(folder: Path) -> Catalog:
    """A catalog ready to be queried; where FAISS's file cannot be read, the embeddings serve."""
    entries, model_id, checksum = read_entries(folder)
    ids = np.array([entry.id for entry in entries], np.int64)
    try:
        index = read_catalog_index(folder / INDEX)
    except CatalogError:
        index = VectorIndex(ids, read_embeddings(folder / EMBEDDINGS, len(ids)))
    together = np.array_equal(index.ids, np.sort(ids))
    # Whoever wrote them may have been killed between two files: the ids can be the same, and the model another.
    if not together or (checksum is not None and checksum != vector_checksum(index, ids)):
        raise CatalogError(f"The files of {printable(folder)} do not belong together; run `resonance index` again.")
    if not all(np.isfinite(index.vectors(ids[at : at + BLOCK])).all() for at in range(0, len(ids), BLOCK)):
        raise CatalogError(f"{printable(folder)} holds vectors that are no numbers; run `resonance index` again.")
    return Catalog({entry.id: entry for entry in entries}, index, model_id)


def read_embeddings(path: Path, count: int) -> NDArray[np.float32]:
    """The embeddings (count, dimensions) that `write_catalog` wrote.

    Not by `np.load`, which asks for as much memory as a header says, whatever the file holds.
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
