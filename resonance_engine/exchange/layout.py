"""The arrays of a file of vectors: names, types and shapes, and the manifest that names the model.

Of n recordings: `keys` (n, 16) the content keys, `embeddings` (n, dimensions), `facet_NAME` (n, width) for each facet,
`gates` (n, facets), `tags` (n, tags) where the model gives any; `window_counts` (n,) with `window_starts` (m,) in
seconds and `windows` (m, dimensions), one recording's behind the other's; `analysis_sizes` (n,) with `analyses`, JSON
texts in UTF-8 one behind the other; `passage_counts` (n,), 0 for none, `passage_times` (n, 2), hop and length in
seconds, and `passages` (p, dimensions).
"""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 - the type of a field is looked up when a manifest is parsed
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from resonance_engine.records import parse_record
from resonance_engine.store.models import Model
from resonance_engine.store.records import EMBEDDING, FLOAT16

FORMAT, VERSION = "resonance vectors", 1
MANIFEST, KEYS, EMBEDDINGS, GATES, TAGS = "manifest", "keys", "embeddings", "gates", "tags"
WINDOW_COUNTS, WINDOW_STARTS, WINDOWS = "window_counts", "window_starts", "windows"
ANALYSIS_SIZES, ANALYSES = "analysis_sizes", "analyses"
PASSAGE_COUNTS, PASSAGE_TIMES, PASSAGES = "passage_counts", "passage_times", "passages"
PATHS = "paths"  # beside the others in what `resonance embed` writes, for people
SUFFIX = ".npz"
KEY_BYTES = 16
LONGEST_MANIFEST = 1 << 20  # characters

FLOAT32 = np.dtype("<f4")
FLOAT64 = np.dtype("<f8")
COUNT = np.dtype("<u4")
BYTE = np.dtype("u1")
VECTOR_TYPES = (FLOAT16, FLOAT32)  # the second is rounded to the first, as a store rounds

Columns = dict[str, tuple[np.dtype[Any], tuple[int, ...]]]


@dataclass(frozen=True)
class ExchangedModel:
    """The model of a file of vectors, as the store knows it."""

    id: str
    name: str
    version: str
    dimensions: int
    modalities: Mapping[str, int]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorManifest:
    """What a file of vectors states of itself."""

    format: str
    version: int
    model: ExchangedModel


@dataclass(frozen=True)
class AnalysisDocument:
    """The JSON of an analysis."""

    extractor_version: str
    attributes: Mapping[str, str | float | bool | None]


def columns_of(model: Model, embeddings: np.dtype[Any] = FLOAT16) -> Columns:
    """Return the arrays of a model's recordings, with their types and the shapes of their rows."""
    width, vector = (model.dimensions,), FLOAT16
    columns: Columns = {KEYS: (BYTE, (KEY_BYTES,)), EMBEDDINGS: (embeddings, width)}
    columns |= {facet_column(name): (vector, (size,)) for name, size in model.modalities.items()}
    columns[GATES] = (FLOAT64, (len(model.modalities),))
    if model.tags:
        columns[TAGS] = (vector, (len(model.tags),))
    columns |= {WINDOW_COUNTS: (COUNT, ()), WINDOW_STARTS: (FLOAT64, ()), WINDOWS: (vector, width)}
    columns |= {ANALYSIS_SIZES: (COUNT, ()), ANALYSES: (BYTE, ())}
    return columns | {PASSAGE_COUNTS: (COUNT, ()), PASSAGE_TIMES: (FLOAT64, (2,)), PASSAGES: (vector, width)}


def facet_column(name: str) -> str:
    return f"facet_{name}"


def write_manifest(model: Model) -> str:
    """Return the manifest of a file of a model's vectors as JSON."""
    exchanged = ExchangedModel(
        model.id, model.name, model.version, model.dimensions, dict(model.modalities), model.tags
    )
    return json.dumps(asdict(VectorManifest(FORMAT, VERSION, exchanged)))


def read_manifest(text: str) -> Model:
    """Return the model that a manifest names; ValueError, a clause about the file, for what is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("its manifest is no JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("its manifest is not that of a file of vectors")
    if document.get("version") != VERSION:
        raise ValueError(
            f"it has version {json.dumps(document.get('version'))[:20]} of the format, and this program reads "
            f"{VERSION}; update the older of both programs"
        )
    model = parse_record(VectorManifest, document, "its manifest").model
    names = (model.id, model.name, model.version, *model.modalities, *model.tags)
    if not " ".join(names).isprintable():
        raise ValueError("its manifest holds names that no terminal takes")
    widths = (model.dimensions, *model.modalities.values())
    if EMBEDDING in model.modalities or min(widths) < 1 or len({*model.tags}) < len(model.tags):
        raise ValueError("its manifest names a model that cannot be: widths are 1 or more, and names differ")
    return Model(model.id, model.name, model.version, model.dimensions, dict(model.modalities), tags=model.tags)
