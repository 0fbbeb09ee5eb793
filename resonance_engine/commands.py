"""The commands index, query and embed: their options, and what they do.

Like `cli`, this loads no more than the standard library until a command runs.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import complain, positive, print_line, progress_bar
from resonance_engine.errors import AudioError, CatalogError, ModelError, ResonanceError, format_count, printable

if TYPE_CHECKING:
    import argparse

    from resonance_engine.exchange.records import ExchangedRecording
    from resonance_engine.worker.worker import FileAnalysis, Worker

BEST = Path("runs") / "best"
"""The folder of the model that `refine` keeps."""


def configure_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--load", type=Path, metavar="MODEL", help="model file or folder, or default-int8 (default)")
    parser.add_argument("--backend", choices=("auto", "onnx", "torch"), default="auto", help="what runs the model")


def configure_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=positive, default=min(os.cpu_count() or 1, 4), metavar="N")
    configure_model(parser)


def configure_query(parser: argparse.ArgumentParser, catalog: Path | None = None) -> None:
    """Add the options of a query; `catalog` is where there is one unless --index-dir says otherwise."""
    parser.add_argument("--audio", type=Path, required=True, metavar="FILE", help="what to start from")
    parser.add_argument(
        "--index-dir", type=Path, required=catalog is None, default=catalog, metavar="CATALOG",
        help="folder of the catalog" + (f" ({catalog})" if catalog else ""),
    )  # fmt: skip
    parser.add_argument("--topk", type=positive, default=20, metavar="K", help="how many tracks (20)")
    parser.add_argument("--prf", type=int, default=0, metavar="N", help="let the first N hits sharpen the query (0)")
    parser.add_argument(
        "--rerank", choices=("none", "mmr"), default="none", help="mmr: fewer tracks that are all alike"
    )
    parser.add_argument(
        "--lambda-div", type=float, default=0.3, metavar="X",
        help="weight of diversity with mmr: 0 is similarity alone, 1 is diversity alone (0.3)",
    )  # fmt: skip
    configure_model(parser)


def configure_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("catalog", type=Path, metavar="CATALOG", help="folder of the catalog")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="answer at this address (127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="the port; 0 takes a free one (8338)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="a name that a reverse proxy passes on; can be repeated",
    )  # fmt: skip
    parser.add_argument("--log-requests", action="store_true", help="log each request")
    configure_model(parser)


def model_of(options: argparse.Namespace) -> Path:
    from resonance_engine.encoder.model_files import SHIPPED, find_model_file

    if options.load is None:
        return find_model_file(SHIPPED.parent, options.backend)
    check_trained(options.load)
    return find_model_file(options.load, options.backend)


def check_trained(load: Path) -> None:
    """Raise ModelError where --load was left out and nothing has been trained yet."""
    if load == BEST and not load.exists():
        raise ModelError(f"There is no model in {load} yet; make one with `refine`, or name another with --load.")


def run_index(options: argparse.Namespace) -> None:
    from resonance_engine.audio.music_files import find_music
    from resonance_engine.catalog import LIBRARY, CatalogUpdate, open_catalog_store, verify_catalog_folder
    from resonance_engine.ingest import USUAL_SECONDS, Ingest
    from resonance_engine.worker.worker import WorkerPool

    music = find_music(options.folder)
    left_out = music.describe_left_out()
    if not music.paths:
        raise CatalogError(f"{printable(options.folder)} holds no audio files{left_out and f'; {left_out}'}.")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"{printable(options.out)} cannot be made: {error.strerror}.") from error
    verify_catalog_folder(options.out)
    with (
        open_catalog_store(options.out) as store,
        closing(WorkerPool(model_of(options), options.threads, backend=options.backend)) as pool,
    ):
        update = CatalogUpdate(options.out, music.paths, Ingest(store, store.libraries.get_or_create(LIBRARY), pool))
        failed = 0
        with progress_bar(len(update.jobs), USUAL_SECONDS / options.threads) as bar:
            for outcome in update.run():
                bar.update(1)
                if outcome.error is not None:
                    failed += 1
                    bar.clear()
                    complain(outcome.error)
        count = update.export()
    new = len(update.jobs) - failed
    print_line(f"{format_count(count)} in {printable(options.out)}, {new:,} of them new, {failed:,} failed")
    if update.dropped:
        are, were = ("is", "was") if update.dropped == 1 else ("are", "were")
        print_line(
            f"{update.dropped:,} that it had {are} not in {printable(options.folder)}, and {were} dropped from it"
        )
    if left_out:
        print_line(left_out)
    if not count:
        raise CatalogError("Nothing could be analysed; see the lines above.")


def run_query(options: argparse.Namespace) -> None:
    from resonance_engine.catalog_files import read_catalog
    from resonance_engine.search.explain import common_attributes, format_traits
    from resonance_engine.search.ranking import Ranking
    from resonance_engine.search.selection import find_neighbours
    from resonance_engine.worker.worker import Worker

    try:
        ranking = Ranking(options.topk, options.prf, options.rerank, options.lambda_div)
    except ValueError as error:
        raise ResonanceError(f"query: {error}.") from error
    catalog = read_catalog(options.index_dir)
    with closing(Worker(model_of(options), backend=options.backend)) as worker:
        model = worker.description()
        if (model.id, model.dimensions) != (catalog.model_id, catalog.index.dimensions):
            raise ModelError(
                f"{printable(options.index_dir)} was made with another model; name it with --load, or run "
                "`resonance index` again."
            )
        analysed = analyse_file(worker, options.audio)
    assert analysed.embedding is not None
    hits = find_neighbours(catalog.index, analysed.embedding.vector[None, :], ranking)
    print_line("Top results:")
    for place, hit in enumerate(hits, start=1):
        entry = catalog.entries[hit.id]
        print_line(f"{place}. {entry.label}  score={hit.score:.3f}")
        if traits := common_attributes(analysed.analysis.attributes if analysed.analysis else {}, entry.attributes):
            print_line(f"   {format_traits(traits)}")


def run_serve(options: argparse.Namespace) -> None:
    from resonance_engine.server.start import TOKEN_FILE, describe_start, require_packages

    require_packages()
    from resonance_engine.server.catalog_collection import CatalogCollection
    from resonance_engine.server.run import read_or_make_token, run_server
    from resonance_engine.server.settings import make_settings

    collection = CatalogCollection(options.catalog, model_of(options))
    token = options.catalog / TOKEN_FILE
    settings = make_settings(
        options.host, options.port, read_or_make_token(token), options.allow_host, options.log_requests
    )

    def announce(address: str) -> None:
        for line in describe_start(collection.status().tracks, address, settings, token):
            print_line(line)

    run_server(collection, settings, announce)


def analyse_file(worker: Worker, path: Path) -> FileAnalysis:
    """Analyse a file, or what comes out of a pipe; raises AudioError, with the path that was given."""
    from resonance_engine.audio.pipes import seekable_file

    try:
        with seekable_file(path) as file:
            return worker.analyse(file)
    except AudioError as error:
        raise AudioError(path.absolute(), error.reason) from error


def run_embed(options: argparse.Namespace) -> None:
    import numpy as np

    from resonance_engine.exchange.layout import FLOAT32, PATHS, SUFFIX
    from resonance_engine.exchange.reader import VECTOR_FILE, is_vector_file
    from resonance_engine.exchange.writer import collect_vectors
    from resonance_engine.files import verify_target
    from resonance_engine.ingest import to_model
    from resonance_engine.worker.worker import Worker

    verify_target(options.out, "embed --out", (SUFFIX,), is_vector_file, VECTOR_FILE)
    paths = []
    with closing(Worker(model_of(options), backend=options.backend)) as worker:
        model = to_model(worker.description())
        with collect_vectors(options.out, model, embeddings=FLOAT32) as writer:
            for path in options.paths:
                try:
                    writer.add(embed_file(worker, path, options.passages))
                except AudioError as error:
                    complain(error)
                    continue
                paths.append(str(path))
            if not paths:
                raise ResonanceError("Nothing could be embedded; see the lines above.")
            writer.write(options.out, {PATHS: np.array(paths, dtype=np.str_)})
    failed = len(options.paths) - len(paths)
    print_line(f"{format_count(len(paths), 'embedding')} in {printable(options.out)}, {failed:,} failed")


def embed_file(worker: Worker, path: Path, passages: bool) -> ExchangedRecording:
    """Return all that an analysis gives of a file, with `passages` also its dense windows, if it is long enough."""
    from resonance_engine.exchange.records import ExchangedRecording

    analysed = analyse_file(worker, path)
    assert analysed.embedding is not None
    assert analysed.analysis is not None
    windows = None
    if passages:
        try:
            windows = worker.embed_dense(path).windows
        except AudioError as error:
            complain(error)
    return ExchangedRecording(analysed.key, analysed.embedding, analysed.analysis, windows)
