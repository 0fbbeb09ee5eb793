"""The store beside a beets library, opened when it is first needed, and how much of the library it covers."""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.dbcore.pathutils import expand_path_from_db
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.identity import find_library, find_or_register, text_of
from beetsplug.resonance.library.items import NO_TRACKS
from beetsplug.resonance.library.missing_files import MissingFiles
from beetsplug.resonance.library.runtime import Runtime
from resonance_engine.errors import StoreError, format_count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from resonance_engine.ingest import Job
    from resonance_engine.store import Model, Store

State = tuple[int, int]  # size and modification time in ns of a file
WAL = b"-wal"
TICK = 20_000_000  # ns, longer than the clocks of ext4, btrfs, xfs and NFS stand still
FILE_NAME = "resonance.db"
SHARED_FOLDER = "resonance-shared-"  # begins the names of the folders of indexes over shared stores
NO_LIBRARY = 0
LOADING_SECONDS = 2.0  # until a worker has loaded its model
ROUND = (1, 2, 3, 5, 10, 15, 20, 30, 45)  # seconds, then minutes, that an estimate is rounded to


class ItemRow(NamedTuple):
    """The columns of a library item that the sidecar needs; `path` is absolute."""

    id: int
    added: float
    path: bytes

    @classmethod
    def of(cls, item: Item) -> ItemRow:
        assert item.id is not None, "an item of a library has an id"
        return cls(item.id, item.added or 0.0, item.path)

    def job(self) -> Job:
        """Return the job to analyse the item's file."""
        from resonance_engine.ingest import Job

        return Job(self.id, self.added, Path(os.fsdecode(self.path)))


def file_state(path: bytes) -> State | None:
    """Return size and modification time in ns of a file, None where there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - bytes, which may not be text
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def version_of(*databases: bytes) -> str:
    """Return a text that differs whenever the content of databases may: the state of their files.

    Of two changes within a tick of the file system's clock, the second may leave a file's state as it was; so a file
    that was changed this moment is in a state of its own.
    """
    states = [file_state(path) or (0, 0) for each in databases for path in (each, each + WAL)]
    latest = max(moment for _, moment in states)
    now = time.time_ns()
    return "-".join(f"{size:x}.{moment:x}" for size, moment in states) + (f"-{now:x}" if now - latest < TICK else "")


class Coverage(NamedTuple):
    """How much of a library can be searched: its tracks, the embedded and the failed ones, others without a file.

    Events keep the second and third; the last is what the last analysis found, and what changed while the plugin was
    off is counted after the next one only.
    """

    total: int
    embedded: int
    failed: int
    fileless: int = 0

    @property
    def missing(self) -> int:
        """The number of tracks that an analysis would be for."""
        return max(0, self.total - self.embedded - self.failed - self.fileless)


class Sidecar:
    """A beets library's store, which ties its items to recordings. Nothing is ever written to the library itself."""

    def __init__(self, library: Library, settings: Settings | None = None, runtime: Runtime | None = None) -> None:
        self.library = library
        self.settings = settings or Settings()
        self.runtime = runtime or Runtime()

    @cached_property
    def folder(self) -> Path:
        """Where the library's file is, and beside it the indexes, the trained models and the locks."""
        return self.path.parent

    @cached_property
    def path(self) -> Path:
        """The file of the store, unless it is a shared one."""
        database = Path(self.library.path)
        if str(database) == ":memory:":
            raise UserError("resonance keeps its data beside the library's file, and this library has no file")
        return database.with_name(FILE_NAME)

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored; False for a library without a file."""
        return str(self.library.path) != ":memory:" and self.store.database.exists

    @cached_property
    def store(self) -> Store:
        from resonance_engine.store.opening import open_store

        return open_store(self.settings.sidecar or self.path)

    @cached_property
    def index_folder(self) -> Path:
        """Where the index files are; each shared store has a folder of its own."""
        identity = self.store.database.identity
        if not identity:
            return self.folder
        folder = self.folder / f"{SHARED_FOLDER}{identity}"
        with suppress(OSError):  # without a place to be kept, indexes are made each time
            folder.mkdir(exist_ok=True)
        return folder

    @cached_property
    def id(self) -> int:
        """The id of this library in the store, which several libraries share.

        Where it has none and none can be written, one that nothing is stored under.
        """
        library = Path(self.library.path)
        try:
            if self.settings.sidecar:
                return find_or_register(self.store, library, lambda: {row.id: row.added for row in self.rows_by_id()})
            number = find_library(self.store, library)
            return self.store.libraries.get_or_create(text_of(library.name)) if number is None else number
        except StoreError as error:
            from resonance_engine.store.errors import is_unwritable

            if not (self.exists and is_unwritable(error)):
                raise
            return NO_LIBRARY

    def data_version(self) -> str:
        """Return a text that differs whenever the content of the library or the store may."""
        library = os.fsencode(self.library.path)
        if not self.settings.sidecar:
            return version_of(library, os.fsencode(self.path))
        return f"{version_of(library)}-{self.store.database.revision}"

    @property
    def model(self) -> Model | None:
        """The model whose vectors are searched; None before anything was analysed."""
        return self.store.models.active() if self.exists else None

    def coverage(self) -> Coverage:
        """Count tracks in both databases; looks at no file and makes none."""
        with self.library.transaction() as transaction:
            total = transaction.query("SELECT COUNT(*) FROM items")[0][0]
        model = self.model
        if model is None:
            return Coverage(total, 0, len(self.store.failures.all(self.id)) if self.exists else 0)
        counts = self.store.tracks.counts(self.id, model.id)
        coverage = Coverage(total, min(counts.embedded, total), counts.failed)
        noted = MissingFiles(self.store, self.id)
        if coverage.missing and (known := noted.read()):
            return coverage._replace(fileless=noted.count(self.rows_by_id(known)))
        return coverage

    def rows(self, query: list[str] | None = None) -> list[ItemRow]:
        """Return the items that a query matches, or all, in order of id."""
        if query:
            return sorted(map(ItemRow.of, self.library.items(query)))
        return self.rows_by_id()

    def rows_by_id(self, item_ids: Iterable[int] | None = None) -> list[ItemRow]:
        """Return the items with these ids, or all, in order of id; those that are gone are left out."""
        statement, ids = "SELECT id, added, path FROM items ORDER BY id", []
        if item_ids is not None:
            statement = statement.replace("ORDER", "WHERE id IN (SELECT value FROM json_each(?)) ORDER")
            ids = [json.dumps(list(map(int, item_ids)))]
        with self.library.transaction() as transaction:
            rows = transaction.query(statement, ids)
        return [ItemRow(item_id, added or 0.0, expand_path_from_db(bytes(path))) for item_id, added, path in rows]

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()


def require_coverage(sidecar: Sidecar, log: BeetsLogger, analysing: bool = False) -> Coverage:
    """Return the coverage, and log a line on what is missing; raises UserError when there is nothing to search.

    `analysing` while a process is at that.
    """
    coverage = sidecar.coverage()
    if not coverage.total:
        raise UserError(NO_TRACKS)
    if not coverage.embedded:
        raise UserError(describe_coverage(sidecar, coverage, analysing))
    if coverage.missing:
        log.info("{}", describe_coverage(sidecar, coverage, analysing))
    return coverage


def describe_coverage(sidecar: Sidecar, coverage: Coverage, analysing: bool = False) -> str:
    """Return a clause on how much is analysed, how long the rest takes, and the command for it, or who does it."""
    total, analysed, missing = coverage.total, coverage.embedded, coverage.missing
    if not missing:
        return "no track could be analysed; see `beet resonance status`"
    time = format_estimate(estimate_seconds(sidecar, missing))
    if not analysed:
        none = "no track is" if total == 1 else f"none of {total:,} tracks is"
        advice = "that is being done now" if analysing else "run `beet resonance analyze`"
        return f"{none} analysed yet; {advice} (about {time})"
    if analysing:
        analyse_rest = f"the rest is being analysed now (about {time})"
    else:
        analyse_rest = f"run `beet resonance analyze` for {missing:,} more (about {time})"
    return f"{analysed:,} of {format_tracks(total)} analysed; {analyse_rest}"


def describe_copies(count: int) -> str:
    """Return a clause on tracks that have the same audio as another one; empty for none."""
    return f"{count:,} {'copy counts' if count == 1 else 'copies count'} once" if count else ""


def estimate_seconds(sidecar: Sidecar, count: int, threads: int | None = None) -> float:
    """Return about how long it takes to analyse `count` tracks, by the mean of those before."""
    return LOADING_SECONDS + count * estimate_pace(sidecar, threads) if count else 0.0


def estimate_pace(sidecar: Sidecar, threads: int | None = None) -> float:
    """Return the seconds between two tracks of an analysis, by the mean of those before, else by the shipped rate."""
    from resonance_engine.ingest import SPEED_KEY, USUAL_SECONDS

    seconds = (sidecar.exists and sidecar.store.state.get(SPEED_KEY, float)) or USUAL_SECONDS
    return float(seconds / sidecar.settings.workers(threads))


def format_estimate(seconds: float) -> str:
    """Return a span of time that was not measured, rounded to what can be known of it: 20 s, 3 min, 2 h."""
    for unit, name in ((1, "s"), (60, "min")):
        if seconds < 55 * unit:
            return f"{min(ROUND, key=lambda step: abs(math.log(max(seconds, 1) / unit / step)))} {name}"
    return f"{max(1, round(seconds / 3600)):,} h"


def format_duration(seconds: float) -> str:
    """Return a span of time such as 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def format_tracks(count: int) -> str:
    return format_count(count)
