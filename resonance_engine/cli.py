"""`resonance`: index a folder of music, query it, embed files, train on it. The plugin's engine, without beets."""

from __future__ import annotations

import argparse
import io
import os
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine import __version__
from resonance_engine.console import attempted, complain, positive, print_line, use_dashes
from resonance_engine.errors import AudioError, CatalogError, ResonanceError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, with the options of one verb or, without it, of all.

    Verbs, too, may be written with dashes or underscores.
    """
    parser = argparse.ArgumentParser(prog="resonance", description="Find music that sounds alike, offline.")
    parser.add_argument("--version", action="version", version=f"resonance {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in [verb] if verb in VERBS else VERBS:
        VERBS[name](verbs, name)
    return parser


def add_index(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="listen to a folder of music and make a catalog of it", epilog="resonance index ~/Music --out cat"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with music")
    parser.add_argument("--out", type=Path, required=True, metavar="CATALOG", help="folder for the catalog's files")
    configure_index(parser)
    parser.set_defaults(run=run_index)


def add_query(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="find what sounds like a file", epilog="resonance query --audio song.mp3 --index-dir cat"
    )
    configure_query(parser)
    parser.set_defaults(run=run_query)


def add_embed(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="write the embeddings of files to a numpy archive", epilog="resonance embed *.mp3 --out e.npz"
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    configure_model(parser)
    parser.set_defaults(run=run_embed)


def add_training(verbs: Verbs, name: str) -> None:
    """Add a verb of training, whose help is its module's docstring."""
    from resonance_engine.training.commands.common import explain_missing_extra

    underscored = name.replace("-", "_")
    module = import_module(f"resonance_engine.training.commands.{underscored}")
    summary = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    parser = verbs.add_parser(
        name,
        aliases=[underscored] if underscored != name else [],
        help=summary[:1].lower() + summary[1:],
        description=module.__doc__,
    )
    module.configure(parser)
    parser.set_defaults(run=explain_missing_extra(module.run))


def add_train(verbs: Verbs, name: str) -> None:
    from resonance_engine.training.commands import train

    train.configure(verbs.add_parser(name, help="search or refine, by --mode", description=train.__doc__))


VERBS: dict[str, Callable[[Verbs, str], None]] = {
    "index": add_index,
    "query": add_query,
    "embed": add_embed,
    **dict.fromkeys(("precompute", "search", "refine", "evaluate", "export", "onnx-eval"), add_training),
    "train": add_train,
}


def configure_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--load", type=Path, metavar="MODEL", help="model file or folder (the shipped model)")
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


def model_of(options: argparse.Namespace) -> Path:
    from resonance_engine.encoder.model_files import SHIPPED, find_model_file

    if options.load is None:
        return find_model_file(SHIPPED.parent, options.backend)
    from resonance_engine.training.commands.common import check_trained

    check_trained(options.load)
    return find_model_file(options.load, options.backend)


def run_index(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from resonance_engine.catalog import LIBRARY, STORE, CatalogUpdate, music_files
    from resonance_engine.ingest import Ingest
    from resonance_engine.store import Store
    from resonance_engine.worker.worker import WorkerPool

    files = music_files(options.folder)
    if not files:
        raise CatalogError(f"{printable(options.folder)} holds no audio files.")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"{printable(options.out)} cannot be made: {error.strerror}.") from error
    with (
        closing(WorkerPool(model_of(options), options.threads, backend=options.backend)) as pool,
        Store(options.out / STORE) as store,
    ):
        update = CatalogUpdate(options.out, files, Ingest(store, store.libraries.get_or_create(LIBRARY), pool))
        failed = 0
        with tqdm(total=len(update.jobs), unit=" tracks", disable=None) as bar:
            for outcome in update.run():
                bar.update(1)
                if outcome.error is not None:
                    failed += 1
                    complain(outcome.error)
        count = update.export()
    print_line(
        f"{count:,} tracks in {printable(options.out)}, {len(update.jobs) - failed:,} of them new, {failed:,} failed"
    )
    if not count:
        raise CatalogError("Nothing could be analysed; see the lines above.")


def run_query(options: argparse.Namespace) -> None:
    from resonance_engine.catalog import read_catalog
    from resonance_engine.errors import ModelError
    from resonance_engine.search.explain import common_attributes, format_traits
    from resonance_engine.search.query import Ranking
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
        analysed = worker.analyse(options.audio.absolute())
    assert analysed.embedding is not None
    hits = find_neighbours(catalog.index, analysed.embedding.vector[None, :], ranking)
    print_line("Top results:")
    for place, hit in enumerate(hits, start=1):
        entry = catalog.entries[hit.id]
        print_line(f"{place}. {entry.label}  score={hit.score:.3f}")
        if traits := common_attributes(analysed.analysis.attributes if analysed.analysis else {}, entry.attributes):
            print_line(f"   {format_traits(traits)}")


def run_embed(options: argparse.Namespace) -> None:
    import numpy as np

    from resonance_engine.files import write_bytes
    from resonance_engine.worker.worker import Worker

    paths, vectors = [], []
    with closing(Worker(model_of(options), backend=options.backend)) as worker:
        for path in options.paths:
            try:
                embedding = worker.analyse(path.absolute()).embedding
            except AudioError as error:
                complain(error)
                continue
            assert embedding is not None
            paths.append(str(path))
            vectors.append(embedding.vector)
        width = worker.description().dimensions
    matrix = np.stack(vectors) if vectors else np.empty((0, width), np.float32)
    buffer = io.BytesIO()
    np.savez(buffer, paths=np.array(paths, dtype=np.str_), embeddings=matrix)
    try:
        write_bytes(options.out, buffer.getvalue())
    except OSError as error:
        raise ResonanceError(f"{printable(options.out)} cannot be written: {error.strerror}.") from error
    print_line(f"{len(paths):,} embeddings in {printable(options.out)}, {len(options.paths) - len(paths):,} failed")
    if not paths:
        raise ResonanceError("Nothing could be embedded; see the lines above.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = use_dashes(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["train"]:
        from resonance_engine.training.commands.train import replace_by_mode

        given = replace_by_mode(given)
    options = build_parser(given[0].replace("_", "-") if given else None).parse_args(given)
    return attempted(options.run, options)


if __name__ == "__main__":
    sys.exit(main())
