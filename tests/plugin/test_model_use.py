"""A model is taken into use when it has analysed the library; until then the old one serves."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets import plugins
from beets.exceptions import UserError
from beets.test.helper import ImportHelper

from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.errors import ModelError
from tests.audio_files import tune, write_audio
from tests.plugin.models_library import ModelsLibrary
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path


class TestUse(ModelsLibrary):
    @pytest.fixture(autouse=True)
    def _own(self, _analysed: None) -> None:
        self.add_trained_model("own")

    def test_a_model_is_taken_into_use_when_it_has_heard_everything(self) -> None:
        before = self.beet("similar", "title:song 0")
        lines = self.beet("resonance", "model", "use", "own")
        assert lines[0].startswith("5 tracks analysed in ")
        assert lines[1:] == [
            "own 1 is in use now",
            "4 of 4 neighbours kept on average; `beet resonance model use default` goes back",
        ]
        assert self.beet("similar", "title:song 0") != before
        assert self.list_uses() == {"default": "", "own": "in use"}
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]

    def test_and_back_without_listening(self, caplog: pytest.LogCaptureFixture) -> None:
        before = self.beet("similar", "title:song 0")
        self.beet("resonance", "model", "use", "own")
        heard = len(self.runtime.embedded)
        assert "fake 1 serves until own has analysed the library" in caplog.text
        caplog.clear()
        assert self.beet("resonance", "model", "use", "default") == [
            "nothing to do: all 5 tracks are analysed",
            "fake 1 is in use now",
            "4 of 4 neighbours kept on average; `beet resonance model use own` goes back",
        ]
        assert "serves until" not in caplog.text
        assert len(self.runtime.embedded) == heard
        assert self.beet("similar", "title:song 0") == before

    def test_a_model_that_is_removed_takes_its_index_files_with_it(self) -> None:
        self.beet("resonance", "model", "use", "own")
        folder = self.folder.parent
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None
            SearchSession(sidecar, sidecar.model).facet("rhythm")
        own = {"resonance-own.index", "resonance-own-rhythm.index"}
        assert own <= {path.name for path in folder.glob("*.index")}
        self.beet("resonance", "model", "use", "default")
        self.beet("similar", "title:song 0")
        self.beet("resonance", "model", "remove", "own", "--yes")
        assert list(folder.glob("resonance-own*.index")) == []
        assert list(folder.glob("resonance-fake*.index")) != []

    def test_the_old_one_serves_until_then(self) -> None:
        before = self.beet("similar", "title:song 0")
        self.interrupt_use(patience=2)
        assert (self.active_model(), self.count_embedded("own")) == ("fake", 2)
        assert self.beet("similar", "title:song 0") == before
        preparing = "preparing:      own 1 (own), 2 of 5 tracks embedded; "
        assert any(line.startswith(preparing) for line in self.beet("resonance", "status"))
        assert self.beet("resonance", "check") == ["no problems; 3 tracks to analyse with `beet resonance analyze`"]
        lines = self.beet("resonance", "analyze")
        assert lines[0].startswith("3 tracks analysed in ")
        assert lines[1] == "own 1 is in use now"
        assert not any(line.startswith("preparing") for line in self.beet("resonance", "status"))
        assert self.beet("resonance", "check") == ["no problems"]

    def test_a_change_of_mind(self) -> None:
        self.interrupt_use(patience=2)
        assert self.beet("resonance", "model", "use", "default") == [
            "nothing to do: all 5 tracks are analysed",
            "fake 1 is in use",
        ]
        assert self.list_uses() == {"default": "in use", "own": ""}
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
        assert self.active_model() == "fake"

    def test_what_is_new_can_be_found_at_once(self) -> None:
        self.interrupt_use(patience=2)
        self.song("new")
        lines = self.beet("resonance", "analyze", "title:new")
        assert lines[0].startswith("1 track ")
        assert (self.active_model(), self.count_embedded("fake"), self.count_embedded("own")) == ("fake", 6, 3)
        assert len(self.beet("similar", "title:new")) == 5

    def test_a_broken_new_file_costs_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        self.interrupt_use(patience=2)
        self.song("new", name="broken.flac")
        lines = self.beet("resonance", "analyze")
        assert lines[0].startswith("3 tracks analysed in ")
        assert lines[0].endswith(", 1 failed")
        assert caplog.text.count("it is broken") == 1
        assert self.active_model() == "own"

    def test_a_track_that_the_new_one_cannot_hear_is_found_until_the_switch(self) -> None:
        self.runtime.failing = "song 1"
        self.interrupt_use(patience=3)
        assert (self.active_model(), self.count_embedded("own")) == ("fake", 3)
        assert len(self.beet("similar", "title:song 0")) == 4
        self.beet("resonance", "analyze")
        assert self.active_model() == "own"
        assert self.refused("similar", "title:song 1").endswith("could not be analysed: it is broken")
        assert len(self.beet("similar", "title:song 0")) == 3
        assert self.beet("resonance", "check") == ["no problems"]

    def test_a_model_that_hears_nothing_is_not_taken_into_use(self) -> None:
        self.runtime.failing = "song"
        with pytest.raises(UserError, match="nothing could be analysed"):
            self.run_command("resonance", "model", "use", "own")
        assert "own 1 is not taken into use: it has not analysed 5 tracks\n" in self.io.getoutput()
        assert (self.active_model(), len(self.beet("similar", "title:song 0"))) == ("fake", 4)

    @pytest.mark.parametrize("believed", [2, 3])
    def test_many_tracks_on_a_disk_that_is_away_are_not_lost(
        self, believed: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("beetsplug.resonance.library.analysis.MASS_REMOVAL", believed)
        away = self.lib_path.with_name("away")
        away.mkdir()
        for number in (0, 2, 4):
            (self.lib_path / f"song {number}.flac").rename(away / f"song {number}.flac")
        said = self.beet("resonance", "model", "use", "own")[1]
        if believed == 3:
            assert (said, self.active_model()) == ("own 1 is in use now", "own")
        else:
            assert said.startswith("own 1 is not taken into use: it has not analysed 3 tracks; mount the disk")
            assert (self.active_model(), self.count_embedded("fake")) == ("fake", 5)
        for path in away.iterdir():
            path.rename(self.lib_path / path.name)
        assert self.beet("resonance", "analyze")[0].startswith("3 tracks analysed in ")
        assert (self.active_model(), self.count_embedded("own")) == ("own", 5)

    def test_while_the_music_folder_is_away_nothing_is_forgotten(self) -> None:
        """A file elsewhere is there, so that there is something to listen to."""
        item = self.lib.items("title:song 0")[0]
        elsewhere = self.temp_path / "elsewhere.flac"
        item.filepath.rename(elsewhere)
        item.path = bytes(elsewhere)
        item.store()
        self.beet("resonance", "analyze")
        away = self.lib_path.rename(self.lib_path.with_name("away"))
        said = self.beet("resonance", "model", "use", "own")[1]
        assert said.startswith("own 1 is not taken into use: it has not analysed 4 tracks; mount the disk")
        assert (self.active_model(), self.count_embedded("fake")) == ("fake", 5)
        away.rename(self.lib_path)
        assert self.beet("resonance", "analyze")[1] == "own 1 is in use now"
        assert self.count_embedded("own") == 5

    def test_removals_meanwhile(self) -> None:
        self.interrupt_use(patience=2)
        self.run_command("remove", "-f", "title:song 0")
        plugins.send("cli_exit", lib=self.lib)
        assert (self.count_embedded("fake"), self.count_embedded("own")) == (4, 1)
        assert self.beet("resonance", "analyze")[0].startswith("3 tracks analysed in ")
        assert (self.active_model(), self.count_embedded("own")) == ("own", 4)

    def test_damage_in_either_model_is_mended(self) -> None:
        self.interrupt_use(patience=2)
        least = "(SELECT min(content_key) FROM vector WHERE model_id = 'own')"
        change_rows(Sidecar(self.lib).path, f"UPDATE vector SET data = x'00' WHERE content_key = {least}")  # noqa: S608 - a constant
        with pytest.raises(UserError, match="problems found"):
            self.run_command("resonance", "check")
        self.io.getoutput()
        lines = self.beet("resonance", "check", "--repair")
        assert lines[-1] == "Run `beet resonance analyze` for 4 tracks."
        self.beet("resonance", "analyze")
        assert (self.active_model(), self.count_embedded("fake"), self.count_embedded("own")) == ("own", 5, 5)

    def test_the_wanted_model_s_folder_is_gone(self) -> None:
        self.interrupt_use(patience=2)
        shutil.rmtree(self.folder)
        said = (
            f"The model own is not in {self.folder}; choose one of `beet resonance model list` "
            "with `beet resonance model use`."
        )
        assert self.refused("resonance", "analyze") == f"resonance: {said.rstrip('.')}"
        assert self.refused("resonance", "analyze", "--pretend") == f"resonance: {said.rstrip('.')}"
        assert len(self.beet("similar", "title:song 0")) == 4
        assert f"preparing:      {said}" in self.beet("resonance", "status")
        assert self.list_uses()["own"] == "chosen, its file is gone"
        self.beet("resonance", "model", "use", "default")
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]

    def test_the_folder_of_the_model_in_use_is_gone(self) -> None:
        self.beet("resonance", "model", "use", "own")
        shutil.rmtree(self.folder)
        assert len(self.beet("similar", "title:song 0")) == 4
        assert "The model own is not in" in self.refused("resonance", "analyze")
        assert self.beet("resonance", "model", "use", "default")[-2] == "fake 1 is in use now"

    def test_a_file_is_heard_by_the_model_that_serves(self) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, self.lib_path / "unknown.flac")
        self.interrupt_use(patience=2)
        assert self.beet("similar", "--file", str(copy)) == self.beet("similar", "title:song 2")

    def test_a_model_that_does_not_load_is_not_chosen(self) -> None:
        self.runtime.defect = ModelError("It is no model.")
        assert self.refused("resonance", "model", "use", "own") == "resonance: It is no model"
        self.runtime.defect = None
        assert self.list_uses() == {"default": "in use", "own": ""}

    def test_a_name_that_nothing_has(self) -> None:
        said = "resonance: there is no model '../own'; did you mean own?"
        assert self.refused("resonance", "model", "use", "../own") == said

    def test_the_configuration_decides(self) -> None:
        self.configure("/models/mine.onnx")
        assert self.refused("resonance", "model", "use", "own") == (
            "resonance: `model: /models/mine.onnx` in the configuration decides; take it out to choose a model here"
        )


class TestImports(ImportHelper, ModelsLibrary):
    """Imports while a model is being prepared."""

    @pytest.fixture(autouse=True)
    def _preparing(self, _analysed: None) -> None:
        self.add_trained_model("own")
        self.interrupt_use(patience=2)

    def imported(self, *names: str) -> None:
        for number, (path, name) in enumerate(zip(self.prepare_album_for_import(len(names)), names, strict=True)):
            samples = tune(1, 22050, channels=1, seed=50 + number)
            tags = {"title": name, "artist": "New", "album": "New", "track": str(number + 1)}
            write_audio(path.with_name(f"{name}.mp3"), samples, 22050, metadata=tags)
            path.unlink()
        self.again(self.import_path)

    def again(self, folder: Path) -> None:
        self.setup_importer(autotag=False, import_dir=folder).run()
        plugins.send("cli_exit", lib=self.lib)

    def test_both_models_hear_what_is_imported(self) -> None:
        self.imported("new one", "new two")
        assert (self.count_embedded("fake"), self.count_embedded("own")) == (7, 4)
        assert len(self.beet("similar", "title:new one")) == 6

    def test_a_broken_file_is_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        self.imported("broken", "new two")
        assert caplog.text.count("it is broken") == 1
        assert (self.count_embedded("fake"), self.count_embedded("own")) == (6, 3)

    def test_the_library_imported_again(self) -> None:
        heard = len(self.runtime.embedded)
        self.again(self.lib_path)
        assert (self.count_embedded("fake"), self.count_embedded("own")) == (5, 5)
        assert len(self.runtime.embedded) == heard + 3
        assert self.beet("resonance", "analyze")[-2] == "own 1 is in use now"

    @pytest.mark.parametrize("gone", ["own", "default"])
    def test_one_of_them_is_gone(
        self, gone: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = Models.path

        def missing(models: Models, name: str) -> Path:
            if name == gone:
                raise ModelError(f"The model {name} is gone.")
            return path(models, name)

        monkeypatch.setattr(Models, "path", missing)
        self.imported("new one", "new two")
        assert caplog.text.count(f"The model {gone} is gone.") == 1
        assert (self.count_embedded("fake"), self.count_embedded("own")) == ((7, 2) if gone == "own" else (5, 4))
