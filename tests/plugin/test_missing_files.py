"""Tracks whose file is gone before anything was analysed of it: no command asks for what no analysis can do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.missing_files import MISSING_KEY
from beetsplug.resonance.library.sidecar import Sidecar
from tests.audio_files import tune, write_audio
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from beets.library import Item

NOTICE = "{} of {} tracks analysed; run `beet resonance analyze` for 1 more"


class TestMissingFiles(AnalysedLibrary):
    """Five tracks that are analysed and a sixth without a file."""

    @pytest.fixture(autouse=True)
    def _lost(self, _analysed: None) -> None:
        self.item = self.song("lost")
        self.item.filepath.unlink()

    def notices(self, caplog: pytest.LogCaptureFixture, *words: str) -> str:
        caplog.clear()
        self.beet(*words)
        return caplog.text

    def restore(self, item: Item) -> Path:
        return write_audio(item.filepath, tune(1, 8000, channels=1, seed=99), 8000, kind="flac")

    @pytest.mark.parametrize(
        "words", ["similar id:1", "playlist title:song", "ls similar:id:1", "resonance eval"], ids=str.split
    )
    def test_after_an_analysis_nothing_asks_for_another(self, caplog: pytest.LogCaptureFixture, words: str) -> None:
        assert NOTICE.format(5, 6) in self.notices(caplog, *words.split())
        assert self.beet("resonance", "analyze") == ["nothing new to analyse, 1 without a file"]
        assert "analyze" not in self.notices(caplog, *words.split())
        status = self.beet("resonance", "status")
        assert {"not yet:        0", "without a file: 1"} <= set(status)

    def test_it_has_no_dense_windows_for_want_of_a_file(self, caplog: pytest.LogCaptureFixture) -> None:
        self.beet("resonance", "analyze")
        caplog.clear()
        (line,) = self.beet("resonance", "analyze", "--passages", "--pretend")
        assert ", 1 without a file" in line
        assert "not analysed yet" not in line
        assert "run `beet resonance analyze`" not in caplog.text

    def test_what_is_new_beside_it_is_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        self.beet("resonance", "analyze")
        self.song("new")
        assert NOTICE.format(5, 7) in self.notices(caplog, "similar", "id:1")

    def test_no_file_is_looked_at_for_it(self) -> None:
        self.beet("resonance", "analyze")
        self.restore(self.item)
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.coverage() == (6, 5, 0, 1)
        assert self.beet("resonance", "status")[2] == "not yet:        1"
        assert self.beet("resonance", "analyze")[0].startswith("1 track analysed in")

    def test_one_that_comes_back_is_analysed_and_counted_once(self, caplog: pytest.LogCaptureFixture) -> None:
        self.beet("resonance", "analyze")
        self.restore(self.item)
        assert self.beet("resonance", "analyze", "title:lost")[0].startswith("1 track analysed in")
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.coverage() == (6, 6, 0, 0)
        self.song("new")
        assert NOTICE.format(6, 7) in self.notices(caplog, "similar", "id:1")

    def test_an_item_that_takes_its_id_is_another(self, caplog: pytest.LogCaptureFixture) -> None:
        self.beet("resonance", "analyze")
        with self.lib.transaction() as transaction:
            transaction.mutate("UPDATE items SET added = added + 1 WHERE id = ?", (self.item.id,))
        self.restore(self.item)
        assert NOTICE.format(5, 6) in self.notices(caplog, "similar", "id:1")

    def test_an_analysis_of_some_tracks_keeps_what_is_known_of_others(self) -> None:
        self.beet("resonance", "analyze")
        other = self.song("other")
        other.filepath.unlink()
        self.song("new")
        self.beet("resonance", "analyze", "title:other", ",", "title:new")
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.coverage() == (8, 6, 0, 2)

    @pytest.mark.parametrize("value", [None, 7, "x", [1], [[1]], [[1, 2, 3]], {"a": 1}])
    def test_what_another_version_wrote_there_is_no_matter(self, value: object) -> None:
        with closing(Sidecar(self.lib)) as sidecar:
            sidecar.store.state.set(f"{MISSING_KEY}:{sidecar.id}", value)
            assert sidecar.coverage() == (6, 5, 0, 0)
