"""What other commands, plugins and the autotagger change about imported tracks."""

from __future__ import annotations

import os

import pytest
from beets.importer import Action
from beets.test.helper import AutotagImportHelper, ImportSessionFixture

from beetsplug.resonance.library.sidecar import Sidecar, file_state
from tests.plugin.test_importer import Imports


class TestAutotagged(Imports, AutotagImportHelper):
    @pytest.mark.parametrize("threaded", [False, True])
    @pytest.mark.parametrize("write", [False, True])
    def test_tags_that_are_written_after_listening_change_nothing(self, threaded: bool, write: bool) -> None:
        self.config["threaded"] = threaded
        self.songs("one", "two")
        self.run_import(autotag=True, write=write)
        assert {item.title for item in self.lib.items()} == {"Applied Track 1", "Applied Track 2"}
        assert len(self.runtime.embedded) == 2
        self.assert_linked()

    def test_a_skipped_album_is_not_listened_to(self) -> None:
        self.songs("one")
        session = self.setup_importer()
        assert isinstance(session, ImportSessionFixture)
        session.add_choice(Action.SKIP)
        session.run()
        self.end()
        assert not self.runtime.embedded


class TestRun(Imports):
    """Commands of beets, and what is left of them in the store."""

    @pytest.fixture(autouse=True)
    def _imported(self, setup: None) -> None:  # noqa: ARG002 - after beets is set up
        self.songs("one", "two", "broken")
        self.run_import()

    def test_retagging_and_moving_keep_everything(self) -> None:
        self.run_command("modify", "-y", "-w", "title:one", "title=other")
        self.run_command("modify", "-y", "-w", "title:broken", "title=still broken")
        other = self.lib.items("title:other")[0]
        assert other.filepath.name.startswith("other")
        assert list(self.failures()) == [self.lib.items("title:still")[0].path]
        assert other.id in self.tracks()
        track = self.tracks()[other.id]
        assert (track.size, track.mtime_ns) == file_state(other.path)

    def test_removing_forgets_the_track_and_not_the_sound(self) -> None:
        self.run_command("remove", "-f", "title:one")
        self.run_command("remove", "-f", "-d", "title:broken")
        assert self.tracks().keys() == {item.id for item in self.lib.items()}
        assert self.failures() == {}
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            assert store.vectors.count("fake") == 2

    def test_a_listing_does_not_touch_the_store(self) -> None:
        sidecar = Sidecar(self.lib)
        before = os.stat(sidecar.path)  # noqa: PTH116 - atime and all
        self.run_command("ls")
        after = os.stat(sidecar.path)  # noqa: PTH116 - atime and all
        assert before == after
        assert not sidecar.path.with_name("resonance.db-wal").exists()
