"""beet resonance train [QUERY]: fine-tune the shipped model on the user's music, and evaluate the result."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns, confirm, format_size, is_interactive
from beetsplug.resonance.commands.models import use_model
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.model_folder import save_model
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import format_tracks

if TYPE_CHECKING:
    from collections.abc import Callable
    from optparse import Values

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.training.data.songs import Song
    from resonance_engine.training.finetune import FineTuned
    from resonance_engine.training.results.validation import ModelComparison

PACKAGES = ("onnx", "onnxscript", "safetensors", "torch")  # of the training extra, to train and to export
TASKS = {
    "album": "same album, by other artists (mAP)",
    "artist": "same artist, on other albums (mAP)",
    "segment recall": "windows of the same track (recall@1)",
}


def train(sidecar: Sidecar, query: list[str], minutes: float, opts: Values, log: BeetsLogger) -> None:
    """Fine-tune the shipped model, keep the result if it is better, and take it into use if the user agrees."""
    models = Models(sidecar)
    models.verify_free()
    if opts.name is not None:
        models.verify_new(opts.name)
    models.verify_writable()
    verify_extra()
    songs, cache, processes = select_songs(sidecar, query), cache_folder(), sidecar.settings.workers(opts.threads)
    log.info("learning from {} for about {:g} min; Ctrl-C gives it up", format_tracks(len(songs)), minutes)
    if models.wanted != SHIPPED:
        log.info("it begins with the shipped model and is compared with that one, not with {}", models.wanted)
    shipped = sidecar.runtime.shipped
    try:
        tuned = load_fine_tuning()(shipped, songs, cache, minutes, processes, lambda line: log.info("{}", line))
    except KeyboardInterrupt:
        log.warning("stopped, nothing was changed; {}", describe_cache(cache))
        raise
    for line in [*report(tuned.judgement), describe_cache(cache)]:
        ui.print_(line)
    if tuned.judgement.verdict != "better":
        ui.print_("nothing was changed; the new model is not kept")
        return
    keep_model(sidecar, tuned, opts, log)


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
            "`pip install 'beets-resonance[train]'`"
        )


def load_fine_tuning() -> Callable[[Path, list[Song], Path, float, int, Callable[[str], None]], FineTuned]:
    try:
        from resonance_engine.training.finetune import fine_tune
    except ImportError as error:
        raise UserError(
            f"resonance: a package that training needs does not load ({error}); install it again with "
            "`pip install 'beets-resonance[train]'`"
        ) from error
    return fine_tune


def select_songs(sidecar: Sidecar, query: list[str]) -> list[Song]:
    """Return the songs of the tracks that a query matches and whose files are there."""
    from beetsplug.resonance.library.training_source import song_of

    items = list(sidecar.library.items(query))
    if not items:
        raise no_match("resonance", query)
    songs = [song_of(item) for item in items if item.filepath.is_file()]
    if not songs:
        raise UserError("resonance: none of the tracks has its file; is the disk that they are on there?")
    return songs


def report(judgement: ModelComparison) -> list[str]:
    """Return the held-out metrics before and after as a table, and the conclusion."""
    rows = [("held out", "before", "after")]
    rows += [
        (TASKS[task], format_metric(before), format_metric(judgement.after[task]))
        for task, before in judgement.before.items()
    ]
    return [*align_columns(rows), judgement.sentence]


def format_metric(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def cache_folder() -> Path:
    """Return the folder of the feature cache, which is large, can be made again, and needs no backup."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache") / "resonance" / "training"


def describe_cache(cache: Path) -> str:
    """Return the size of the cache, and that it may be deleted."""
    total = 0
    for path in cache.glob("*"):
        with suppress(OSError):  # a database's second file that goes with the first one's last reader
            total += path.stat().st_size
    size = format_size(total)
    return f"{cache} holds {size} measured of your tracks, for the next training; delete it whenever you like"
