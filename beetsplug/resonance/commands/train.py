"""beet resonance train [QUERY]: fine-tune the shipped model on the user's own music, and judge what came of it."""

from __future__ import annotations

import math
import os
import shlex
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import NO_TRACKS, confirmed, interactive, tracks
from beetsplug.resonance.commands.models import aligned, use_model
from beetsplug.resonance.commands.status import size
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.model_folder import keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.training.data.songs import Song
    from resonance_engine.training.finetune import FineTuned
    from resonance_engine.training.results.comparison import ModelComparison

PACKAGES = ("onnx", "onnxscript", "safetensors", "torch")  # of the training extra, to train and to export
TASKS = {
    "album": "same album, by other artists (mAP)",
    "artist": "same artist, on other albums (mAP)",
    "segment recall": "windows of the same track (recall@1)",
}


class TrainOptions(NamedTuple):
    """How the user wants it: how long it may take, the model's name, processes, and whether to ask at the end."""

    minutes: float
    name: str | None
    threads: int | None
    sure: bool


def train(sidecar: Sidecar, query: list[str], wish: TrainOptions, log: BeetsLogger) -> None:
    """Fine-tune the shipped model, keep the result if it is better, and take it into use if the user says so."""
    models = sidecar.models
    models.verify_free()
    if wish.name is not None:
        models.verify_new(wish.name)
    models.verify_place()
    verify_extra()
    songs, cache, processes = songs_to_learn(sidecar, query), cache_folder(), sidecar.settings.workers(wish.threads)
    log.info("learning from {} for about {:g} min; Ctrl-C gives it up", tracks(len(songs)), wish.minutes)
    if models.wanted != SHIPPED:
        log.info("it begins with the shipped model and is compared with that one, not with {}", models.wanted)
    try:
        tuned = fine_tuning()(models.weights, songs, cache, wish.minutes, processes, lambda line: log.info("{}", line))
    except KeyboardInterrupt:
        log.warning("stopped, nothing was changed; {}", spent(cache))
        raise
    for line in [*report(tuned.judgement), spent(cache)]:
        ui.print_(line)
    if tuned.judgement.verdict != "better":
        ui.print_("nothing was changed; the new model is not kept")
        return
    settle(sidecar, tuned, wish, log)


def settle(sidecar: Sidecar, tuned: FineTuned, wish: TrainOptions, log: BeetsLogger) -> None:
    """Keep a model that is better, and ask whether it shall be used."""
    name = wish.name or sidecar.models.free_name()
    # Before the question: nobody trains twice because of an answer.
    keep(tuned, name, sidecar.models.folder / name)
    ui.print_(f"the new model is kept as {name}")
    if wish.sure or (interactive() and confirmed("Take the new model into use?")):
        use_model(sidecar, name, wish.threads, log)
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


def fine_tuning() -> Callable[[Path, list[Song], Path, float, int, Callable[[str], None]], FineTuned]:
    try:
        from resonance_engine.training.finetune import fine_tune
    except ImportError as error:
        raise UserError(
            f"resonance: a package that training needs does not load ({error}); install it again with "
            "`pip install 'beets-resonance[train]'`"
        ) from error
    return fine_tune


def songs_to_learn(sidecar: Sidecar, query: list[str]) -> list[Song]:
    """What the library knows of the tracks that match, without those whose files are missing."""
    from beetsplug.resonance.library.training_source import song_of

    items = list(sidecar.library.items(query))
    if not items:
        words = shlex.join(query)
        raise UserError(f"resonance: no track matches {words}; try `beet ls {words}`" if query else NO_TRACKS)
    songs = [song_of(item) for item in items if item.filepath.is_file()]
    if not songs:
        raise UserError("resonance: none of the tracks has its file; is the disk that they are on there?")
    return songs


def report(judgement: ModelComparison) -> list[str]:
    """The held-out numbers before and after, and what follows from them."""
    rows = [("held out", "before", "after")]
    rows += [(TASKS[task], shown(before), shown(judgement.after[task])) for task, before in judgement.before.items()]
    return [*aligned(rows), judgement.sentence]


def shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def cache_folder() -> Path:
    """Where what is measured of tracks for training is kept: it is large, can be made again, and needs no backup."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache") / "resonance" / "training"


def spent(cache: Path) -> str:
    """How large the cache is, and that it may go."""
    total = 0
    for path in cache.glob("*"):
        with suppress(OSError):  # a database's second file that goes with the first one's last reader
            total += path.stat().st_size
    return f"{cache} holds {size(total)} measured of your tracks, for the next training; delete it whenever you like"
