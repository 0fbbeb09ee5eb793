"""What `beet resonance` finds out about a library that was analysed before."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.models import fingerprint_model
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ClusterError, ModelError
from resonance_engine.store.sqlite_database import SqliteDatabase
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path


class TestAnalyze(AnalysedLibrary):
    """Five tracks, all analysed."""

    def active_model(self) -> str:
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None, "something is analysed"
            return sidecar.model.id

    def test_what_left_the_library_while_the_plugin_was_off(self) -> None:
        self.unload_plugins()
        self.run_command("remove", "-f", "title:song 4")
        self.load_plugins()
        with pytest.raises(UserError, match="a problem found; run `beet resonance check --repair`"):
            self.run_command("resonance", "check")
        assert self.io.getoutput().splitlines()[-1] == "1 track in the data, no longer in the library."
        assert self.beet("resonance", "check", "--repair")[-1] == "1 track forgotten that left the library."
        assert self.beet("resonance", "check") == ["no problems"]
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            assert sorted(store.tracks.all(sidecar.id)) == [1, 2, 3, 4]

    def test_analyze_has_nothing_to_do(self) -> None:
        starts = self.runtime.starts
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
        assert self.beet("resonance", "analyze", "title:song 1") == ["nothing to do: the track is analysed"]
        assert self.beet("resonance", "analyze", "--pretend") == ["would analyse 0 tracks and forget 0"]
        assert self.runtime.starts == starts, "the model was loaded"
        assert len(self.runtime.embedded) == 5

    def test_tracks_that_beets_imported_from_trash_are_counted(self) -> None:
        for folder, count in (("#recycle", 2), ("@eaDir", 1), ("Trash", 1)):
            (self.lib_path / folder).mkdir()
            for number in range(count):
                self.song(f"{folder} {number}", name=f"{folder}/{number}.flac")
        line = self.beet("resonance", "analyze")[-1]
        assert line.startswith("3 tracks of the library in trash and system folders: #recycle, @eaDir; ")
        assert self.beet("resonance", "analyze", "path::#recycle")[1:] == []

    def test_nothing_to_do_loads_nothing_that_writes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """SQLAlchemy takes longer to load than all the rest of it."""

        def refuse(_: object) -> None:
            raise AssertionError("what writes was opened")

        self.beet("resonance", "analyze")  # answers a request of the background, if there was one
        monkeypatch.setattr(SqliteDatabase, "_open_writer", refuse)
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
        assert any(line.startswith("last analysis: ") for line in self.beet("resonance", "status"))

    def test_analyze_hears_once_more_what_has_no_tags_yet(self) -> None:
        with closing(Sidecar(self.lib)) as sidecar:
            before = sidecar.store.generation
            self.runtime.ship(self.runtime.model_id, "sad", "80s")
            (item,) = self.lib.items(["title:song 1"])
            assert self.beet("resonance", "analyze", "title:song 1")[0].startswith("1 track analysed")
            assert sidecar.store.tags.count_missing("fake") == 4
            lines = self.beet("resonance", "status")
            assert lines[1:3] == ["analysed:       5", "not yet:        0"]
            assert lines[3].startswith("without tags:   4, found by sound but not by words; run `beet resonance ")
            assert not any("more (about" in line for line in lines)
            assert len(self.beet("similar", "title:song 2", "-n", "9")) == 4
            assert self.beet("resonance", "analyze")[0].startswith("4 tracks analysed")
            assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
            assert len(self.runtime.embedded) == 10
            assert sidecar.store.tags.count_missing("fake") == 0
            assert not any(line.startswith("without tags") for line in self.beet("resonance", "status"))
            key = sidecar.store.tracks.all(sidecar.id)[int(item.id or 0)].content_key
            assert sidecar.store.tags.get([key], "fake") == {key: {"sad": 0.5, "80s": 0.5}}
            assert sidecar.store.generation == before, "the embeddings are the same"

    def test_analyze_pretends(self) -> None:
        item = self.song("new")
        database = Sidecar(self.lib).path.read_bytes()
        self.runtime.ship("newer")
        lines = self.beet("resonance", "analyze", "--pretend", "title:new")
        assert lines == [str(item.filepath), "would analyse 1 track in about 2 s and forget 0"]
        assert len(self.runtime.embedded) == 5
        assert Sidecar(self.lib).path.read_bytes() == database

    def test_analyze_switches_the_model_when_all_is_done(self) -> None:
        self.runtime.ship("newer")
        self.beet("resonance", "analyze", "title:song 1")
        assert self.active_model() == "fake"
        self.beet("resonance", "analyze")
        assert self.active_model() == "newer"
        assert len(self.runtime.embedded) == 10

    def test_a_model_that_embeds_nothing_is_not_taken_into_use(self) -> None:
        self.runtime.ship("newer")
        self.runtime.read_key = _unreadable
        with pytest.raises(UserError, match="nothing could be analysed"):
            self.run_command("resonance", "analyze")
        assert self.active_model() == "fake"

    def test_a_failed_file_is_tried_again_when_it_is_named(self) -> None:
        self.song("new", name="broken.flac")
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.beet("resonance", "analyze") == ["nothing new to analyse, 1 left out that failed before"]
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze", "title:new")

    def test_a_music_folder_that_is_away(self) -> None:
        self.lib_path.rename(self.lib_path.with_name("elsewhere"))
        assert self.refused("resonance", "analyze") == (
            f"resonance: no track has its file; is {self.lib_path} mounted? Nothing was forgotten."
        )
        lines = self.beet("resonance", "status")
        assert lines[1:3] == ["analysed:       5", "not yet:        0"]
        assert "without a file: 5" in lines
        assert f"no file is there; is {self.lib_path} mounted?" in lines
        self.lib_path.with_name("elsewhere").rename(self.lib_path)
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]

    def test_an_interrupt_says_what_is_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        self.song("new")
        self.runtime.surprise = KeyboardInterrupt()
        with pytest.raises(SystemExit):
            self.run_command("resonance", "analyze")
        assert "stopped; what was analysed is kept, run it again to go on" in caplog.text

    @pytest.mark.parametrize(
        ("count", "kept"),
        [
            (0, "nothing was analysed yet"),
            (1, "what was analysed is kept (1 track)"),
            (2, "what was analysed is kept (2 tracks)"),
        ],
    )
    def test_a_cluster_that_does_not_go_on_ends_it_with_what_is_kept(self, count: int, kept: str) -> None:
        for number in range(3):
            self.song(f"new {number}")
        self.runtime.surprise = ClusterError("The scheduler at tcp://127.0.0.1:1 went away.")
        self.runtime.patience = 5 + count
        said = self.refused("resonance", "analyze")
        assert said == f"resonance: The scheduler at tcp://127.0.0.1:1 went away; {kept}, run it again to go on"
        assert f"analysed:       {5 + count}" in self.beet("resonance", "status")

    def test_a_file_that_changed_into_a_broken_one_is_no_longer_found(self) -> None:
        self.lib.items("title:song 1")[0].filepath.write_bytes(b"no music at all")
        with pytest.raises(UserError, match="nothing could be analysed"):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert len(self.beet("similar", "title:song 0")) == 3
        lines = self.beet("resonance", "status")
        assert ("analysed:       4" in lines, "failed:         1" in lines) == (True, True)

    def test_a_library_of_another_name_in_the_same_folder_is_apart(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            other = store.libraries.get_or_create("other.db")
            assert other != sidecar.id
            assert store.tracks.all(other) == {}


def test_a_model_s_file_in_place_of_another_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"a model")
    os.utime(file, (1, 1))
    before = fingerprint_model(file)
    assert fingerprint_model(tmp_path) == before
    other = tmp_path / "other"
    other.write_bytes(b"b model")
    os.utime(other, (1, 1))
    other.replace(file)
    assert fingerprint_model(file) != before
    with pytest.raises(ModelError, match="There is no model at"):
        fingerprint_model(tmp_path / "nowhere")


def _unreadable(path: Path) -> bytes:
    from resonance_engine.errors import AudioError

    raise AudioError(path, "it cannot be read")
