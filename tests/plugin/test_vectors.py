"""beet resonance vectors: what one library has analysed another takes over, and nothing is analysed again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from tests.engine.exchange.exchanged import load, save, stored_rows
from tests.plugin.models_library import ModelsLibrary
from tests.plugin.test_passages import PassageLibrary

if TYPE_CHECKING:
    from pathlib import Path


class ExchangeLibrary(PassageLibrary, ModelsLibrary):
    """Five tracks, all analysed with tags, three of them with dense windows; `file` is where they are exported to."""

    def setup_beets(self) -> None:
        super().setup_beets()
        self.runtime.ship("fake", "piano", "rain")

    @pytest.fixture(autouse=True)
    def _exported(self, _analysed: None, tmp_path: Path) -> None:
        self.file = tmp_path / "library.npz"
        self.beet("resonance", "analyze", "--passages")

    @property
    def database(self) -> Path:
        return Sidecar(self.lib).path

    def export(self, *query: str) -> list[str]:
        return self.beet("resonance", "vectors", "export", str(self.file), *query)

    def bring_in(self) -> list[str]:
        return self.beet("resonance", "vectors", "import", str(self.file))

    def forget_all(self) -> None:
        """Leave the library as one that was never analysed."""
        for path in self.database.parent.glob("resonance*"):
            if path.is_file():
                path.unlink()
        self.runtime.embedded.clear()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return stored_rows(self.database)


class TestRoundTrip(ExchangeLibrary):
    def test_an_empty_library_gets_the_same_rows_and_nothing_is_analysed(self) -> None:
        rows, near = self.rows(), self.beet("similar", "title:song 1")
        [line] = self.export()
        assert line.startswith(f"5 recordings by fake 1 in {self.file}, 0.0 MB")
        self.forget_all()
        assert self.bring_in() == ["5 tracks imported, dense windows of 3 tracks"]
        assert self.rows() == rows
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
        assert self.beet("similar", "title:song 1") == near
        assert self.runtime.embedded == []

    def test_again_it_changes_nothing(self) -> None:
        self.export()
        rows, generation = self.rows(), self.generation()
        assert self.bring_in() == ["0 tracks imported, 5 analysed before"]
        assert (self.rows(), self.generation()) == (rows, generation)

    def generation(self) -> int:
        with closing(Sidecar(self.lib)) as sidecar:
            return sidecar.store.generation

    def test_a_query_exports_what_matches(self) -> None:
        assert self.export("artist:artist 1")[0].startswith("2 recordings by fake 1 in ")
        self.forget_all()
        assert self.bring_in() == [
            "2 tracks imported, dense windows of 1 track, 3 not in the file: `beet resonance analyze` analyses them"
        ]
        assert self.beet("resonance", "analyze")[0].startswith("3 tracks analysed in ")
        assert len(self.runtime.embedded) == 3

    def test_recordings_of_other_libraries_are_not_stored(self) -> None:
        self.export()
        self.forget_all()
        for item in self.lib.items("artist:artist 0"):
            item.remove()
        assert self.bring_in() == [
            "2 tracks imported, dense windows of 1 track",
            "3 recordings of the file are of none of these tracks, and were not stored",
        ]
        assert {key for key, *_ in self.rows()["window"]} == {key for key, *_ in self.rows()["analysis"]}
        assert len(self.rows()["analysis"]) == 2

    def test_tracks_without_a_file_and_files_that_are_broken_are_counted(self) -> None:
        self.export()
        self.forget_all()
        first, second, *_ = self.lib.items()
        first.filepath.unlink()
        second.filepath.write_bytes(b"broken")
        assert self.bring_in() == [
            "3 tracks imported, 1 failed, 1 without a file, dense windows of 1 track",
            "2 recordings of the file are of none of these tracks, and were not stored",
        ]

    def test_the_speed_of_this_machine_is_not_that_of_another(self) -> None:
        self.export()
        self.forget_all()
        self.bring_in()
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.store.state.get("seconds_per_track", float) is None

    def test_files_whose_keys_are_known_are_not_read(self) -> None:
        self.export()
        self.runtime.ship("newer", "piano", "rain")
        arrays = load(self.file)
        arrays["manifest"] = np.array(str(arrays["manifest"]).replace('"fake", "name"', '"newer", "name"'))
        save(self.file, arrays)
        self.runtime.embedded.clear()
        self.runtime.read_key = lambda path: pytest.fail(f"{path} was read")
        assert self.bring_in() == [
            "5 tracks imported, dense windows of 3 tracks",
            "fake 1 is searched with until `beet resonance analyze` has run",
        ]
        assert self.runtime.embedded == []


class TestRefusals(ExchangeLibrary):
    def refuses(self, *words: str) -> str:
        """The sentence with which an import ends, having stored nothing."""
        before = self.rows()
        sentence = self.refused("resonance", "vectors", *(words or ("import", str(self.file))))
        assert self.rows() == before
        assert "\n" not in sentence
        return sentence

    def test_another_model_is_named(self) -> None:
        self.export()
        self.runtime.ship("other")
        self.forget_all()
        self.beet("resonance", "analyze")
        assert self.refuses() == (
            f"resonance: {self.file} holds vectors of fake 1 (fake), and this library uses fake 1 (other); nothing was "
            "stored. Compute them with that model, or choose the file's by `beet resonance model use`."
        )

    def test_another_model_of_one_id_is_refused(self) -> None:
        self.export()
        arrays = load(self.file)
        arrays["manifest"] = np.array(str(arrays["manifest"]).replace('"rain"', '"snow"'))
        save(self.file, arrays)
        assert "states other facets, tags or widths for the model fake than that model has" in self.refuses()
        self.forget_all()
        self.beet("resonance", "status")
        assert "states other facets, tags or widths" in self.refused("resonance", "vectors", "import", str(self.file))
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is None

    def test_one_wrong_recording_refuses_all(self) -> None:
        self.export()
        self.forget_all()
        self.beet("resonance", "analyze", "title:song 0")
        arrays = load(self.file)
        arrays["windows"][-1] = np.nan
        save(self.file, arrays)
        assert "its array windows holds NaN or infinity" in self.refuses()

    def test_a_part_of_a_file_is_refused(self) -> None:
        self.export()
        self.file.write_bytes(self.file.read_bytes()[:-100])
        assert self.refuses() == (
            f"resonance: {self.file} cannot be imported, and nothing of it was stored: it is no NumPy archive (.npz), "
            "or only a part of one"
        )

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("import",), "vectors import takes one file, for example `beet resonance vectors import library.npz`"),
            (("import", "a.npz", "b.npz"), "vectors import takes one file, not 2"),
            (("import", "/no/such.npz"), "/no/such.npz cannot be read: No such file or directory"),
            (("export",), "vectors export takes a file to write, for example"),
            (("export", "/no/such/folder.npz"), "vectors export: there is no folder /no/such"),
            (("export", "a.npz", "title:nothing"), "no track matches title:nothing"),
            ((), "vectors takes export or import, for example `beet resonance vectors export`"),
            (("exprot",), "there is no verb of vectors 'exprot'; did you mean export?"),
        ],
    )
    def test_mistakes_are_one_sentence(self, words: tuple[str, ...], reason: str) -> None:
        sentence = self.refused("resonance", "vectors", *words)
        assert reason in sentence

    def test_nothing_analysed_is_nothing_to_export(self) -> None:
        self.forget_all()
        assert "none of 5 tracks is analysed yet" in self.refused("resonance", "vectors", "export", str(self.file))
        assert not self.file.exists()
