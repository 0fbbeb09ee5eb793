"""beet resonance train [QUERY]: fine-tune the shipped model on the user's music, and evaluate the result."""

from __future__ import annotations

import math
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns, confirm, is_interactive
from beetsplug.resonance.commands.models import use_model
from beetsplug.resonance.commands.training_tracks import collect_tracks
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.model_folder import save_model
from beetsplug.resonance.library.models import Models
from resonance_engine.errors import TRAINING_EXTRA, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from optparse import Values
    from pathlib import Path

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store.records import Matrix
    from resonance_engine.training.data.songs import Song
    from resonance_engine.training.finetune import FineTuned
    from resonance_engine.training.results.validation import ModelComparison

    FineTune = Callable[[Path, Sequence[Song], Sequence[Matrix]], FineTuned]

PACKAGES = ("onnx", "onnxscript", "safetensors", "torch")  # of the training extra, to train and to export
FINISH_SECONDS = 20.0  # to load PyTorch, fit, compare and save
FINISH_SHARE = 1 / 3  # of the time, at most
TASKS = {
    "album": "same album, by other artists (mAP)",
    "artist": "same artist, on other albums (mAP)",
    "segment recall": "windows of the same track (recall@1)",
}


def train(sidecar: Sidecar, query: list[str], minutes: float, opts: Values, log: BeetsLogger) -> None:
    """Fine-tune the shipped model, keep the result if it is better, and take it into use if the user agrees."""
    models, until = Models(sidecar), time.monotonic() + analysis_seconds(minutes)
    models.verify_free()
    if opts.name is not None:
        models.verify_new(opts.name)
    models.verify_writable()
    verify_extra()
    if models.wanted != SHIPPED:
        log.info("it begins with the shipped model and is compared with that one, not with {}", models.wanted)
    try:
        tracks = collect_tracks(sidecar, query, until, opts.threads, log)
        tuned = load_fine_tuning()(sidecar.runtime.shipped, tracks.songs, tracks.windows)
    except KeyboardInterrupt:
        log.warning("stopped; no model was made, what was analysed is kept")
        raise
    except ConfigError as error:  # nothing can be held out
        if tracks.left:
            raise UserError(f"resonance: too few tracks are analysed to learn from. {tracks.shortage}") from error
        raise
    ui.print_(f"learned from {tuned.learned:,} tracks, judged by {tuned.judged:,} others")
    for line in report(tuned.judgement, tracks.shortage):
        ui.print_(line)
    if tuned.judgement.verdict != "better":
        ui.print_("nothing was changed; the new model is not kept")
        return
    keep_model(sidecar, tuned, opts, log)


def analysis_seconds(minutes: float) -> float:
    """Return the seconds of so many minutes that may go into the analysis of tracks."""
    return max(60 * minutes - FINISH_SECONDS, 60 * minutes * (1 - FINISH_SHARE))


def keep_model(sidecar: Sidecar, tuned: FineTuned, opts: Values, log: BeetsLogger) -> None:
    """Save a model that is better, and take it into use if the user agrees."""
    models = Models(sidecar)
    name = opts.name or models.free_name()
    # Before the question: an interrupt there must not cost the training.
    save_model(tuned, name, models.folder / name)
    ui.print_(f"the new model is kept as {name}")
    if opts.yes or (is_interactive() and confirm("Take the new model into use?")):
        use_model(sidecar, name, opts.threads, log)
    else:
        ui.print_(
            f"`beet resonance model use {name}` takes it into use, `beet resonance model remove {name}` deletes it"
        )


def verify_extra() -> None:
    """Raise UserError where a package that training needs is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"resonance: training needs {' and '.join(missing)}; install them into beets' environment with "
            f"{TRAINING_EXTRA}"
        )


def load_fine_tuning() -> FineTune:
    try:
        from resonance_engine.training.finetune import fine_tune
    except ImportError as error:
        raise UserError(
            f"resonance: a package that training needs does not load ({error}); install it again with {TRAINING_EXTRA}"
        ) from error
    return fine_tune


def report(judgement: ModelComparison, shortage: str) -> list[str]:
    """Return the held-out metrics before and after as a table, and the conclusion.

    Where it cannot be told, the `shortage` of analysed tracks, if any, is to blame rather than the music.
    """
    rows = [("held out", "before", "after")]
    rows += [
        (TASKS[task], format_metric(before), format_metric(judgement.after[task]))
        for task, before in judgement.before.items()
    ]
    if shortage and judgement.verdict == "cannot tell":
        return [*align_columns(rows), f"Whether it is better cannot be told from so few tracks. {shortage}"]
    return [*align_columns(rows), judgement.sentence, *([shortage] if shortage else [])]


def format_metric(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
