"""Embed samples and search a small catalog on a telephone or single-board computer, without a decoder or a database.

    embedder = BufferEmbedder()
    embedding = embedder.embed(samples, 48_000)
    catalog = read_small_catalog(Path("catalog"))
    hits = search_catalog(catalog, embedder, embedding, count=5)

Beside this package it takes numpy, scipy and onnxruntime alone: the front end, the encoder and the search are those of
everything else, samples are resampled by scipy instead of soxr. Two commands do the same with WAV files:

    python -m resonance_engine.ondevice embed *.wav --out small.npz
    python -m resonance_engine.ondevice query song.wav --catalog small.npz
"""

from __future__ import annotations

import io
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resonance_engine.audio.passage import SHORTEST
from resonance_engine.audio.spans import NOTHING_LOUDER, OPENING, RATES, Span, collect_windows, place_windows
from resonance_engine.catalog_files import LARGEST, Catalog, CatalogEntry, read_catalog
from resonance_engine.console import SentenceParser, complain, guard_output, positive, print_line, report_errors
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError, CatalogError, ModelError, ResonanceError, format_count, printable
from resonance_engine.exchange.layout import EMBEDDINGS, KEYS, MANIFEST, PATHS, SUFFIX, VECTOR_TYPES, write_manifest
from resonance_engine.exchange.reader import is_vector_file, read_model
from resonance_engine.features.resampling import resample_by_fft
from resonance_engine.files import verify_target, write_bytes
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.npz_files import open_archive, open_arrays, verify_checksums
from resonance_engine.search.ranking import Ranking
from resonance_engine.search.selection import find_neighbours
from resonance_engine.store.models import Model
from resonance_engine.store.records import FLOAT16

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.audio.spans import Recording
    from resonance_engine.features.spec import Decoding
    from resonance_engine.store.records import Embedding

FULL_SCALE = {np.dtype(np.float32): 1.0, np.dtype(np.int16): 32768.0}
"""The types of samples that are taken, with the number that stands for full scale."""

MOST_CHANNELS = 8
SMALL_CATALOG = "catalog that this command wrote"  # in messages
USUAL_COUNT = 5


class BufferEmbedder:
    """A model, ready to embed buffers of samples; by default the shipped one. ModelError where it cannot be used."""

    def __init__(self, model: Path = SHIPPED) -> None:
        self.encoder = Encoder(model, "onnx", resample_by_fft)
        manifest = self.encoder.manifest
        facets = dict.fromkeys(manifest.modalities, manifest.dimensions)
        self.model = Model(
            manifest.id, manifest.name, manifest.version, manifest.dimensions, facets, tags=manifest.tags
        )

    def embed(self, samples: NDArray[Any], rate: int) -> Embedding:
        """Return the embedding of a recording, from the windows that an analysis of its file takes.

        `samples` are float32 within ±1 or int16, of the shape (n,) or (n, channels), at `rate` in Hz, which need not be
        the model's. Raises ValueError, a sentence, for samples of another kind, NaN and infinity, fewer than three
        seconds of them, and where nothing is louder than -60 dBFS.
        """
        recording = cut_recording(samples, rate, self.encoder.manifest.spec.decoding)
        return self.encoder.embed(self.encoder.front_end(recording.windows), recording.starts)


class SearchHit(NamedTuple):
    """A track of a catalog and the cosine of its embedding with the query's."""

    entry: CatalogEntry
    score: float


def cut_recording(samples: NDArray[Any], rate: int, decoding: Decoding) -> Recording:
    """Return the windows of a buffer that `audio.windows.read_windows` cuts of a file; ValueError as in `embed`."""
    expected = f"a NumPy array of float32 or int16, (n,) or (n, channels) with up to {MOST_CHANNELS} channels"
    if not isinstance(samples, np.ndarray):
        raise ValueError(f"Samples should be {expected}, and are of the type {type(samples).__name__}.")
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if samples.dtype not in FULL_SCALE or samples.ndim not in (1, 2) or not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"Samples should be {expected}, and are {samples.dtype} {samples.shape}.")
    if rate not in RATES:
        raise ValueError(f"The rate should be {RATES[0]:,} to {RATES[-1]:,} Hz and is {rate}.")
    duration = len(samples) / rate
    if duration < SHORTEST:
        raise ValueError(f"{duration:.2f} s of samples came; at least {SHORTEST:.0f} s are needed.")
    for seconds in (duration, min(duration, max(OPENING, decoding.seconds))):
        short, starts = place_windows(seconds, decoding)
        spans = (slice_span(samples, rate, start, min(seconds, decoding.seconds)) for start in starts)
        recording = collect_windows(spans, decoding, duration, short, resample_by_fft)
        if recording is not None:
            return recording
    raise ValueError(f"The samples are silent: {NOTHING_LOUDER}.")


def slice_span(samples: NDArray[Any], rate: int, start: float, seconds: float) -> Span:
    """Return `seconds` of samples from second `start` on, in mono within ±1; ValueError for NaN and infinity."""
    begin, count = round(start * rate), round(seconds * rate)
    part = samples[begin : begin + count]
    mono = part.astype(np.float32) if part.ndim == 1 else part.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise ValueError(f"The samples hold NaN or infinity within {seconds:g} s from second {start:.1f} on.")
    mono /= np.float32(FULL_SCALE[samples.dtype])
    filled = len(mono) / count
    return Span(np.pad(np.clip(mono, -1.0, 1.0), (0, count - len(mono))), rate, begin / rate, filled)


def search_catalog(
    catalog: Catalog, embedder: BufferEmbedder, embedding: Embedding, count: int = USUAL_COUNT
) -> list[SearchHit]:
    """Return the tracks of a catalog that are most similar, best first; ModelError for one of another model."""
    if catalog.model_id != embedder.model.id:
        raise ModelError(
            f"The catalog was made with the model {catalog.model_id}, and this one is {embedder.model.id}; name that "
            "one with --model, or make the catalog again."
        )
    hits = find_neighbours(catalog.index, embedding.vector[np.newaxis], Ranking(count))
    return [SearchHit(catalog.entries[hit.id], hit.score) for hit in hits]


def read_small_catalog(path: Path) -> Catalog:
    """Read the folder that `resonance index` wrote, or the file that `write_small_catalog` or `resonance embed` wrote.

    Raises CatalogError for anything else.
    """
    if path.is_dir():
        return read_catalog(path)
    try:
        with open_archive(path) as file:
            arrays = open_arrays(file)
            verify_checksums(file)
            model = read_model(arrays)
            if KEYS in arrays and PATHS not in arrays:
                raise ValueError(
                    "it is a file of vectors without paths, as `beet resonance vectors export` writes; `resonance "
                    "embed` and `python -m resonance_engine.ondevice embed` write catalogs"
                )
            if missing := {PATHS, EMBEDDINGS} - arrays.keys():
                raise ValueError(f"it lacks the array {min(missing)}")
            paths, vectors = arrays[PATHS], arrays[EMBEDDINGS]
            if paths.dtype.kind != "U" or vectors.dtype not in VECTOR_TYPES:
                raise ValueError("its paths are no texts, or its embeddings no numbers")
            if vectors.shape != (*paths.shape, model.dimensions):
                raise ValueError(f"its embeddings are of the shape {vectors.shape}")
            labels, matrix = paths.read().tolist(), vectors.read().astype(np.float32)
    except OSError as error:
        raise CatalogError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogError(f"{printable(path)} cannot be searched: {error}.") from error
    if not (np.abs(matrix) <= LARGEST).all():
        raise CatalogError(f"{printable(path)} holds vectors that no model made; write it again.")
    entries = {number: CatalogEntry(number, label, "", "") for number, label in enumerate(labels)}
    rounded = matrix.astype(FLOAT16).astype(np.float32)
    return Catalog(entries, VectorIndex(np.arange(len(labels)), rounded), model.id)


def write_small_catalog(path: Path, labels: Sequence[str], embeddings: Sequence[Embedding], model: Model) -> None:
    """Write a catalog of embeddings, each with what its track is called, as one file; CatalogError where impossible."""
    buffer = io.BytesIO()
    vectors = np.array([embedding.vector for embedding in embeddings], FLOAT16).reshape(-1, model.dimensions)
    arrays = {MANIFEST: np.array(write_manifest(model)), PATHS: np.array(labels, np.str_), EMBEDDINGS: vectors}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # no name is that of another argument
    try:
        write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise CatalogError(f"{printable(path)} cannot be written: {error.strerror}.") from error


def read_wav(path: Path) -> tuple[NDArray[Any], int]:
    """Return samples, which stay in the file until they are used, and rate of a WAV file of 16 bits or float32."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks with tags
            rate, samples = wavfile.read(path, mmap=True)
    except OSError as error:
        raise AudioError(path, f"it cannot be opened ({error.strerror})") from error
    except Exception as error:  # scipy raises many kinds for a file that is none
        raise AudioError(path, "it is no WAV file of 16 bits or float32, or it is damaged") from error
    return samples, int(rate)


def embed_wav(embedder: BufferEmbedder, path: Path) -> Embedding:
    """Return the embedding of a WAV file; AudioError where it has none."""
    samples, rate = read_wav(path)
    try:
        return embedder.embed(samples, rate)
    except ValueError as error:
        raise AudioError(path, str(error)) from error


def run_embed(options: argparse.Namespace) -> None:
    verify_target(options.out, "embed --out", (SUFFIX,), partial(is_vector_file, with_keys=False), SMALL_CATALOG)
    embedder = BufferEmbedder(options.model)
    labels, embeddings = [], []
    for path in options.files:
        try:
            embeddings.append(embed_wav(embedder, path))
        except AudioError as error:
            complain(error)
            continue
        labels.append(str(path))
    if not labels:
        raise ResonanceError("Nothing could be embedded; see the lines above.")
    write_small_catalog(options.out, labels, embeddings, embedder.model)
    failed = len(options.files) - len(labels)
    print_line(f"{format_count(len(labels))} in {printable(options.out)}, {failed:,} failed")


def run_query(options: argparse.Namespace) -> None:
    catalog = read_small_catalog(options.catalog)
    embedder = BufferEmbedder(options.model)
    for hit in search_catalog(catalog, embedder, embed_wav(embedder, options.file), options.topk):
        print_line(f"{hit.score:.3f}  {hit.entry.label}")


def build_parser() -> argparse.ArgumentParser:
    parser = SentenceParser(prog="python -m resonance_engine.ondevice", description="Embed and search WAV files.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    embed = verbs.add_parser("embed", help="write a catalog of WAV files as one file")
    embed.add_argument("files", type=Path, nargs="+", metavar="FILE.wav", help="16 bits or float32")
    embed.add_argument(
        "--out", type=Path, required=True, metavar="FILE.npz",
        help="the catalog; an existing one is replaced, any other file is not",
    )  # fmt: skip
    query = verbs.add_parser("query", help="list the tracks of a catalog that a WAV file sounds like")
    query.add_argument("file", type=Path, metavar="FILE.wav", help="16 bits or float32")
    query.add_argument("--catalog", type=Path, required=True, help="folder of `resonance index`, or .npz of embed")
    query.add_argument("--topk", type=positive, default=USUAL_COUNT, metavar="K", help=f"how many ({USUAL_COUNT})")
    for verb, run in ((embed, run_embed), (query, run_query)):
        verb.add_argument("--model", type=Path, default=SHIPPED, help="model file or folder, or default-int8 (default)")
        verb.set_defaults(run=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = build_parser().parse_args(arguments)
    return guard_output(lambda: report_errors(options.run, options))


if __name__ == "__main__":
    sys.exit(main())
