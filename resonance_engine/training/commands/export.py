"""Write a trained model as ONNX, checked against PyTorch, with its weights and a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from resonance_engine.errors import ResonanceError, printable
from resonance_engine.training.commands.common import add_options, find_trained_model

if TYPE_CHECKING:
    import argparse

EXPORT = Path("export")
MODEL, WEIGHTS, CARD = "model.onnx", "model.safetensors", "CARD.md"


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "load", "config", "set")
    parser.add_argument("--outdir", type=Path, default=EXPORT, metavar="DIR", help=f"folder for the model ({EXPORT})")
    parser.add_argument("--formats", nargs="+", default=["onnx"], metavar="FORMAT", help="onnx, the only one")
    parser.add_argument("--batch", type=positive, metavar="N", help="fixed number of windows at a time (any number)")
    parser.epilog = "The model file says how it was made; --config and --set are accepted and not needed."


def run(options: argparse.Namespace) -> None:
    unknown = [name for given in options.formats for name in given.split(",") if name != "onnx"]
    if unknown:
        raise ResonanceError(f"The format {unknown[0]!r} cannot be written; onnx can: --formats onnx.")
    weights = find_trained_model(options.load, weights=True)

    from resonance_engine.network.export import export_onnx
    from resonance_engine.network.files import load_network, save_network
    from resonance_engine.training.commands.evaluate import NUMBERS
    from resonance_engine.training.results.card import format_card
    from resonance_engine.training.tuning.runs import make_folder, write_file

    network, manifest = load_network(weights)
    folder = options.outdir
    make_folder(folder)
    try:
        parity = export_onnx(network, manifest, folder / MODEL, options.batch)
        save_network(network, manifest, folder / WEIGHTS)
    except OSError as error:
        raise ResonanceError(f"{printable(folder)} cannot be written to: {error.strerror}.") from error
    write_file(
        folder / CARD, format_card(manifest, parity, read_evaluation(weights.with_name(NUMBERS), manifest.id)).encode()
    )
    print_line(
        f"{printable(folder / MODEL)}: {manifest.name} {manifest.version} ({manifest.id}); against PyTorch mean error "
        f"{parity.mae:.1e}, largest {parity.maximum:.1e}, lowest cosine {parity.cosine:.7f}"
    )


def read_evaluation(path: Path, model_id: str) -> dict[str, object] | None:
    """Read the evaluation of this model, or None."""
    try:
        document = json.loads(path.read_bytes())
        return document if document["model_id"] == model_id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
