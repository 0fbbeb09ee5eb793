"""Compare an exported model with the weights that it was made from, in numbers and, with --timeit, in speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from resonance_engine.errors import ModelError, printable
from resonance_engine.training.commands.common import add_options, find_trained_model
from resonance_engine.training.commands.export import EXPORT, MODEL

if TYPE_CHECKING:
    import argparse

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.training.results.parity import Inputs


def configure(parser: argparse.ArgumentParser) -> None:
    model = EXPORT / MODEL
    parser.add_argument("--onnx", type=Path, default=model, metavar="FILE", help=f"the exported model ({model})")
    add_options(parser, "load", "config", "set", "cache-dir")
    parser.add_argument("--timeit", action="store_true", help="time both, on one thread each")
    parser.add_argument("--runs", type=positive, default=50, metavar="N", help="runs to time (50)")
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="windows at a time (1)")
    parser.epilog = "The exit status is 1 where the numbers differ by more than the tolerance."


def run(options: argparse.Namespace) -> None:
    weights = find_trained_model(options.load, weights=True)
    if not options.onnx.is_file():
        raise ModelError(f"There is no exported model {printable(options.onnx)}; make one with `export`.")

    from resonance_engine.encoder.backends import OnnxBackend
    from resonance_engine.network.files import TorchBackend
    from resonance_engine.training.results.parity import compare_outputs, time_backends

    exported, original = OnnxBackend(options.onnx), TorchBackend(weights)
    if exported.manifest.id != original.manifest.id:
        raise ModelError(
            f"{printable(options.onnx)} ({exported.manifest.id}) was not exported from {printable(weights)} "
            f"({original.manifest.id}); export it again, or name the other with --load."
        )
    origin, inputs = load_windows(original.manifest, options.cache_dir)
    parity = compare_outputs(exported, original, inputs, options.batch)
    print_line(f"{len(next(iter(inputs.values())))} windows {origin}, {options.batch} at a time")
    for name, value, bound in parity.against_tolerances():
        print_line(f"  {name:<18} {value:<12.3g} must be {bound}")
    if options.timeit:
        times = time_backends(exported, original, inputs, options.batch, options.runs)
        print_line(
            f"PyTorch {1000 * times.torch:.2f} ms, onnxruntime {1000 * times.onnx:.2f} ms (medians of {options.runs} "
            f"runs, one thread): {times.torch / times.onnx:.2f} times as fast"
        )
    if not parity.is_within_tolerances:
        raise ModelError(
            f"{printable(options.onnx)} does not give PyTorch's numbers; export it again, for a fixed batch or with "
            "another version of torch."
        )


def load_windows(manifest: Manifest, cache: Path) -> tuple[str, Inputs]:
    """Return the origin and windows to compare on: of cached songs where there are any, else random ones."""
    from resonance_engine.training.results.parity import draw_windows, read_cached_windows

    cached = read_cached_windows(cache, manifest)
    return ("from the feature cache", cached) if cached else ("of random numbers", draw_windows(manifest))
