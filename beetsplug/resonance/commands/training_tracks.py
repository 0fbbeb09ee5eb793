"""The tracks that `train` learns from, with the embeddings of their windows: what is stored, and what time allows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import exclusive_analysis
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import estimate_seconds, format_duration, format_estimate, format_tracks
from beetsplug.resonance.library.sync import plan_library, recognise
from beetsplug.resonance.library.training_source import song_of
from resonance_engine.console import progress_bar
from resonance_engine.training.data.splits import order_songs

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import Ingest, Job
    from resonance_engine.store.records import Matrix
    from resonance_engine.training.data.songs import Song


@dataclass
class TrainingTracks:
    """Songs, every recording once, and the embeddings (n, d) of the windows of each by the shipped model.

    `left` tracks were not analysed for lack of time; `shortage` is a sentence on those, empty where there are none.
    """

    songs: list[Song] = field(default_factory=list)
    windows: list[Matrix] = field(default_factory=list)
    left: int = 0
    shortage: str = ""


def collect_tracks(
    sidecar: Sidecar, query: list[str], until: float, threads: int | None, log: BeetsLogger
) -> TrainingTracks:
    """Collect the tracks that a query matches; those that the shipped model has not analysed are, until a time.

    `until` is a time of `time.monotonic`. Raises UserError where no track matches, has its file, or can be analysed.
    """
    songs, models, left, shortage = select_songs(sidecar, query), Models(sidecar), 0, ""
    model_id = models.identify(SHIPPED)
    keys, jobs = find_stored(sidecar, query, model_id, songs)
    log.info("{}", describe_work(len(keys), len(jobs), until - time.monotonic()))
    if jobs:
        started = time.monotonic()
        with exclusive_analysis(sidecar, whole=False, log=log), open_ingest(models, SHIPPED, threads) as ingest:
            done = analyse_until(sidecar, ingest, jobs, until, log)
        keys |= {job.item_id: key for job, key in done.items() if key is not None}
        left = len(jobs) - len(done)
        shortage = describe_shortage(sidecar, len(jobs), left, time.monotonic() - started, threads) if left else ""
    if not keys:
        raise UserError(f"resonance: none of these tracks is analysed. {shortage or 'See `beet resonance failures`.'}")
    by_key: dict[bytes, Song] = {}
    for item_id, key in keys.items():
        by_key.setdefault(key, songs[item_id])
    stored = sidecar.store.vectors.windows(by_key, model_id)
    return TrainingTracks(
        [song for key, song in by_key.items() if key in stored],
        [stored[key].vectors for key in by_key if key in stored],
        left,
        shortage,
    )


def select_songs(sidecar: Sidecar, query: list[str]) -> dict[int, Song]:
    """Return the songs, by item id, of the tracks that a query matches and whose files are there."""
    items = list(sidecar.library.items(query))
    if not items:
        raise no_match(sidecar.library, "resonance", query)
    songs = {item.id: song_of(item) for item in items if item.id is not None and item.filepath.is_file()}
    if not songs:
        raise UserError("resonance: none of the tracks has its file; is the disk that they are on there?")
    return songs


def find_stored(
    sidecar: Sidecar, query: list[str], model_id: str, songs: dict[int, Song]
) -> tuple[dict[int, bytes], list[Job]]:
    """Return the content keys, by item id, of songs that a model has analysed, and the jobs to analyse the others.

    The jobs come in an order in which a part of them is of whole artists and albums.
    """
    plan = recognise(sidecar, plan_library(sidecar, model_id, query))
    pending = {job.item_id: job for job in plan.jobs}
    tracks = sidecar.store.tracks.get(sidecar.id, songs.keys() - pending.keys())
    stored = sidecar.store.vectors.embedded({track.content_key for track in tracks.values()}, model_id)
    keys = {item_id: tracks[item_id].content_key for item_id in songs if item_id in tracks}
    ids = list(songs)
    ordered = [ids[place] for place in order_songs(list(songs.values()))]
    return (
        {item_id: key for item_id, key in keys.items() if key in stored},
        [pending[item_id] for item_id in ordered if item_id in pending],
    )


def analyse_until(
    sidecar: Sidecar, ingest: Ingest, jobs: list[Job], until: float, log: BeetsLogger
) -> dict[Job, bytes | None]:
    """Do jobs until a time; return those that are done, with the content key or None for a file that failed.

    Items are linked where the model is the one in use: what is linked can be found.
    """
    active = sidecar.model
    done: dict[Job, bytes | None] = {}
    with progress_bar(len(jobs)) as bar:
        for outcome in ingest.run(jobs, link=active is not None and active.id == ingest.model.id, until=until):
            bar.update(1)
            done[outcome.job] = outcome.key
            if outcome.error is not None:
                bar.clear()
                log.warning("not analysed: {}", outcome.error)
    return done


def describe_work(known: int, pending: int, seconds: float) -> str:
    if not pending:
        return f"learning from {format_tracks(known)}, all analysed already; Ctrl-C gives it up"
    analysed = f"{format_tracks(known)} analysed already, " if known else ""
    return f"{analysed}{pending:,} to analyse within {format_duration(seconds)}; Ctrl-C gives it up"


def describe_shortage(sidecar: Sidecar, pending: int, left: int, seconds: float, threads: int | None) -> str:
    """Return a sentence on what the time was enough for, and what the rest would take."""
    rest = format_estimate(estimate_seconds(sidecar, left, threads))
    return (
        f"{format_duration(seconds)} were enough to analyse {pending - left:,} of {format_tracks(pending)}; the other "
        f"{left:,} take about {rest}: give it more --minutes, or run `beet resonance analyze` first."
    )
