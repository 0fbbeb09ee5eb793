"""Read files of vectors, which may come from anywhere: checked as a whole before anything of them is stored."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from resonance_engine.errors import ExchangeError, printable
from resonance_engine.exchange.layout import (
    ANALYSES,
    ANALYSIS_SIZES,
    EMBEDDINGS,
    GATES,
    KEYS,
    LONGEST_MANIFEST,
    MANIFEST,
    PASSAGE_COUNTS,
    PASSAGE_TIMES,
    PASSAGES,
    PATHS,
    TAGS,
    VECTOR_TYPES,
    WINDOW_COUNTS,
    WINDOW_STARTS,
    WINDOWS,
    AnalysisDocument,
    columns_of,
    facet_column,
    read_manifest,
)
from resonance_engine.exchange.records import ExchangedRecording
from resonance_engine.npz_files import open_archive, open_arrays, verify_checksums
from resonance_engine.records import parse_record
from resonance_engine.store.passages import stored_passage_defect
from resonance_engine.store.records import FLOAT16, Analysis, DenseWindows, Embedding, Windows
from resonance_engine.store.vectors import LENGTH_TOLERANCE, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.npz_files import StoredArray
    from resonance_engine.store import Model

BLOCK = 256  # recordings that are checked together
VECTOR_FILE = "file of vectors that `resonance embed` or `beet resonance vectors export` wrote"  # in messages
LARGEST = 65504.0  # number that float16 holds
FLAT = {ANALYSES: ANALYSIS_SIZES, WINDOW_STARTS: WINDOW_COUNTS, WINDOWS: WINDOW_COUNTS, PASSAGES: PASSAGE_COUNTS}
"""Arrays with several rows a recording, each with the array that counts them."""


class VectorFile:
    """An open file of vectors; to be opened by `open_vectors`. `rows` has the row of each recording by content key."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.arrays = open_arrays(file)
        if KEYS not in self.arrays:
            raise ValueError("it has no content keys, as `beet resonance vectors export` and `resonance embed` write")
        self.model = read_model(self.arrays)
        self.columns = columns_of(self.model)
        missing, unknown = self.columns.keys() - self.arrays.keys(), self.arrays.keys() - self.columns.keys()
        if missing:
            raise ValueError(f"it lacks the array {min(missing)}")
        if unknown := unknown - {MANIFEST, PATHS}:
            raise ValueError(f"it has an array {min(unknown)!r}, which is not of the format")
        self.count = self.arrays[KEYS].shape[0] if self.arrays[KEYS].shape else 0
        counts = {name: self.read(name, 0, self.count) for name in {*FLAT.values()} if self.fits(name, self.count)}
        # Where the rows of each recording begin in the arrays with several.
        self.offsets = {name: np.concatenate([[0], np.cumsum(each, dtype=np.int64)]) for name, each in counts.items()}
        for name in self.columns:
            length = int(self.offsets[FLAT[name]][-1]) if name in FLAT else self.count
            self.fits(name, length)
        keys = self.read(KEYS, 0, self.count)
        self.rows: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            self.rows.setdefault(key.tobytes(), row)

    def fits(self, name: str, length: int) -> bool:
        """Return True for an array of the type and shape of its column; ValueError for another."""
        array, (dtype, shape) = self.arrays[name], self.columns[name]
        types = VECTOR_TYPES if dtype == FLOAT16 else (dtype,)
        if array.dtype not in types or array.shape != (length, *shape):
            expected = f"{' or '.join(map(str, types))} {(length, *shape)}"
            raise ValueError(f"its array {name} should be {expected} and is {array.dtype} {array.shape}")
        return True

    def get(self, key: bytes) -> ExchangedRecording | None:
        """Return what the file, which was verified, has of a recording."""
        row = self.rows.get(key)
        if row is None:
            return None
        try:
            return self.load(row, row + 1)[0]
        except ValueError as error:
            raise ExchangeError(f"{printable(self.path)} was changed while it was read; import it again.") from error

    def has_passages(self, key: bytes) -> bool:
        """Return whether there are dense windows of a recording that the file has."""
        begin, end = self.offsets[PASSAGE_COUNTS][self.rows[key] :][:2]
        return bool(end > begin)

    def verify(self, report: Callable[[int], object] = lambda _: None) -> None:
        """Raise ExchangeError for anything that cannot be stored; `report` gets the numbers of verified recordings."""
        with refusal(self.path):
            verify_checksums(self.file)
            for start in range(0, self.count, BLOCK):
                recordings = self.load(start, min(start + BLOCK, self.count))
                for row, recording in enumerate(recordings, start=start):
                    verify_recording(recording, self.model, f"recording {row:,}, {recording.key.hex()}")
                report(len(recordings))

    def load(self, start: int, stop: int) -> list[ExchangedRecording]:
        """Return the recordings of some rows."""
        flat = {name: self.read(name, *self.offsets[counts][[start, stop]].tolist()) for name, counts in FLAT.items()}
        rows = {name: self.read(name, start, stop) for name in self.columns if name not in FLAT}
        bounds = {
            name: (self.offsets[name][start : stop + 1] - self.offsets[name][start]).tolist() for name in self.offsets
        }
        recordings = []
        for row in range(stop - start):

            def several(name: str, row: int = row) -> NDArray[Any]:
                begin, end = bounds[FLAT[name]][row : row + 2]
                return flat[name][begin:end]

            recordings.append(self.assemble({name: array[row] for name, array in rows.items()}, several))
        return recordings

    def assemble(self, row: dict[str, NDArray[Any]], several: Callable[[str], NDArray[Any]]) -> ExchangedRecording:
        """Return a recording from its row of each array, and `several` rows of the others."""
        names = self.model.modalities
        embedding = Embedding(
            vector=row[EMBEDDINGS],
            facets={name: row[facet_column(name)] for name in names},
            gates=dict(zip(names, row[GATES].tolist(), strict=True)),
            windows=Windows(tuple(several(WINDOW_STARTS).tolist()), several(WINDOWS)),
            tags=dict(zip(self.model.tags, row[TAGS].tolist(), strict=True)) if self.model.tags else {},
        )
        passages = several(PASSAGES)
        hop, length = row[PASSAGE_TIMES].tolist()
        return ExchangedRecording(
            row[KEYS].tobytes(),
            embedding,
            parse_analysis(several(ANALYSES).tobytes()),
            DenseWindows(hop, length, passages) if len(passages) else None,
        )

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows of an array, vectors as float32; ValueError where these are no numbers of float16."""
        rows = self.arrays[name].read(start, stop)
        if self.columns[name][0] != FLOAT16:
            return rows
        if not (np.abs(rows) <= LARGEST).all():  # NaN is not less either
            raise ValueError(f"its array {name} holds NaN or infinity between rows {start:,} and {stop:,}")
        return rows.astype(np.float32)


@contextmanager
def open_vectors(path: Path) -> Iterator[VectorFile]:
    """Open a file of vectors for the time of a `with`; ExchangeError where it is none.

    What is read of it is sound only after `VectorFile.verify`.
    """
    with refusal(path):
        file = open_archive(path)
    with file:
        with refusal(path):
            vectors = VectorFile(path, file)
        yield vectors


def is_vector_file(path: Path, with_keys: bool = True) -> bool:
    """Return whether a file is one of vectors, with content keys or as a catalog without; OSError if it is not read."""
    try:
        with open_archive(path) as file:
            arrays = open_arrays(file)
            read_model(arrays)
    except (ValueError, OverflowError, MemoryError):
        return False
    return (KEYS in arrays) is with_keys


@contextmanager
def refusal(path: Path) -> Iterator[None]:
    """Raise ExchangeError for a file that turns out to be unusable."""
    try:
        yield
    except OSError as error:
        raise ExchangeError(f"{printable(path)} cannot be read: {error.strerror or error}.") from error
    except (ValueError, OverflowError, MemoryError) as error:
        reason = str(error).removesuffix(".") or "it takes more memory than there is"
        raise ExchangeError(f"{printable(path)} cannot be imported, and nothing of it was stored: {reason}.") from error


def read_model(arrays: dict[str, StoredArray]) -> Model:
    """Return the model that the manifest among the arrays names; ValueError where that is none."""
    manifest = arrays.get(MANIFEST)
    if manifest is None:
        raise ValueError("it has no manifest, which names the model")
    if manifest.shape or manifest.dtype.kind != "U" or manifest.dtype.itemsize > 4 * LONGEST_MANIFEST:
        raise ValueError("its manifest is no text, or longer than any")
    return read_manifest(str(manifest.read()))


def parse_analysis(text: bytes) -> Analysis:
    """Return an analysis from its JSON; ValueError where it is none."""
    try:
        document = parse_record(AnalysisDocument, json.loads(text), "it", require_all=True)
        document.extractor_version.encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"one of its analyses is not what an analysis gives ({error})") from error
    return Analysis(document.extractor_version, document.attributes)


def verify_recording(recording: ExchangedRecording, model: Model, shown: str) -> None:
    """Raise ValueError for a recording, which is called `shown`, that the model cannot have given."""
    windows, passages = recording.embedding.windows, recording.passages
    assert windows is not None, "a file has windows of all recordings"
    if not windows.starts or not all(math.isfinite(start) and start >= 0 for start in windows.starts):
        raise ValueError(f"{shown}, should have windows that start at 0 s or later")
    try:
        verify(recording.embedding, model)
    except ValueError as error:
        raise ValueError(f"{shown}, is not what {model.name} gives: {error}") from error
    if passages is None:
        return
    data = passages.vectors.astype(FLOAT16).tobytes()
    if defect := stored_passage_defect(data, passages.hop, passages.length, model.dimensions, 2 * LENGTH_TOLERANCE):
        raise ValueError(f"{shown}, has dense windows that {defect}")
