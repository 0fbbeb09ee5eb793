"""Imports by beets' own importer, with a model that makes vectors up."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from functools import partial
from threading import Timer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from beets import plugins
from beets.test.helper import ImportHelper

from beetsplug.resonance.library.analysis import LAST_RUN_KEY
from beetsplug.resonance.library.sidecar import ItemRow, Sidecar, file_state
from resonance_engine.errors import ModelError
from resonance_engine.store import Store
from tests.audio_files import tune, write_audio
from tests.plugin.fake_runtime import FakeRuntimePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from beets.test._common import DummyIO

    from resonance_engine.store import TrackRow


class Imports(FakeRuntimePlugin, ImportHelper):
    """Albums whose tracks hold different music, imported as they are."""

    db_on_disk: ClassVar[bool] = True

    def songs(self, *names: str, seed: int = 0) -> list[Path]:
        """An album to import; each song has a sound of its own."""
        paths = self.prepare_album_for_import(len(names))
        made = []
        for number, (path, name) in enumerate(zip(paths, names, strict=True)):
            samples = tune(1, 22050, channels=1, seed=seed + number)
            tags = {"title": name, "artist": "Tag Artist", "album": "Tag Album", "track": str(number + 1)}
            made.append(write_audio(path.with_name(f"{name}.mp3"), samples, 22050, metadata=tags))
            path.unlink()
        return made

    def run_import(self, **options: Any) -> None:
        self.setup_importer(**{"autotag": False, **options}).run()
        self.end()

    def end(self) -> None:
        """What `beet` does when a command is done."""
        plugins.send("cli_exit", lib=self.lib)

    def tracks(self) -> dict[int, TrackRow]:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            return store.tracks.all(sidecar.id)

    def failures(self) -> dict[bytes, str]:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            return {path: failure.reason for path, failure in store.failures.all(sidecar.id).items()}

    def assert_linked(self) -> None:
        """The store says of every item of the library what holds now."""
        tracks = self.tracks()
        items = list(self.lib.items())
        assert tracks.keys() == {item.id for item in items}
        for row in map(ItemRow.of, items):
            track = tracks[row.id]
            assert (track.added, (track.size, track.mtime_ns)) == (row.added, file_state(row.path))


class TestImport(Imports):
    """Both ways in which beets runs an import."""

    @pytest.fixture(params=[False, True], ids=["sequential", "threaded"], autouse=True)
    def _threaded(self, setup: None, request: pytest.FixtureRequest) -> None:  # noqa: ARG002 - after beets is set up
        self.config["threaded"] = request.param

    @pytest.mark.parametrize("operation", ["copy", "move", "link", "hardlink", "in place"])
    def test_an_album(self, operation: str) -> None:
        self.songs("one", "two")
        self.run_import(**{"copy": False, **({} if operation == "in place" else {operation: True})})
        assert len(self.runtime.embedded) == 2
        self.assert_linked()
        with Sidecar(self.lib).store as store:
            assert time.time() - (store.state.get(LAST_RUN_KEY, float) or 0) < 60

    def test_the_first_analysis_afterwards_loads_no_model(self, io: DummyIO) -> None:
        self.songs("one", "two")
        self.run_import()
        starts = self.runtime.starts
        self.run_command("resonance", "analyze")
        assert "nothing to do: all 2 tracks are analysed" in io.getoutput()
        assert self.runtime.starts == starts

    def test_a_track_is_written_once_and_again_only_where_it_changed(self) -> None:
        self.songs("one")
        self.run_import()
        with closing(sqlite3.connect(Sidecar(self.lib).path)) as store:
            store.execute("CREATE TABLE written (item_id INTEGER)")
            note = "BEGIN INSERT INTO written VALUES (new.item_id); END"
            store.execute(f"CREATE TRIGGER inserted AFTER INSERT ON track {note}")
            store.execute(f"CREATE TRIGGER updated AFTER UPDATE ON track {note}")
        self.config["import"]["duplicate_action"] = "keep"
        self.songs("two", "three", seed=5)
        self.run_import()
        with closing(sqlite3.connect(Sidecar(self.lib).path)) as store:
            written = [item_id for (item_id,) in store.execute("SELECT item_id FROM written ORDER BY item_id")]
        assert written == sorted(item.id or 0 for item in self.lib.items() if item.id != 1)

    def test_singletons(self) -> None:
        self.songs("one", "two")
        self.run_import(singletons=True)
        assert len(self.runtime.embedded) == 2
        self.assert_linked()

    def test_a_second_import_of_the_library_does_not_run_the_model(self) -> None:
        self.songs("one", "two")
        self.run_import()
        self.run_import(import_dir=self.lib_path)
        assert len(self.runtime.embedded) == 2
        self.assert_linked()

    def test_the_same_recording_twice_is_heard_once(self) -> None:
        self.songs("one", "two")
        self.run_import()
        self.run_import()
        assert len(self.lib.items()) == 4
        assert len(self.runtime.embedded) == 2
        self.assert_linked()

    @pytest.mark.parametrize(("action", "count", "heard"), [("remove", 2, 4), ("keep", 4, 4), ("skip", 2, 2)])
    def test_duplicates(self, action: str, count: int, heard: int) -> None:
        self.songs("one", "two")
        self.run_import()
        self.config["import"]["duplicate_action"] = action
        self.songs("one", "two", seed=7)
        self.run_import()
        assert len(self.lib.items()) == count
        assert len(self.runtime.embedded) == heard
        self.assert_linked()

    def test_a_broken_file_is_a_line_and_a_failure_of_the_file_in_its_final_place(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.songs("one", "broken", "two")
        self.run_import()
        broken = self.lib.items("title:broken")[0]
        assert self.failures() == {broken.path: "it is broken"}
        assert self.tracks().keys() == {item.id for item in self.lib.items()} - {broken.id}
        said = [record.getMessage() for record in caplog.records if "not analysed" in record.getMessage()]
        assert len(said) == 1

    @pytest.mark.parametrize("action", ["keep", "remove", "skip"])
    @pytest.mark.parametrize("again", ["the library", "the files"])
    def test_a_file_that_is_imported_again_and_fails_again_stays_a_failure(self, action: str, again: str) -> None:
        self.songs("one", "broken")
        self.run_import()
        self.config["import"]["duplicate_action"] = action
        self.run_import(**({"import_dir": self.lib_path} if again == "the library" else {}))
        assert self.failures() == {item.path: "it is broken" for item in self.lib.items("title:broken")}

    def test_a_missing_model_does_not_stop_the_import(self, caplog: pytest.LogCaptureFixture) -> None:
        self.runtime.defect = ModelError("There is no model at /models/mine.")
        self.config["import"]["duplicate_action"] = "keep"
        for name in ("one", "two"):
            self.songs(name)
            self.setup_importer(autotag=False, move=True).run()
        self.end()
        assert len(self.lib.items()) == 2
        assert self.runtime.starts == 1
        said = [record.getMessage() for record in caplog.records if "There is no model" in record.getMessage()]
        assert said == ["There is no model at /models/mine; tracks are left out until `beet resonance analyze`"]

    def test_whatever_goes_wrong_the_import_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        self.runtime.surprise = ZeroDivisionError("by nobody")
        self.songs("one", "two")
        self.run_import()
        assert len(self.lib.items()) == 2
        assert all(str(self.lib_path) in str(item.filepath) for item in self.lib.items()), "files were not copied"
        assert "unexpected ZeroDivisionError: by nobody" in caplog.text

    def test_auto_no_leaves_everything_to_analyze(self) -> None:
        self.config["resonance"]["auto"] = False
        self.songs("one")
        self.run_import()
        assert not self.runtime.starts
        assert not Sidecar(self.lib).exists

    def test_a_mistake_in_the_configuration_is_said_and_the_import_goes_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.config["resonance"]["auto"] = "maybe"
        self.songs("one")
        self.run_import()
        assert len(self.lib.items()) == 1
        assert "configuration error: resonance.auto: must be one of" in caplog.text

    def test_pretending_makes_no_store(self) -> None:
        self.songs("one")
        self.run_import(pretend=True)
        assert not Sidecar(self.lib).exists

    def test_dates_that_another_plugin_changes_afterwards_are_followed(self) -> None:
        def older(lib: object, album: object) -> None:  # noqa: ARG001 - beets' signature
            for item in album.items():  # type: ignore[attr-defined]  # an Album
                item.added -= 1e6
                item.store()

        plugins.BeetsPlugin("importadded").register_listener("album_imported", older)
        self.songs("one", "two")
        self.run_import()
        self.assert_linked()


class TestIds(Imports):
    """beets gives the highest id again when its item is gone."""

    def test_an_id_that_comes_back_within_one_run_means_the_new_item(self) -> None:
        self.songs("one")
        self.setup_importer(autotag=False, move=True).run()
        self.lib.items()[0].remove()
        self.songs("broken", seed=5)
        self.setup_importer(autotag=False, move=True).run()
        self.end()
        assert [(item.id, item.title) for item in self.lib.items()] == [(1, "broken")]
        assert self.tracks() == {}, "the sound of the first item stands for the second"

    def test_an_id_that_comes_back_after_a_removal_without_the_plugin_means_the_new_item(self) -> None:
        self.songs("one")
        self.run_import(move=True)
        self.unload_plugins()
        self.lib.items()[0].remove()
        self.load_plugins()
        self.songs("broken", seed=5)
        self.run_import(move=True)
        assert [(item.id, item.title) for item in self.lib.items()] == [(1, "broken")]
        assert self.tracks() == {}, "the sound of the first item stands for the second"


class TestInMemory(FakeRuntimePlugin, ImportHelper):
    def test_a_library_without_a_file_is_imported_all_the_same(self, caplog: pytest.LogCaptureFixture) -> None:
        self.prepare_album_for_import(1)
        self.setup_importer(autotag=False).run()
        plugins.send("cli_exit", lib=self.lib)
        assert len(self.lib.items()) == 1
        assert "this library has no file" in caplog.text


class TestLocked(Imports):
    """Another program writes into the sidecar, which is known from an import before."""

    @pytest.fixture(params=[False, True], ids=["sequential", "threaded"], autouse=True)
    def _threaded(self, setup: None, request: pytest.FixtureRequest) -> None:  # noqa: ARG002 - after beets is set up
        self.config["threaded"] = request.param

    def known(self) -> None:
        self.songs("one")
        self.run_import(singletons=True, move=True)
        self.songs("two", "three", "four", seed=1)

    @contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        path = Sidecar(self.lib).path
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield other

    def test_it_is_waited_for_once_in_an_import(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("resonance_engine.store.Store", partial(Store, patience=0.1))
        self.known()
        with self.locked():
            self.run_import(singletons=True)
        assert len(self.lib.items()) == 4
        said = [record.getMessage() for record in caplog.records if "by another program" in record.getMessage()]
        assert len(said) == 1
        self.run_command("resonance", "analyze")
        self.assert_linked()

    def test_an_import_that_had_to_wait_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        self.known()
        with self.locked() as other:
            timer = Timer(0.5, other.execute, ["ROLLBACK"])
            timer.start()
            self.run_import(singletons=True)
            timer.join()
        assert len(self.lib.items()) == 4
        self.assert_linked()
        assert "by another program" not in caplog.text
