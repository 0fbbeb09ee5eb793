"""A library of an earlier version, in which hiss was taken for music: the next analysis makes a failure of it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.audio.content_key import content_key
from resonance_engine.errors import AudioError
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path

REASON = "it is silent: none of its windows is louder than -60 dBFS on average"


class TestNearSilence(AnalysedLibrary):
    """Five tracks; one of them is said to be hiss, and another to be quiet."""

    @pytest.fixture(autouse=True)
    def _hiss(self, _analysed: None) -> None:
        with closing(Sidecar(self.lib)) as sidecar:
            for title, level in (("song 4", -91.2), ("song 3", -55.0)):
                (item,) = self.lib.items(f"title:{title}")
                sidecar.store.analyses.put(content_key(item.filepath), "1", {"energy": level})
        (self.hissing,) = (item.filepath for item in self.lib.items("title:song 4"))
        self.runtime.read_key = self.read_key

    def read_key(self, path: Path) -> bytes:
        if path == self.hissing:
            raise AudioError(path, REASON)
        return content_key(path)

    @pytest.mark.parametrize("query", [[], ["title:song 4"]], ids=["all", "query"])
    def test_it_is_no_neighbour_any_more(self, query: list[str]) -> None:
        assert any("song 4" in line for line in self.beet("similar", "title:song 0"))
        assert self.beet("resonance", "analyze", "--pretend", *query)[0] == str(self.hissing)
        with pytest.raises(UserError, match="nothing could be analysed; `beet resonance failures` says why"):
            self.run_command("resonance", "analyze", *query)
        assert "1 failed" in self.io.getoutput()
        (failure,) = self.beet("resonance", "failures")
        assert failure.startswith(f"{self.hissing}: {REASON} (tried once")
        lines = self.beet("similar", "title:song 0")
        assert lines
        assert not any("song 4" in line for line in lines)
        assert any("song 3" in line for line in lines), "quiet is not silent"
        assert "left out that failed before" in self.beet("resonance", "analyze")[0]
        assert self.beet("resonance", "check") == ["no problems"]
