"""Models that the configuration names: shipped ones, paths, and names of models whose file is gone."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.util import cached_classproperty

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import Sidecar
from tests.plugin.models_library import ModelsLibrary

if TYPE_CHECKING:
    from pathlib import Path


class TestModelsByName(ModelsLibrary):
    """The other shipped model, and models of the configuration that are not there."""

    @pytest.fixture(autouse=True)
    def _int8(self, _analysed: None) -> None:
        file = self.runtime.shipped.parents[1] / "default-int8" / "model.onnx"
        file.parent.mkdir()
        file.write_bytes(b"eight bits")

    @pytest.fixture
    def missing(self, tmp_path: Path) -> Path:
        return tmp_path / "nowhere" / "mine.onnx"

    def test_the_small_model_by_its_name(self) -> None:
        assert self.list_uses() == {"default": "in use", "default-int8": "in use"}, "the stand-in gives both one id"
        self.configure("default-int8")
        assert self.settings().model == "default-int8"
        assert self.path_of("default-int8") == self.runtime.shipped.parents[1] / "default-int8" / "model.onnx"
        assert len(self.beet("similar", "title:song 0")) == 4
        assert self.refused("resonance", "model", "use", "default").startswith(
            "resonance: `model: default-int8` in the configuration decides"
        )

    def test_shipped_models_stay(self) -> None:
        for name in ("default", "default-int8"):
            assert f"{name} was neither trained nor added" in self.refused("resonance", "model", "remove", name, "-y")

    def test_the_small_model_is_chosen(self) -> None:
        self.beet("resonance", "model", "use", "default-int8")
        with closing(Sidecar(self.lib)) as sidecar:
            assert Models(sidecar).wanted == "default-int8"

    @pytest.mark.parametrize(
        "words", [("similar", "title:song 0"), ("playlist", "title:song 0"), ("ls", "similar:title:song 0")]
    )
    def test_missing_model_file_warns_and_searches_with_the_active_model(
        self, words: tuple[str, ...], missing: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        expected = self.beet(*words)
        assert "searched with" not in caplog.text
        self.configure(str(missing))
        cached_classproperty.cache.clear()  # of the queries that the plugin had before
        assert self.beet(*words) == expected
        sentence = f"There is no model at {missing}; give the path of a model file or of its directory"
        assert caplog.text.count(f"{sentence}; fake 1 (fake) is searched with meanwhile") == 1

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("defualt", "did you mean default;"),
            ("default-int-8", "did you mean default-int8;"),
            ("own", "for the model own, take `model:` out and run `beet resonance model use own`;"),
        ],
    )
    def test_a_name_in_place_of_a_path(self, name: str, hint: str, caplog: pytest.LogCaptureFixture) -> None:
        self.add_trained_model("own")
        self.configure(name)
        self.beet("similar", "title:song 0")
        assert hint in caplog.text

    def test_a_chosen_model_whose_folder_is_gone(self, caplog: pytest.LogCaptureFixture) -> None:
        self.add_trained_model("own")
        self.beet("resonance", "model", "use", "own")
        shutil.rmtree(self.folder)
        self.beet("similar", "title:song 0")
        assert "The model own is not in" in caplog.text

    def settings(self) -> Settings:
        return Settings.from_config(self.config["resonance"])

    def path_of(self, name: str) -> Path:
        with closing(Sidecar(self.lib, self.settings(), self.runtime)) as sidecar:
            return Models(sidecar).path(name)
