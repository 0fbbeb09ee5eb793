"""A library of small files, and the verbs of the plugin on it without beets' command line."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from beets import config
from beets.exceptions import UserError
from beets.library import Item, Library
from beets.logging import getLogger

from beetsplug.resonance.commands.analyze import run_update
from beetsplug.resonance.commands.check import check, prune
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.models import FOLDER, MODEL_FILE, Models
from beetsplug.resonance.library.sidecar import FILE_NAME, Sidecar
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.errors import StoreError
from tests.audio_files import tune, write_audio
from tests.plugin.fake_runtime import FakeRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLES = ("library", "model", "track", "vector", "window", "tag", "passage", "array", "analysis", "failure")
Dump = dict[str, set[tuple[object, ...]]]


def write_sounds(folder: Path, count: int) -> list[Path]:
    """Files of different sounds, half a second each."""
    folder.mkdir(exist_ok=True)
    return [
        write_audio(folder / f"sound {number}.flac", tune(0.5, 8000, channels=1, seed=number), 8000, kind="flac")
        for number in range(count)
    ]


class FileLibrary:
    """The library `folder`/library.db, its music in `folder`/music, its sidecar beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.music = folder, folder / "music"
        self.music.mkdir()
        self.runtime = FakeRuntime(folder / "runtime")
        config["create_backup_before_migrations"] = False
        self.lib = Library(str(folder / "library.db"), str(self.music))
        self.log = getLogger("beets.collection")

    @property
    def database(self) -> Path:
        return self.folder / FILE_NAME

    def close(self) -> None:
        self.lib._close()  # beets offers no other way

    def add(self, source: Path, name: str) -> Item:
        """An item with a copy of a file."""
        path = shutil.copy(source, self.music / name)
        item = Item(path=os.fsencode(path), title=name)
        self.lib.add(item)
        return item

    @contextmanager
    def sidecar(self) -> Iterator[Sidecar]:
        made = Sidecar(self.lib, Settings(), self.runtime)
        try:
            yield made
        finally:
            made.close()

    def output_of(self, act: Callable[[Sidecar], None]) -> list[str]:
        """The lines that an act prints; a refusal is the last one, after "error: "."""
        output = io.StringIO()
        with self.sidecar() as sidecar, redirect_stdout(output), self.lib.music_dir_context():
            try:
                act(sidecar)
            except (UserError, StoreError) as error:
                output.write(f"error: {error}\n")
        return output.getvalue().splitlines()

    def check(self) -> list[str]:
        return self.output_of(lambda sidecar: check(sidecar, repair=False))

    def repair(self) -> list[str]:
        return self.output_of(lambda sidecar: check(sidecar, repair=True))

    def prune(self, pretended: bool = False) -> list[str]:
        return self.output_of(lambda sidecar: prune(sidecar, pretended))

    def analyze(self, model: str = "default") -> list[str]:
        """Listen to what is new with the shipped model, or with a trained one, and take that into use."""
        if model != "default":
            file = self.folder / FOLDER / model / MODEL_FILE
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

        def act(sidecar: Sidecar) -> None:
            with open_ingest(Models(sidecar), model) as ingest:
                run_update(sidecar, ingest, [], None, self.log)

        return self.output_of(act)

    def open_indexes(self) -> None:
        """Open every index of the model in use, as queries do, which makes their files."""
        with self.sidecar() as sidecar:
            assert sidecar.model is not None
            search = SearchSession(sidecar, sidecar.model)
            for facet in sidecar.model.modalities:
                search.facet(facet)

    def tamper(self, *statements: str) -> None:
        """Change the database below what the store lets through."""
        with closing(sqlite3.connect(self.database)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def dump(self) -> Dump:
        """Every row, without the numbers and times that each new row gets."""
        with closing(sqlite3.connect(self.database)) as connection:
            found = {table: set(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in TABLES}  # noqa: S608 - ours
        found["vector"] = {(*row[1:4], *row[5:]) for row in found["vector"]}
        return found


def missing_rows(before: Dump, after: Dump) -> Dump:
    """The rows of each table that are there no more."""
    return {table: before[table] - after[table] for table in TABLES if before[table] - after[table]}
