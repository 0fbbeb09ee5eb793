"""A sidecar that a newer Resonance wrote is left exactly as it is, whatever is asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets import plugins
from beets.test.helper import ImportHelper

from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.store.sqlite_file import VERSION
from tests.audio_files import tune, write_audio
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path

NEWER = f"was written by a newer Resonance (schema {VERSION + 1}, this one knows up to {VERSION}); nothing was changed."
COMMANDS = [
    "similar title:song",
    "playlist title:song",
    "resonance analyze",
    "resonance analyze --pretend",
    "resonance status",
    "resonance failures",
    "resonance check",
    "resonance check --repair",
    "resonance prune",
    "resonance prune --pretend",
    "resonance model list",
    "resonance model use default",
    "resonance apart",
]


class TestNewer(ImportHelper, AnalysedLibrary):
    @pytest.fixture(autouse=True)
    def _newer(self, _analysed: None) -> None:
        sidecar = Sidecar(self.lib)
        sidecar.close()
        with closing(sqlite3.connect(sidecar.path)) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.folder = sidecar.path.parent
        self.before = self.files()

    def files(self) -> dict[Path, bytes]:
        """Everything of ours beside the library."""
        return {path: path.read_bytes() for path in sorted(self.folder.glob("*resonance*")) if path.is_file()}

    def test_every_command_says_so(self) -> None:
        heard = len(self.runtime.embedded)
        for words in COMMANDS:
            assert NEWER in self.refused(*words.split()), words
            assert self.files() == self.before, words
        assert len(self.runtime.embedded) == heard

    def test_an_import_goes_on_without(self, caplog: pytest.LogCaptureFixture) -> None:
        for number, path in enumerate(self.prepare_album_for_import(2)):
            write_audio(path, tune(1, 22050, channels=1, seed=90 + number), 22050)
        self.setup_importer(autotag=False).run()
        plugins.send("cli_exit", lib=self.lib)
        assert len(self.lib.items()) == 7
        assert NEWER in caplog.text
        assert self.files() == self.before

    def test_removals_go_on_without(self, caplog: pytest.LogCaptureFixture) -> None:
        self.run_command("remove", "-f", "title:song 0")
        plugins.send("cli_exit", lib=self.lib)
        assert len(self.lib.items()) == 4
        assert NEWER in caplog.text
        assert self.files() == self.before
