"""Commands on a trained model: evaluate, export, onnx-eval, and a catalog with it: index_build, query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.commands import BEST, configure_index, configure_query, run_index, run_query
from resonance_engine.console import positive, print_line
from resonance_engine.errors import ModelError, ResonanceError, printable
from resonance_engine.training.commands.common import (
    add_options,
    config_of,
    find_trained_model,
    load_music,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song
    from resonance_engine.training.results.validation import Embeddings

NUMBERS, TABLE, LOG = "evaluation.json", "evaluation.txt", "log.csv"
EXPORT, CATALOG = Path("export"), Path("catalog")
MODEL, WEIGHTS, CARD = "model.onnx", "model.safetensors", "CARD.md"


def configure_evaluate(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "load", "device", "beets", "processes")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the results go (the model's folder)")


def run_evaluate(options: argparse.Namespace) -> None:
    """How good a model is on the held-out songs: a table, evaluation.json and pictures, beside the model or in
    --out.
    """
    from resonance_engine.evaluation.evaluate import EvaluatedTracks, evaluate_model
    from resonance_engine.evaluation.report import format_report
    from resonance_engine.training.results.validation import select_evaluated
    from resonance_engine.training.tuning.runs import write_file

    config = config_of(options)
    model = find_trained_model(options.load)
    manifest, embed = load_embedder(model, options.device)
    if manifest.spec != config.spec:
        raise ModelError(
            f"{printable(model)} takes other features than the settings describe; give --config the settings that "
            "it was trained with, such as the config.yaml in its folder."
        )
    with load_music(config, options) as material:
        songs = [material.songs[each] for each in material.held_out]
        chosen = select_evaluated(songs)
        windows, songs = material.windows(material.held_out).subset(chosen), [songs[place] for place in chosen]
        embeddings = embed(windows)
    report = evaluate_model(
        (manifest.name, manifest.id),
        manifest.modalities,
        songs,
        EvaluatedTracks(embeddings.tracks, embeddings.windows, windows.song, embeddings.gates),
    )
    folder = options.out or model.parent
    write_file(folder / NUMBERS, report.to_json().encode())
    write_file(folder / TABLE, format_report(report).encode())
    draw_figures(folder, model.parent / LOG, report.model, manifest, songs, embeddings)
    print_line(format_report(report) + f"\nNumbers and pictures: {printable(folder)}")


def load_embedder(model: Path, device: str) -> tuple[Manifest, Callable[[WindowSet], Embeddings]]:
    """Load a model file; returns its manifest and a function that embeds windows with it."""
    from resonance_engine.encoder.backends import OnnxBackend
    from resonance_engine.encoder.model_files import backend_of
    from resonance_engine.training.results.validation import embed_windows, embed_with

    if backend_of(model) == "onnx":
        backend = OnnxBackend(model)
        return backend.manifest, lambda windows: embed_with(backend.run, windows)
    from resonance_engine.network.files import load_network
    from resonance_engine.training.learning.device import select_device as device_of

    network, manifest = load_network(model)
    place = device_of(device)
    return manifest, lambda windows: embed_windows(network, windows, place)


def draw_figures(
    folder: Path, log: Path, name: str, manifest: Manifest, songs: Sequence[Song], embeddings: Embeddings
) -> None:
    """Write the figures; the training curve only where the run's log exists."""
    from resonance_engine.training.results.plots import (
        draw_gates,
        draw_projection,
        draw_training,
        read_log,
        save_figure,
    )

    columns = read_log(log) if log.exists() else None
    if columns:
        save_figure(draw_training(columns), folder / "training.png")
    save_figure(draw_gates(embeddings.gates, manifest.modalities, columns), folder / "gates.png")
    title = f"{len(songs):,} held-out songs, model {name}"
    save_figure(draw_projection(embeddings.tracks, [song.album for song in songs], title), folder / "projection.png")


def configure_export(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "load", "config", "set")
    parser.add_argument("--outdir", type=Path, default=EXPORT, metavar="DIR", help=f"folder for the model ({EXPORT})")
    parser.add_argument("--formats", nargs="+", default=["onnx"], metavar="FORMAT", help="onnx, the only one")
    parser.add_argument("--batch", type=positive, metavar="N", help="fixed number of windows at a time (any number)")
    parser.epilog = "The model file says how it was made; --config and --set are accepted and not needed."


def run_export(options: argparse.Namespace) -> None:
    """Write a trained model as ONNX, checked against PyTorch, with its weights and a card."""
    unknown = [name for given in options.formats for name in given.split(",") if name != "onnx"]
    if unknown:
        raise ResonanceError(f"The format {unknown[0]!r} cannot be written; onnx can: --formats onnx.")
    weights = find_trained_model(options.load, weights=True)

    from resonance_engine.network.export import export_onnx
    from resonance_engine.network.files import load_network, save_network
    from resonance_engine.training.results.parity import format_card
    from resonance_engine.training.tuning.runs import make_folder, read_json, write_file

    network, manifest = load_network(weights)
    folder = options.outdir
    make_folder(folder)
    verify_export(folder)
    try:
        parity = export_onnx(network, manifest, folder / MODEL, options.batch)
        save_network(network, manifest, folder / WEIGHTS)
    except OSError as error:
        raise ResonanceError(f"{printable(folder)} cannot be written to: {error.strerror}.") from error
    evaluation = read_json(weights.with_name(NUMBERS))
    own = evaluation if evaluation and evaluation.get("model_id") == manifest.id else None
    write_file(folder / CARD, format_card(manifest, parity, own).encode())
    print_line(
        f"{printable(folder / MODEL)}: {manifest.name} {manifest.version} ({manifest.id}); against PyTorch mean error "
        f"{parity.mae:.1e}, largest {parity.maximum:.1e}, lowest cosine {parity.cosine:.7f}"
    )


def verify_export(folder: Path) -> None:
    """Raise TargetError for a folder in which an export would replace a file that no export wrote."""
    from resonance_engine.files import verify_target
    from resonance_engine.network.files import is_model_file
    from resonance_engine.training.results.parity import is_card

    for name, is_own in ((MODEL, is_model_file), (WEIGHTS, is_model_file), (CARD, is_card)):
        verify_target(folder / name, "export --outdir", (Path(name).suffix,), is_own, "file that an export wrote")


def configure_onnx_eval(parser: argparse.ArgumentParser) -> None:
    model = EXPORT / MODEL
    parser.add_argument("--onnx", type=Path, default=model, metavar="FILE", help=f"the exported model ({model})")
    add_options(parser, "load", "config", "set", "cache-dir")
    parser.add_argument("--timeit", action="store_true", help="time both, on one thread each")
    parser.add_argument("--runs", type=positive, default=50, metavar="N", help="runs to time (50)")
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="windows at a time (1)")
    parser.epilog = "The exit status is 1 where the numbers differ by more than the tolerance."


def run_onnx_eval(options: argparse.Namespace) -> None:
    """Compare an exported model with the weights that it was made from, in numbers and, with --timeit, in speed."""
    weights = find_trained_model(options.load, weights=True)
    if not options.onnx.is_file():
        raise ModelError(f"There is no exported model {printable(options.onnx)}; make one with `export`.")

    from resonance_engine.encoder.backends import OnnxBackend
    from resonance_engine.network.files import TorchBackend
    from resonance_engine.training.results.parity import compare_outputs, load_windows, time_backends

    exported, original = OnnxBackend(options.onnx), TorchBackend(weights)
    if exported.manifest.id != original.manifest.id:
        raise ModelError(
            f"{printable(options.onnx)} ({exported.manifest.id}) was not exported from {printable(weights)} "
            f"({original.manifest.id}); export it again, or name the other with --load."
        )
    origin, inputs = load_windows(options.cache_dir, original.manifest)
    parity = compare_outputs(exported, original, inputs, options.batch)
    print_line(f"{len(next(iter(inputs.values())))} windows {origin}, {options.batch} at a time")
    for name, value, bound in parity.against_tolerances():
        print_line(f"  {name:<18} {value:<12.3g} must be {bound}")
    if options.timeit:
        pytorch, onnx = time_backends(original, exported, inputs, options.batch, options.runs)
        print_line(
            f"PyTorch {1000 * pytorch:.2f} ms, onnxruntime {1000 * onnx:.2f} ms (medians of {options.runs} "
            f"runs, one thread): {pytorch / onnx:.2f} times as fast"
        )
    if not parity.is_within_tolerances:
        raise ModelError(
            f"{printable(options.onnx)} does not give PyTorch's numbers; export it again, for a fixed batch or with "
            "another version of torch."
        )


def configure_index_build(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir")
    parser.add_argument("--out-dir", type=Path, default=CATALOG, metavar="DIR", help=f"the catalog ({CATALOG})")
    configure_index(parser)
    parser.set_defaults(load=BEST)
    parser.epilog = "The files are analysed by themselves: a catalog needs their content keys, not cached features."


def run_index_build(options: argparse.Namespace) -> None:
    """Make a catalog of the music under data.root, as `resonance index` does."""
    root = config_of(options).data.root
    if not root:
        raise ResonanceError("The settings name no folder of music; name one with --set data.root=FOLDER.")
    from resonance_engine.files import expand_home

    options.folder, options.out = expand_home(root), options.out_dir
    run_index(options)


def configure_catalog_query(parser: argparse.ArgumentParser) -> None:
    configure_query(parser, CATALOG)
    parser.set_defaults(load=BEST)


def run_catalog_query(options: argparse.Namespace) -> None:
    """Find what sounds like a file in a catalog, as `resonance query` does, with the trained model."""
    run_query(options)
