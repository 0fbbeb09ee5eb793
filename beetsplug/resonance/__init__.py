"""Find and play music that sounds alike: `beet similar`, `beet playlist`, `beet resonance`."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from beets.plugins import BeetsPlugin

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.error_guard import ErrorGuard
from beetsplug.resonance.fields.fields import Fields
from beetsplug.resonance.library.events import LibraryEvents

if TYPE_CHECKING:
    from beets.importer import ImportSession, ImportTask
    from beets.library import Album, Item, Library
    from beets.ui import Subcommand

    from beetsplug.resonance.library.importer import Importer


class ResonancePlugin(BeetsPlugin):
    """Wires beets' events and commands to the modules that do the work."""

    def __init__(self) -> None:
        super().__init__("resonance")
        self.config.add(Settings.defaults())
        self.guard = ErrorGuard(self._log)
        self.changes = LibraryEvents()
        self.importing: Importer | None = None
        self.imported = False  # what is left to the background
        self.starting = Lock()
        self.fields = Fields(lambda: self.settings, self._log)
        self.item_types, self.album_types = self.fields.item_types, self.fields.album_types
        self.item_queries, self.album_queries = self.fields.item_queries, self.fields.album_queries
        self.template_fields.update(self.fields.item_getters)
        self.album_template_fields.update(self.fields.album_getters)
        self.register_listener("library_opened", self.fields.open)
        # A mistake in the configuration must not keep beets from starting: `auto` is read when files are imported.
        self.import_stages = [self.import_stage]
        self.register_listener("album_imported", self.album_imported)
        self.register_listener("item_imported", self.item_imported)
        self.register_listener("item_removed", self.changes.remove)
        self.register_listener("write", self.write)
        self.register_listener("after_write", self.after_write)
        self.register_listener("before_item_moved", self.before_item_moved)
        self.register_listener("item_moved", self.item_moved)
        self.register_listener("cli_exit", self.cli_exit)

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_config(self.config)

    def commands(self) -> list[Subcommand]:
        from beetsplug.resonance.commands import subcommands

        return subcommands(lambda: self.settings, self._log)

    def import_stage(self, session: ImportSession, task: ImportTask) -> None:
        with self.guard:
            auto = self.settings.auto
            if auto == "import":
                self.started(session.lib).listen(task)
            elif auto == "background" and task.imported_items():
                self.imported = True

    def album_imported(self, lib: Library, album: Album) -> None:  # noqa: ARG002 - beets' signature
        if self.importing is not None:
            with self.guard:
                self.importing.settle(album.items())
            self.fields.forget()

    def item_imported(self, lib: Library, item: Item) -> None:  # noqa: ARG002 - beets' signature
        if self.importing is not None:
            with self.guard:
                self.importing.settle([item])
            self.fields.forget()

    def write(self, item: Item, path: bytes, tags: dict[str, Any]) -> None:  # noqa: ARG002 - beets' signature
        if path == item.path:
            self.changes.begin(item, path)

    def after_write(self, item: Item, path: bytes) -> None:
        if path == item.path:
            self.changes.complete(item, path)

    def before_item_moved(self, item: Item, source: bytes, destination: bytes) -> None:
        if source != destination:
            self.changes.begin(item, source)

    def item_moved(self, item: Item, source: bytes, destination: bytes) -> None:
        if source != destination:
            self.changes.complete(item, destination)

    def cli_exit(self, lib: Library) -> None:
        if self.importing is not None:
            with self.guard:
                self.importing.finish()
        if self.changes:
            with self.guard:
                self.changes.apply(lib)
        if self.imported:
            with self.guard:
                self.hand_over(lib)

    def started(self, library: Library) -> Importer:
        """The follower of this run's import; import stages and events come from several threads."""
        with self.starting:
            if self.importing is None:
                from beetsplug.resonance.library.importer import Importer

                self.importing = Importer(library, self.settings, self._log)
            return self.importing

    def hand_over(self, library: Library) -> None:
        """Let the background analyse what was imported."""
        from beetsplug.resonance.background.spawn import request
        from beetsplug.resonance.commands.common import opened

        self.imported = False
        with opened(library, self.settings) as sidecar:
            if not request(sidecar):
                self._log.info("the background analysis is paused; `beet resonance resume` starts it")
