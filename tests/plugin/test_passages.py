"""`compare`, `analyze --passages` and `passages` on made recordings, and what they refuse."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.library.sidecar import Sidecar, file_state
from resonance_engine.search import passage_plot
from resonance_engine.store import DenseWindows
from tests.embeddings import WIDTH
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary

if TYPE_CHECKING:
    from pathlib import Path

BASIS = np.eye(WIDTH, dtype=np.float32)


def dense(*directions: int) -> DenseWindows:
    """Windows along axes of the space: equal numbers are equal windows, others have nothing in common."""
    return DenseWindows(4.0, 18.0, BASIS[list(directions)])


class PassageLibrary(AnalysedLibrary):
    """Songs 0 to 4: song 1 has a passage of song 0, song 2 nothing in common, songs 3 and 4 are too short."""

    def setup_beets(self) -> None:
        super().setup_beets()
        for item in self.lib.items():
            item.length = 60.0 if item.title < "song 3" else 10.0
            item.store()
        self.runtime.dense = {
            "song 0.flac": dense(0, 1, 2, 3, 0),
            "song 1.flac": dense(4, 5, 1, 2, 3, 5),
            "song 2.flac": dense(6, 7, 6, 7),
        }

    def stored(self) -> int:
        with closing(Sidecar(self.lib)) as sidecar:
            model = sidecar.model
            assert model is not None
            return len(sidecar.store.passages.stored(model.id))


class TestCompare(PassageLibrary):
    def test_a_transplanted_passage_is_listed_with_its_times_in_both(self) -> None:
        lines = self.beet("resonance", "compare", "title:song 0", "title:song 1")
        assert re.fullmatch(r"\d\.\d\d  0:06-0:28  0:10-0:32  1\.00", lines[0])
        assert lines[-1] == "similar passages of artist 0 - song 0 (left) and artist 1 - song 1 (right)"
        assert self.stored() == 0

    def test_files_need_not_be_in_the_library(self, tmp_path: Path) -> None:
        path = tmp_path / "song 1.flac"
        path.write_bytes(self.lib.items("title:song 2")[0].filepath.read_bytes())
        lines = self.beet("resonance", "compare", "title:song 0", str(path))
        assert "0:06-0:28  0:10-0:32" in lines[0]
        assert lines[-1].endswith("song 1.flac (right)")

    def test_a_title_that_looks_like_a_path_is_a_query(self) -> None:
        for number, title in enumerate(("live / unplugged", "demo.ogg")):
            [item] = self.lib.items([f"title:song {number}"])
            item.title = title
            item.store()
        assert "0:06-0:28" in self.beet("resonance", "compare", "'live / unplugged'", "demo.ogg")[0]

    def test_two_tracks_without_a_common_passage(self) -> None:
        assert self.beet("resonance", "compare", "title:song 0", "title:song 2") == [
            "no passage of artist 0 - song 0 is similar to one of artist 0 - song 2"
        ]

    def test_the_matrix_is_drawn(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        path = tmp_path / "matrix.png"
        self.beet("resonance", "compare", "title:song 0", "title:song 1", "--plot", str(path))
        assert path.read_bytes().startswith(b"\x89PNG")
        self.beet("resonance", "compare", "title:song 0", "title:song 1", "--plot", str(path))
        path.write_bytes(b"\x89PNG of a cover")
        assert self.refused("resonance", "compare", "title:song 0", "title:song 1", "--plot", str(path)) == (
            f"resonance: compare --plot: {path} is there already and is no picture, page or report of Resonance; name "
            "another file, or delete it first"
        )
        assert path.read_bytes() == b"\x89PNG of a cover"

    def test_without_matplotlib_a_sentence_names_the_extra(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(passage_plot, "has_matplotlib", lambda: False)
        self.runtime.starts = 0
        words = ("compare", "title:song 0", "title:song 1", "--plot")
        assert self.refused("resonance", *words, str(tmp_path / "a.png")) == (
            "resonance: --plot draws with matplotlib: `pip install '.[viz]'` in a checkout of Resonance"
        )
        assert self.refused("resonance", *words, "matrix.pdf") == (
            "resonance: compare --plot takes the name of a file that ends in .png, not 'matrix.pdf'"
        )
        assert "there is no folder" in self.refused("resonance", *words, "/nowhere/at/all/matrix.png")
        assert self.runtime.starts == 0

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["song"], "compare takes two files or queries, each one argument, not 1"),
            (["a", "b", "c"], "not 3"),
            (["song", "title:song 1"], "takes a query that one track matches, and 'song' matches 5"),
            (["/no/such.flac", "title:song 1"], "compare: there is no file /no/such.flac, and no track matches that"),
            (["no such.OGG", "title:song 1"], "there is no file no such.OGG, and no track matches that as a query"),
            (["title:no/such", "title:song 1"], "no track matches title:no/such"),
            (["title:no.ogg", "title:song 1"], "no track matches title:no.ogg"),
            (["title:nothing", "title:song 1"], "no track matches title:nothing"),
            (["title:song 0", "title:song 4"], "song 4.flac: it is shorter than 18 s"),
        ],
    )
    def test_bad_input_ends_in_one_sentence(self, words: list[str], sentence: str) -> None:
        refusal = self.refused("resonance", "compare", *words)
        assert refusal.startswith("resonance: ")
        assert sentence in refusal
        assert "\n" not in refusal


class TestAnalyzePassages(PassageLibrary):
    def test_it_says_how_long_and_how_large_before_it_stores(self) -> None:
        lines = self.beet("resonance", "analyze", "--passages")
        assert re.fullmatch(
            r"dense windows of 3 tracks: about \d+ s and 0\.0 MB \(\d+ \w+ and 0\.2 MB per 1,000 tracks\), 2 too short",
            lines[0],
        )
        assert lines[1] == "dense windows of 3 tracks stored"
        assert self.beet("resonance", "analyze", "--passages") == ["nothing to do, 3 done already, 2 too short"]

    def test_only_the_tracks_of_a_query_and_nothing_with_pretend(self) -> None:
        self.beet("resonance", "analyze", "--passages", "--pretend")
        assert self.stored() == 0
        self.beet("resonance", "analyze", "--passages", "title:song 1")
        assert self.stored() == 1

    def test_an_interrupted_run_goes_on_where_it_was(self, caplog: pytest.LogCaptureFixture) -> None:
        self.runtime.embedded.clear()
        self.runtime.surprise, self.runtime.patience = KeyboardInterrupt(), 2
        with pytest.raises(SystemExit):
            self.run_command("resonance", "analyze", "--passages")
        assert "stopped; the dense windows of 2 tracks are kept" in caplog.text
        assert self.stored() == 2
        assert self.runtime.open == set()
        self.io.getoutput()
        self.runtime.surprise = None
        assert self.beet("resonance", "analyze", "--passages")[-1] == "dense windows of 1 track stored"
        assert len(self.runtime.embedded) == 3

    def test_a_file_that_fails_costs_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        del self.runtime.dense["song 1.flac"]
        lines = self.beet("resonance", "analyze", "--passages")
        assert lines[-1] == "dense windows of 2 tracks stored, 1 failed"
        assert re.search(r"no dense windows: .*song 1\.flac: it is shorter than 18 s", caplog.text)

    def test_tracks_that_failed_are_not_counted_as_pending(self) -> None:
        for number in (0, 2):
            [item] = self.lib.items([f"title:song {number}"])
            item.filepath.write_bytes(b"no music")
            with closing(Sidecar(self.lib)) as sidecar:
                sidecar.store.tracks.unlink(sidecar.id, [item.id or 0])
                state = file_state(item.path)
                assert state is not None
                sidecar.store.failures.record(sidecar.id, item.path, *state, "it is broken")
        [replaced] = self.lib.items(["title:song 2"])
        replaced.filepath.write_bytes(b"another file by now")
        line, *_ = self.beet("resonance", "analyze", "--passages", "--pretend")
        assert line.endswith(", 1 not analysed yet, 1 left out that failed before, 2 too short")

    def test_options_that_make_no_sense_together(self) -> None:
        assert "without --passages" in self.refused("resonance", "analyze", "--passages", "--background")
        assert "--passages belongs to analyze" in self.refused("resonance", "status", "--passages")
        assert "--plot belongs to compare" in self.refused("resonance", "status", "--plot", "x.png")


class TestPassages(PassageLibrary):
    def test_hits_are_listed_with_their_track_and_what_was_not_searched(self) -> None:
        self.beet("resonance", "analyze", "--passages")
        lines = self.beet("resonance", "passages", "title:song 0")
        assert re.fullmatch(r"\d\.\d\d  0:06-0:28  0:10-0:32  1\.00  artist 1 - song 1", lines[0])
        assert lines[1] == "2 tracks searched, 2 too short"

    def test_a_track_without_dense_windows_can_be_searched_for(self) -> None:
        self.beet("resonance", "analyze", "--passages", "title:song 1")
        lines = self.beet("resonance", "passages", "title:song 0")
        assert lines[0].endswith("artist 1 - song 1")
        without = "1 not, without dense windows (`beet resonance analyze --passages`)"
        assert lines[1] == f"1 track searched, {without}, 2 too short"

    def test_another_file_of_the_searched_audio_lacks_no_windows(self) -> None:
        self.beet("resonance", "analyze", "--passages")
        [searched] = self.lib.items(["title:song 0"])
        copy = self.add_item(title="copy", path=searched.path, length=60.0)
        assert copy.id is not None
        with closing(Sidecar(self.lib)) as sidecar:
            [row] = sidecar.store.tracks.get(sidecar.id, [searched.id or 0]).values()
            sidecar.store.tracks.link(sidecar.id, replace(row, item_id=copy.id, added=copy.added))
        assert self.beet("resonance", "passages", "title:song 0")[-1] == "2 tracks searched, 2 too short"

    def test_nothing_similar(self) -> None:
        self.beet("resonance", "analyze", "--passages")
        assert self.beet("resonance", "passages", "title:song 2")[0] == (
            "no passage of artist 0 - song 2 is similar to one of another track"
        )

    def test_what_it_refuses(self) -> None:
        sentence = "resonance: no other track has dense windows yet; run `beet resonance analyze --passages`"
        assert self.refused("resonance", "passages", "title:song 0") == sentence
        assert "takes a query for one track" in self.refused("resonance", "passages")
        assert "no track matches title:nothing" in self.refused("resonance", "passages", "title:nothing")
        assert "'song' matches 5" in self.refused("resonance", "passages", "song")


class TestReusedId(PassageLibrary):
    """Song 1 was removed while the plugin was off, and its id is now that of another song."""

    @pytest.fixture(autouse=True)
    def _reused(self, _analysed: None) -> None:
        self.beet("resonance", "analyze", "--passages")
        [item] = self.lib.items(["title:song 1"])
        item.filepath.write_bytes(item.filepath.read_bytes() + b"more")
        with closing(sqlite3.connect(self.lib.path)) as database:
            database.execute("UPDATE items SET added = added + 100, title = 'new' WHERE id = ?", (item.id,))
            database.commit()
        self.runtime.dense["song 1.flac"] = dense(0, 1, 4, 5, 4, 6)

    def test_the_windows_of_the_old_song_are_not_searched(self) -> None:
        assert self.beet("resonance", "passages", "title:song 0") == [
            "no passage of artist 0 - song 0 is similar to one of another track",
            "1 track searched, 1 not, without dense windows (`beet resonance analyze --passages`), 2 too short",
        ]

    def test_the_new_song_is_compared_by_its_own_windows(self) -> None:
        assert "  0:00-" in self.beet("resonance", "compare", "title:song 0", "title:new")[0]
        assert "  0:00-" in self.beet("resonance", "passages", "title:new")[0]

    def test_the_new_song_is_not_analysed_yet(self) -> None:
        lines = self.beet("resonance", "analyze", "--passages")
        assert lines == ["nothing to do, 2 done already, 1 not analysed yet, 2 too short"]


class TestNothingAnalysed(CommandLibrary):
    def test_nothing_is_analysed(self) -> None:
        self.song("one")
        for words in (("passages", "one"), ("analyze", "--passages")):
            assert "no track is analysed yet; run `beet resonance analyze`" in self.refused("resonance", *words)

    def test_two_files_can_be_compared_all_the_same(self) -> None:
        self.song("one")
        self.song("two")
        self.runtime.dense = {"one.flac": dense(0, 1, 2), "two.flac": dense(5, 0, 1, 2)}
        paths = [str(item.filepath) for item in self.lib.items()]
        assert "0:00-0:26  0:07-0:30" in self.beet("resonance", "compare", *paths)[0]
