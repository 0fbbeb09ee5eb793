"""How good a model is on the held-out songs: a table, evaluation.json and pictures, beside the model or in --out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import print_line
from resonance_engine.errors import ModelError, printable
from resonance_engine.training.commands.common import add_options, config_of, find_trained_model
from resonance_engine.training.commands.progress import load_music

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song
    from resonance_engine.training.results.embed import Embeddings

NUMBERS, TABLE, LOG = "evaluation.json", "evaluation.txt", "log.csv"


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "load", "device", "beets", "processes")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the results go (the model's folder)")


def run(options: argparse.Namespace) -> None:
    from resonance_engine.evaluation.evaluate import EvaluatedTracks, evaluate_model
    from resonance_engine.evaluation.report import format_report
    from resonance_engine.training.results.validation import select_evaluated
    from resonance_engine.training.tuning.runs import write_file

    config = config_of(options)
    model = find_trained_model(options.load)
    manifest, embed = load_embedder(model, options.device)
    check_spec(manifest, config, model)
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
    from resonance_engine.training.results.embed import embed_windows, embed_with

    if backend_of(model) == "onnx":
        backend = OnnxBackend(model)
        return backend.manifest, lambda windows: embed_with(backend.run, windows)
    from resonance_engine.network.files import load_network
    from resonance_engine.training.learning.device import select_device as device_of

    network, manifest = load_network(model)
    place = device_of(device)
    return manifest, lambda windows: embed_windows(network, windows, place)


def check_spec(manifest: Manifest, config: Config, model: Path) -> None:
    """Raise ModelError unless the settings describe the features that the model was trained on."""
    if manifest.spec != config.spec:
        raise ModelError(
            f"{printable(model)} listens to other features than the settings describe; give --config the settings that "
            "it was trained with, such as the config.yaml in its folder."
        )


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
