"""The files of a catalog, which are read also where neither FAISS nor a decoder of audio is installed."""

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

from resonance_engine.errors import CatalogError, neutralise, printable
from resonance_engine.files import write_bytes
from resonance_engine.index.catalog_file import read_catalog_index, write_catalog_index
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.records import parse_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
INDEX, META, EMBEDDINGS = "index.faiss", "meta.json", "embeddings.npy"
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


def is_catalog(folder: Path) -> bool:
    """Return whether the meta.json of a folder, if there is one, is that of a catalog, of whatever format."""
    try:
        meta = json.loads((folder / META).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(meta, dict) and {"format", "model", "tracks"} <= meta.keys()


def read_entries(folder: Path) -> tuple[list[CatalogEntry], str, int | None]:
    """Return the tracks of a catalog's meta.json, the id of its model and its vectors' checksum, if it has one."""
    path = folder / META
    again = "run `resonance index` again"
    try:
        meta = json.loads(path.read_bytes())
        if meta["format"] != FORMAT:
            raise CatalogError(
                f"{printable(path)} has format {meta['format']!r}, this program reads {FORMAT}; {again}."
            )
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
