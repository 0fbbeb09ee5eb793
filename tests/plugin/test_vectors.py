"""beet resonance vectors: what one library has analysed another takes over, and nothing is analysed again."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from tests.engine.exchange.exchanged import load, save, stored_rows
from tests.plugin.models_library import ModelsLibrary
from tests.plugin.test_passages import PassageLibrary


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
            "2 recordings of the file are of none of these tracks that could be read, and were not stored",
        ]

    def test_of_files_that_are_away_nothing_is_claimed(self) -> None:
        self.export()
        self.forget_all()
        for item in self.lib.items():
            item.filepath.unlink()
        assert self.bring_in() == [
            "0 tracks imported, 5 without a file",
            "5 recordings of the file are of none of these tracks that could be read, and were not stored",
        ]

    def test_one_recording_is_counted_as_one(self) -> None:
        assert self.export("title:song 0")[0].startswith("1 recording by fake 1 in ")
        self.forget_all()
        for item in self.lib.items("title:song 0"):
            item.remove()
        assert self.bring_in()[1] == "1 recording of the file is of none of these tracks, and was not stored"

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


class TestTargets(ExchangeLibrary):
    """Only a file of vectors takes the place of a file."""

    def refuses(self, target: Path | str, *query: str) -> str:
        """The sentence with which an export ends, having changed no file of the library's folders."""
        folders = (Path(os.fsdecode(self.lib.directory)), self.database.parent, self.file.parent)

        def contents() -> dict[Path, bytes]:
            return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

        before = contents()
        sentence = self.refused("resonance", "vectors", "export", str(target), *query)
        assert contents() == before
        return sentence

    @pytest.mark.parametrize(
        "forgotten", ["id:2", "title:song 0", "{song}", "{folder}/library.db", "{sidecar}", "v.db"]
    )
    def test_another_name_is_refused(self, forgotten: str) -> None:
        song = next(iter(self.lib.items())).filepath
        words = forgotten.format(song=song, folder=self.database.parent, sidecar=self.database)
        assert self.refuses(words) == (
            f"resonance: vectors export takes the name of a file that ends in .npz, not {words!r}"
        )

    @pytest.mark.parametrize("kind", ["song", "link", "text", "empty", "catalog"])
    def test_a_file_of_another_kind_stays(self, kind: str) -> None:
        song = next(iter(self.lib.items())).filepath
        if kind == "song":
            shutil.copy(song, self.file)
        elif kind == "link":
            self.file.symlink_to(song)
        elif kind == "catalog":
            self.export()
            arrays = load(self.file)
            save(self.file, {name: arrays[name] for name in ("manifest", "embeddings")})
        else:
            self.file.write_bytes(b"text" if kind == "text" else b"")
        assert self.refuses(self.file, "artist:artist 1") == (
            f"resonance: vectors export: {self.file} is there already and is no file of vectors that `resonance embed` "
            "or `beet resonance vectors export` wrote; name another file, or delete it first"
        )

    def test_what_is_no_file_is_refused(self) -> None:
        self.file.mkdir()
        assert self.refuses(self.file).endswith("is there already and is no file; name another one")

    def test_an_earlier_export_is_replaced(self) -> None:
        self.export()
        assert self.export("artist:artist 1")[0].startswith("2 recordings by fake 1 in ")
        link = self.file.with_name("link.NPZ")
        link.symlink_to(self.file)
        self.beet("resonance", "vectors", "export", str(link))
        assert link.is_symlink()
        assert len(load(self.file)["keys"]) == 5


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
            f"resonance: {self.file} holds vectors of fake 1 (fake), and this library uses fake 1 (default, other); "
            "nothing was stored. Compute them with that model, or name the file's by `model:` in the configuration."
        )

    @pytest.mark.parametrize("configured", [False, True])
    def test_another_model_of_the_library_is_named_with_the_command(self, configured: bool) -> None:
        self.add_trained_model("own")
        self.export()
        arrays = load(self.file)
        arrays["manifest"] = np.array(str(arrays["manifest"]).replace('"fake", "name": "fake"', '"own", "name": "own"'))
        save(self.file, arrays)
        if configured:
            self.configure(str(self.runtime.shipped))
        leave = "take `model:` out of the configuration and " * configured
        assert self.refuses() == (
            f"resonance: {self.file} holds vectors of own 1 (own, own), and this library uses fake 1 (default, "
            f"fake); nothing was stored. Compute them with that model, or {leave}choose the file's by `beet resonance "
            "model use own`, which Ctrl-C may stop, and import again."
        )
        if not configured:
            self.interrupt_use(0)
            assert self.bring_in()[0].startswith("5 tracks imported")

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

    def test_a_pipe_is_refused(self) -> None:
        self.export()
        before = self.rows()
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as pipe:
            pipe.write(self.file.read_bytes()[:1000])
            path = f"/dev/fd/{reader}"
            assert self.refused("resonance", "vectors", "import", path) == (
                f"resonance: {path} cannot be imported, and nothing of it was stored: it is a pipe or a device, and a "
                "file is needed; put what comes out of it into one first"
            )
        assert self.rows() == before

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("import",), "vectors import takes one file, for example `beet resonance vectors import library.npz`"),
            (("import", "a.npz", "b.npz"), "vectors import takes one file, not 2"),
            (("import", "/no/such.npz"), "/no/such.npz cannot be read: No such file or directory"),
            (("export",), "vectors export takes a file to write, for example"),
            (("export", "/no/such/folder.npz"), "vectors export: there is no folder /no/such"),
            (("export", "a.npz", "title:nothing"), "no track matches title:nothing"),
            ((), "vectors takes export or import, for example `beet resonance vectors export library.npz`"),
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
