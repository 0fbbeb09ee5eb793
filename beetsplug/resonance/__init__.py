"""Find and play music that sounds alike: `beet similar`, `beet playlist`, `beet resonance`.

In: beets' configuration, events and commands. Out: lists, playlist files, fields, and rows of the store. Importing this
loads no numpy; each hook loads the room below that does the work, and raises nothing into beets.
"""

from __future__ import annotations

import atexit
import gc
import math
import os
import sys
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from beets import ui
from beets.plugins import BeetsPlugin

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.errors import describe_error
from beetsplug.resonance.fields.fields import Fields
from beetsplug.resonance.library.labels import label_title
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.library.sync import LibraryEvents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from beets.importer import ImportSession
    from beets.library import Album, Item, Library
    from beets.logging import BeetsLogger
    from beets.ui import Subcommand

    from beetsplug.resonance.library.importer import Importer
    from beetsplug.resonance.library.runtime import Runtime

LEFT_OUT = "; tracks are left out until `beet resonance analyze`"
NOT_COMPARED = "; which of the new tracks the library has already is not known"


class ErrorGuard:
    """A context manager, when called, that turns an exception into one line of the log, the same error only once."""

    def __init__(self, log: BeetsLogger) -> None:
        self.log = log
        self.messages: set[str] = set()

    @contextmanager
    def __call__(self, outcome: str = LEFT_OUT) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # an interrupt from the keyboard passes
            message = describe_error(error)
            if not message:
                message = f"unexpected {type(error).__name__}: {error}"
                self.log.debug("where it happened:", exc_info=error)
            self.warn(message, outcome)

    def warn(self, message: str, outcome: str = "") -> None:
        """Log a sentence, with its outcome, as a warning; the same one only once, whatever it leads to."""
        clause = message.rstrip(".")
        if clause not in self.messages:
            self.messages.add(clause)
            self.log.warning("{}{}", clause, outcome)


class ResonancePlugin(BeetsPlugin):
    """Connects beets' events and commands to the modules that do the work; `runtime` starts their processes."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        super().__init__("resonance")
        self.config.add(Settings.defaults())
        self.config["sidecar"].redact = True  # of what `beet config` prints: there may be a password in it
        self.runtime = runtime
        self.guard = ErrorGuard(self._log)
        self.events = LibraryEvents()
        self.imported: dict[int, str] = {}  # titles by item id, of files that are in place
        self.is_quiet = False
        self.fields = Fields(lambda: self.settings, lambda: self.place, self._log, self.guard.warn, self.is_analysing)
        self.item_types, self.album_types = self.fields.item_types, self.fields.album_types
        self.item_queries, self.album_queries = self.fields.item_queries, self.fields.album_queries
        self.template_fields.update(self.fields.item_getters)
        self.album_template_fields.update(self.fields.album_getters)
        self.register_listener("library_opened", self.fields.open)
        self.register_listener("import_begin", self.import_begin)
        self.register_listener("album_imported", self.record_import)
        self.register_listener("item_imported", self.record_import)
        self.register_listener("item_removed", self.events.record_removal)
        self.register_listener("database_change", self.events.record_stored)
        self.register_listener("write", self.events.begin_change)
        self.register_listener("after_write", self.events.end_change)
        self.register_listener("before_item_moved", self.events.begin_change)
        self.register_listener("item_moved", self.events.end_change)
        self.register_listener("cli_exit", self.cli_exit)

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_config(self.config)

    @cached_property
    def place(self) -> Settings:
        """The settings that tell where the store is, and no others."""
        return Settings.of_sidecar(self.config)

    def open_sidecar(self, library: Library) -> Sidecar:
        """Return the store of a library, which the caller closes; raises ConfigError for a mistake in the settings."""
        return Sidecar(library, self.settings, self.runtime)

    @staticmethod
    def is_analysing(sidecar: Sidecar) -> bool:
        """Return whether a process analyses a library; what tells that is loaded when something is missing."""
        from beetsplug.resonance.background.process_lock import is_analysing

        return is_analysing(sidecar)

    def commands(self) -> list[Subcommand]:
        from beetsplug.resonance.commands import playlist, radio, resonance, similar

        return [module.command(self.open_sidecar, self._log) for module in (similar, playlist, radio, resonance)]

    def import_begin(self, session: ImportSession) -> None:
        self.is_quiet = session.config["quiet"].get(bool)

    def record_import(self, item: Item | None = None, album: Album | None = None, **_: object) -> None:
        items = [item] if item is not None else album.items() if album is not None else []
        self.imported |= {each.id: label_title(each.title, each.path) for each in items if each.id is not None}

    def cli_exit(self, lib: Library) -> None:
        imported, self.imported = self.imported, {}
        importer = None
        with self.guard():
            # A mistake in the configuration must not keep beets from starting: `auto` is read when there is an import.
            if imported and self.settings.auto in ("yes", "import"):
                importer = self.open_importer(lib)
                with closing(importer.sidecar):
                    importer.analyse(imported)
        if self.events.removed or self.events.changes or self.events.stored:
            with self.guard():
                self.events.apply(lib, self.runtime, self.place)
        with self.guard():
            if imported and self.settings.auto != "no":
                self.end_import(lib, importer, len(imported))
        with self.guard(NOT_COMPARED):
            if (
                importer is not None
                and not (self.is_quiet or importer.interrupted)
                and importer.embedded + importer.known
            ):
                self.report_owned(lib, imported)

    def open_importer(self, library: Library) -> Importer:
        from beetsplug.resonance.library.importer import PATIENCE, Importer, is_awaited
        from resonance_engine.console import StatusLine

        # Else Python, before it ends, looks for cycles among all that was loaded: the longest part of an interrupt.
        atexit.register(gc.freeze)
        bounded = self.settings.auto == "yes" and is_awaited(os.getppid())
        line = StatusLine(sys.stderr, enabled=not self.is_quiet)
        return Importer(self.open_sidecar(library), self._log, line, PATIENCE if bounded else math.inf)

    def end_import(self, library: Library, importer: Importer | None, imported: int) -> None:
        """Hand what an import left to the background, and print what has become of it all."""
        parts, left = [], imported if self.settings.auto == "background" else 0
        if importer is not None:
            parts.append(importer.summary())
            if importer.patience < math.inf and not importer.interrupted:
                left = importer.pending
            elif importer.pending:
                parts.append(f"{importer.pending:,} left to `beet resonance analyze`")
        if left:
            from beetsplug.resonance.background.job_state import hand_over

            done = importer.embedded if importer is not None else 0
            seconds = importer.seconds if importer is not None else 0.0
            with closing(self.open_sidecar(library)) as sidecar:
                parts.append(hand_over(sidecar, left, done, seconds))
        self.print_line(", ".join(filter(None, parts)))

    def report_owned(self, library: Library, imported: Collection[int]) -> None:
        """Print which of the imported items are in the library already in another form; nothing when interrupted."""
        from beetsplug.resonance.search.duplicates import describe_owned
        from beetsplug.resonance.search.session import open_session

        with (
            suppress(KeyboardInterrupt),  # what other plugins do at the end is still to come
            closing(self.open_sidecar(library)) as sidecar,
        ):
            if sidecar.coverage().total > len(imported):  # else no index is needed to tell
                with open_session(sidecar) as session:
                    self.print_line(describe_owned(session, imported))

    def print_line(self, line: str) -> None:
        """Print a line after an import; into the log where beets was told to be quiet."""
        if line and not self.is_quiet:
            ui.print_(f"resonance: {line}")
        elif line:
            self._log.info("{}", line)
