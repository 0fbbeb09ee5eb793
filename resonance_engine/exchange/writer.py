"""Write files of vectors: recordings one by one, or those of a store."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import ExchangeError, printable
from resonance_engine.exchange.layout import (
    ANALYSES,
    ANALYSIS_SIZES,
    EMBEDDINGS,
    GATES,
    KEYS,
    MANIFEST,
    PASSAGE_COUNTS,
    PASSAGE_TIMES,
    PASSAGES,
    TAGS,
    WINDOW_COUNTS,
    WINDOW_STARTS,
    WINDOWS,
    AnalysisDocument,
    columns_of,
    facet_column,
    write_manifest,
)
from resonance_engine.exchange.records import ExchangedRecording
from resonance_engine.npz_files import ArrayWriter
from resonance_engine.store.records import FLOAT16, Embedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.store import Model, Store

BLOCK = 500  # recordings that are read from a store at once


class VectorWriter:
    """Collects recordings for a file of vectors; to be made by `collect_vectors`."""

    def __init__(self, model: Model, arrays: ArrayWriter) -> None:
        self.model, self.arrays = model, arrays
        self.count = 0

    def add(self, recording: ExchangedRecording) -> None:
        """Add a recording that has all that the model gives."""
        embedding, arrays, passages = recording.embedding, self.arrays, recording.passages
        windows = embedding.windows
        assert windows is not None, "a complete embedding has windows"
        arrays.append(KEYS, np.frombuffer(recording.key, np.uint8)[np.newaxis])
        arrays.append(EMBEDDINGS, embedding.vector[np.newaxis])
        for name in self.model.modalities:
            arrays.append(facet_column(name), embedding.facets[name][np.newaxis])
        arrays.append(GATES, np.array([[embedding.gates[name] for name in self.model.modalities]], np.float64))
        if self.model.tags:
            arrays.append(TAGS, np.array([[embedding.tags[name] for name in self.model.tags]], np.float32))
        arrays.append(WINDOW_COUNTS, np.array([len(windows.starts)]))
        arrays.append(WINDOW_STARTS, np.array(windows.starts, np.float64))
        arrays.append(WINDOWS, windows.vectors)
        analysis = recording.analysis
        document = asdict(AnalysisDocument(analysis.extractor_version, dict(analysis.attributes)))
        text = np.frombuffer(json.dumps(document, allow_nan=False).encode(), np.uint8)
        arrays.append(ANALYSIS_SIZES, np.array([len(text)]))
        arrays.append(ANALYSES, text)
        arrays.append(PASSAGE_COUNTS, np.array([len(passages.vectors) if passages else 0]))
        arrays.append(PASSAGE_TIMES, np.array([[passages.hop, passages.length] if passages else [0.0, 0.0]]))
        if passages:
            arrays.append(PASSAGES, passages.vectors)
        self.count += 1

    def write(self, path: Path, others: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Write the file, with `others` beside the arrays of the format; ExchangeError where that is impossible."""
        manifest = {MANIFEST: np.array(write_manifest(self.model))}
        try:
            self.arrays.write(path, manifest | dict(others or {}))
        except OSError as error:
            raise ExchangeError(f"{printable(path)} cannot be written: {error.strerror}.") from error


@contextmanager
def collect_vectors(path: Path, model: Model, embeddings: np.dtype[Any] = FLOAT16) -> Iterator[VectorWriter]:
    """Yield a writer that collects in the folder of `path`; ExchangeError where nothing can be written there."""
    try:
        arrays = ArrayWriter(path.absolute().parent, columns_of(model, embeddings))
    except OSError as error:
        raise ExchangeError(f"{printable(path)} cannot be written: {error.strerror}.") from error
    with arrays:
        yield VectorWriter(model, arrays)


def export_store(store: Store, model: Model, keys: Sequence[bytes], path: Path) -> int:
    """Write what a store has of recordings and a model, in order of the keys; return how many were complete.

    The others, of which the model has no embedding, windows, tags or attributes, are left out. Raises ExchangeError
    where the file cannot be written.
    """
    with collect_vectors(path, model) as writer, store.read():
        for recording in load_recordings(store, model, keys):
            writer.add(recording)
        writer.write(path)
        return writer.count


def load_recordings(store: Store, model: Model, keys: Iterable[bytes]) -> Iterator[ExchangedRecording]:
    """Yield the complete ones of recordings, `BLOCK` of them read at once."""
    rest = iter(keys)
    while block := list(islice(rest, BLOCK)):
        vectors = store.vectors.get(block, model.id)
        facets = {name: store.vectors.get(block, model.id, name) for name in model.modalities}
        gates, windows = store.vectors.gates(block, model.id), store.vectors.windows(block, model.id)
        tags = store.tags.get(block, model.id) if model.tags else {key: {} for key in block}
        analyses, passages = store.analyses.get(block), store.passages.get(block, model.id)
        for key in block:
            parts: list[Mapping[bytes, Any]] = [vectors, *facets.values(), windows, tags, analyses]
            if all(key in part for part in parts) and gates.get(key, {}).keys() >= model.modalities.keys():
                embedding = Embedding(
                    vectors[key], {name: part[key] for name, part in facets.items()}, gates.get(key, {}), windows[key],
                    tags[key],
                )  # fmt: skip
                yield ExchangedRecording(key, embedding, analyses[key], passages.get(key))
