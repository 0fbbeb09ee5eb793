"""Write the folder of a model as a whole, and remove it without touching other files."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from beetsplug.resonance.library.models import MODEL_FILE
from resonance_engine.encoder.model_files import BASE_FILE
from resonance_engine.errors import ModelError, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.training.finetune import FineTuned
    from resonance_engine.training.results.validation import ModelComparison

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "CARD.md"
FILES = (MODEL_FILE, BASE_FILE, WEIGHTS_FILE, CARD_FILE)


def save_model(tuned: FineTuned, name: str, folder: Path) -> None:
    """Export a trained model into a folder of its own, with weights and card; raises ModelError where it cannot be."""
    from resonance_engine.network.export import export_onnx
    from resonance_engine.network.files import save_network

    def write(unfinished: Path) -> None:
        manifest = save_network(
            tuned.network, replace(tuned.manifest, name=name, version="1"), unfinished / WEIGHTS_FILE
        )
        (unfinished / CARD_FILE).write_text(model_card(manifest, tuned.judgement), encoding="utf-8")
        export_onnx(tuned.network, manifest, unfinished / MODEL_FILE)

    write_folder(folder, write)


def model_card(manifest: Manifest, judgement: ModelComparison) -> str:
    """Return the model card in Markdown: origin, id and held-out metrics."""
    values = judgement.before.items()
    rows = "\n".join(f"| {task} | {value:.3f} | {judgement.after[task]:.3f} |" for task, value in values)
    low, high = judgement.interval
    return f"""# Model card: {manifest.name} {manifest.version}

The model that comes with Resonance, fine-tuned on the music of one library on {date.today():%Y-%m-%d}.
Model id `{manifest.id}`.

On {judgement.queries:,} held-out queries (`album` and `artist` are mean average precisions; tracks of
the query's artist are left out for `album`, of its album for `artist`):

| | before | after |
|---|---|---|
{rows}

Difference of `album`: {judgement.difference:+.3f} (95 % interval {low:+.3f} to {high:+.3f}).
{judgement.sentence}
"""


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, which appears when it is complete; raises ModelError where that is impossible."""
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        try:
            unfinished.mkdir(parents=True)
            write(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"The model cannot be kept in {printable(folder)}: {error.strerror}.") from error


def remove_folder(folder: Path) -> bool:
    """Delete the files of a model that was trained or added, and its folder if that is empty; return whether it was."""
    if folder.is_symlink():
        return False
    for name in FILES:
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # other files are in it
        return False
    with suppress(OSError):  # other models are in it
        folder.parent.rmdir()
    return True
