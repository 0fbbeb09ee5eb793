"""The card of an exported model: inputs, evaluation, licence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.network.export import Parity

UNKNOWN = "-"


def format_card(manifest: Manifest, parity: Parity, evaluation: Mapping[str, Any] | None = None) -> str:
    """Format the card in Markdown; `evaluation` is the content of `evaluate`'s JSON file about this model."""
    decoding = manifest.spec.decoding
    lines = [
        f"# Model card: {manifest.name} {manifest.version}",
        "",
        f"Model id `{manifest.id}`. Licence: {manifest.licence}.",
        "",
        f"It hears {decoding.windows} windows of {decoding.seconds:g} s of a track at {decoding.rate} Hz, by "
        f"{', '.join(manifest.modalities)}, and gives {manifest.dimensions} numbers (fusion {manifest.fusion}), so "
        "that tracks that sound alike have a high cosine. `model.onnx` runs; further training starts from "
        "`model.safetensors`, which holds the same weights.",
        "",
        f"The exported file gives PyTorch's numbers: mean error {parity.mae:.1e}, largest {parity.maximum:.1e}, mean "
        f"squared {parity.mse:.1e}, lowest cosine {parity.cosine:.7f}.",
        "",
        "## How good it is",
        "",
        *(
            format_evaluation(evaluation)
            if evaluation
            else ["It was not evaluated; `evaluate`, then `export`, adds numbers here."]
        ),
    ]
    return "\n".join(lines) + "\n"


def format_evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Format the tasks that had queries as a table, with the other numbers below it."""
    yield (
        f"On {evaluation['songs']} held-out songs of {evaluation['albums']} albums; 95 % intervals over albums, and "
        "what a random ranking gives."
    )
    yield ""
    tasks = [task for task in evaluation["tasks"] if task["queries"]]
    if tasks:
        names = list(tasks[0]["metrics"])
        yield f"| task | queries | {' | '.join(names)} |"
        yield "|---|---|" + "---|" * len(names)
        for task in tasks:
            cells = " | ".join(format_estimate(task["metrics"][name]) for name in names)
            yield f"| {task['name']} | {task['queries']} | {cells} |"
        yield ""
    yield f"Segment recall@1: {format_estimate(evaluation['segment_recall'])}."
    yield f"Hub skewness at 10 of raw similarity: {format_number(evaluation['hub_skewness'])}."


def format_estimate(value: Mapping[str, Any]) -> str:
    text = f"{format_number(value['value'])} ({format_number(value['low'])} to {format_number(value['high'])})"
    return text if value.get("chance") is None else f"{text}, chance {format_number(value['chance'])}"


def format_number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
