"""Several models side by side: listed, and removed."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ModelError
from tests.plugin.command_library import CommandLibrary
from tests.plugin.models_library import ModelsLibrary

if TYPE_CHECKING:
    from pathlib import Path


class TestList(ModelsLibrary):
    def test_the_list(self) -> None:
        self.add_trained_model("own")
        self.add_trained_model("own-2")
        self.interrupt_use(patience=2)
        assert self.beet("resonance", "model", "list") == [
            "name     model            tracks  size",
            "default  fake 1 (fake)    5 of 5  8.7 MB  in use",
            "own      own 1 (own)      2 of 5  0.7 MB  being prepared",
            "own-2    own-2 1 (own-2)  0 of 5  0.7 MB",
        ]

    def test_what_is_no_model_is_not_listed(self) -> None:
        (self.folder / "empty").mkdir(parents=True)
        (self.folder / "notes.txt").touch()
        self.add_trained_model(".unfinished.0123")
        self.add_trained_model("with space")
        assert self.list_uses() == {"default": "in use"}

    def test_a_model_that_does_not_load(self) -> None:
        self.runtime.defect = ModelError("It is no model.")
        lines = self.beet("resonance", "model", "list")
        assert (
            lines[1:]
            == [
                "default  -      -       -     cannot be used",
                "fake     fake 1  5 of 5  -     in use, its file is gone",
                "It is no model.",
            ]
            or lines[-1] == "It is no model."
        )

    def test_the_configured_one_is_listed(self) -> None:
        path = self.add_trained_model("elsewhere").rename(self.lib_path / "elsewhere") / "model.onnx"
        self.configure(str(path))
        assert self.list_uses()[str(path)] == "in use"

    def test_one_that_was_configured_before_is_no_file_that_is_gone(self, tmp_path: Path) -> None:
        folder = tmp_path / "resonance-models"
        folder.mkdir()
        path = self.add_trained_model("mine").rename(folder / "mine") / "model.onnx"
        self.configure(str(path))
        assert self.beet("resonance", "analyze")[-1] == (
            "4 of 4 neighbours kept on average; "
            "without `model:` in the configuration, `beet resonance model use default` goes back"
        )
        self.configure("default")
        assert self.list_uses() == {"default": "being prepared", "mine": "in use, not configured any more"}
        self.beet("resonance", "analyze")
        assert self.list_uses() == {"default": "in use", "mine": "not configured any more"}
        path.unlink()
        assert self.list_uses() == {"default": "in use", "mine": "its file is gone"}

    def test_status_counts_a_wanted_one_that_has_analysed_nothing_yet(self) -> None:
        self.runtime.ship("newer")
        line = (
            "preparing:      fake 1 (newer), 0 of 5 tracks embedded; "
            "`beet resonance analyze` goes on, the model above serves until then"
        )
        assert line in self.beet("resonance", "status")
        self.beet("resonance", "analyze")
        assert not any(line.startswith("preparing") for line in self.beet("resonance", "status"))

    def test_status_names_a_configured_one_that_is_unusable(self) -> None:
        path = self.lib_path / "elsewhere" / "model.onnx"
        self.configure(str(path))
        missing = f"wanted model:   There is no model at {path}; give the path of a model file or of its directory."
        assert missing in self.beet("resonance", "status")
        path.parent.mkdir()
        path.write_bytes(b"no model")
        self.runtime.defect = ModelError("It is no model.")
        assert "wanted model:   It is no model." in self.beet("resonance", "status")
        Sidecar(self.lib).path.unlink()
        assert "wanted model:   It is no model." in self.beet("resonance", "status")
        self.runtime.defect = None
        assert not any(line.startswith("wanted") for line in self.beet("resonance", "status"))
        self.beet("resonance", "analyze")
        starts = self.runtime.starts
        assert not any(line.startswith("wanted") for line in self.beet("resonance", "status"))
        assert self.runtime.starts == starts, "it was loaded before"

    def test_the_list_makes_no_store(self) -> None:
        Sidecar(self.lib).path.unlink()
        assert self.list_uses() == {"default": "chosen"}
        assert not Sidecar(self.lib).exists


class TestRemove(ModelsLibrary):
    @pytest.fixture(autouse=True)
    def _own(self, _analysed: None) -> None:
        self.add_trained_model("own")

    def prepared(self) -> None:
        """Have the vectors and the index of two models, the shipped one in use."""
        self.beet("resonance", "model", "use", "own")
        self.beet("similar", "title:song 0")
        self.beet("resonance", "model", "use", "default")

    def test_a_model_goes_with_all_that_it_made(self) -> None:
        self.prepared()
        index = Sidecar(self.lib).path.with_name("resonance-own.index")
        assert index.is_file()
        assert self.beet("resonance", "model", "remove", "own", "--yes") == ["own was removed"]
        assert not index.exists()
        assert not self.folder.exists()
        with closing(Sidecar(self.lib)) as sidecar:
            assert [model.id for model in sidecar.store.models.all()] == ["fake"]
            assert Models(sidecar).ids == {"default": "fake"}
        assert len(self.beet("similar", "title:song 0")) == 4

    @pytest.mark.parametrize(
        ("answer", "left"), [("n", {"default", "own"}), ("", {"default", "own"}), ("y", {"default"})]
    )
    def test_it_asks_before(self, answer: str, left: set[str]) -> None:
        self.prepared()
        self.io.addinput(answer)
        asked = self.beet("resonance", "model", "remove", "own")[0]
        assert asked.startswith("Remove the model own and its vectors of 5 tracks? (y/N)")
        assert self.list_uses().keys() == left

    def test_other_files_stay(self) -> None:
        (self.folder / "own" / "notes.txt").touch()
        (self.folder / "own" / "more").mkdir()
        assert self.beet("resonance", "model", "remove", "own", "-y") == [
            f"{self.folder / 'own'} stays, for there is more in it than a model",
            "own was removed",
        ]
        assert {path.name for path in (self.folder / "own").iterdir()} == {"notes.txt", "more"}

    def test_what_a_link_leads_to_stays(self, tmp_path: Path) -> None:
        (self.folder / "own").rename(tmp_path / "elsewhere")
        (self.folder / "own").symlink_to(tmp_path / "elsewhere")
        self.beet("resonance", "model", "remove", "own", "-y")
        assert len(list((tmp_path / "elsewhere").iterdir())) == 3

    def test_the_vectors_of_a_model_whose_file_is_gone(self) -> None:
        self.prepared()
        shutil.rmtree(self.folder)
        assert self.list_uses()["own"] == "its file is gone"
        self.beet("resonance", "model", "remove", "own", "-y")
        assert self.list_uses() == {"default": "in use"}

    def test_the_vectors_go_by_the_name_too_that_the_model_had(self) -> None:
        self.prepared()
        shutil.rmtree(self.folder)
        with closing(Sidecar(self.lib)) as sidecar:
            Models(sidecar).note("mine", "own", [])
        self.beet("resonance", "model", "remove", "mine", "-y")
        assert self.list_uses() == {"default": "in use"}

    def test_what_another_process_notes_meanwhile_stays(self) -> None:
        with closing(Sidecar(self.lib)) as sidecar:
            early, other = Models(sidecar), Models(sidecar)
            other.note("second", "id of the second", [2])
            early.note("first", "id of the first", [1])
            early.forget("own")
            noted = Models(sidecar)
        assert (noted.ids["first"], noted.ids["second"]) == ("id of the first", "id of the second")
        assert (noted.fingerprints["first"], noted.fingerprints["second"]) == ([1], [2])
        assert "own" not in noted.ids

    def test_what_is_not_removed(self) -> None:
        for name, said in [
            ("default", "default was neither trained nor added here, so it is not removed here"),
            ("other", "there is no model 'other' that was trained or added; see `beet resonance model list`"),
            ("..", "there is no model '..' that was trained or added; see `beet resonance model list`"),
        ]:
            assert self.refused("resonance", "model", "remove", name, "-y") == f"resonance: {said}"

    def test_the_one_in_use_stays(self) -> None:
        self.beet("resonance", "model", "use", "own")
        assert self.refused("resonance", "model", "remove", "own", "-y") == (
            "resonance: own is in use; choose another one first with `beet resonance model use`"
        )

    def test_the_one_that_is_being_prepared_stays(self) -> None:
        self.interrupt_use(patience=2)
        assert self.refused("resonance", "model", "remove", "own", "-y") == (
            "resonance: own is being prepared; choose another one with `beet resonance model use`"
        )


class TestNothingAnalysed(CommandLibrary):
    def test_a_choice_in_an_empty_library(self) -> None:
        folder = Sidecar(self.lib).path.with_name("resonance-models") / "own"
        folder.mkdir(parents=True)
        (folder / "model.onnx").touch()
        assert self.beet("resonance", "model", "use", "own") == ["own 1 is in use"]
        self.song("one")
        self.beet("resonance", "analyze")
        with closing(Sidecar(self.lib)) as sidecar:
            assert [(model.id, model.active) for model in sidecar.store.models.all()] == [("own", True)]
