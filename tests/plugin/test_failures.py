"""beet resonance failures: what is listed, and what another try does."""

from __future__ import annotations

import os
import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import AudioError
from tests.plugin.command_library import CommandLibrary

if TYPE_CHECKING:
    from pathlib import Path


def unreadable(path: Path) -> bytes:
    raise AudioError(path, "it cannot be read")


class TestFailures(CommandLibrary):
    """One song that can be listened to, and two that fail."""

    @pytest.fixture(autouse=True)
    def _analysed(self, setup: None, io: object) -> None:  # noqa: ARG002
        read_key, self.runtime.read_key = self.runtime.read_key, unreadable
        self.song("two")
        self.song("three", name="broken.flac")
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze")
        self.runtime.read_key = read_key
        self.song("one")
        self.beet("resonance", "analyze")
        assert len(self.runtime.embedded) == 1

    def tries(self) -> dict[str, int]:
        with closing(Sidecar(self.lib)) as sidecar:
            return {os.fsdecode(path): found.tries for path, found in sidecar.store.failures.all(sidecar.id).items()}

    def test_each_file_has_a_line(self) -> None:
        lines = self.beet("resonance", "failures")
        assert [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", line) for line in lines] == [
            f"{self.lib_path / 'two.flac'}: it cannot be read (tried once, last TIME)",
            f"{self.lib_path / 'broken.flac'}: it is broken (tried once, last TIME)",
        ]

    def test_a_query_chooses(self) -> None:
        assert len(self.beet("resonance", "failures", "title:two")) == 1
        assert self.beet("resonance", "failures", "title:one") == ["no file failed"]
        assert self.refused("resonance", "failures", "title:four") == (
            "resonance: no track matches title:four; try `beet ls title:four`"
        )

    def test_they_are_left_alone_until_the_file_changes(self) -> None:
        before = self.tries()
        self.beet("resonance", "analyze")
        assert self.tries() == before
        os.utime(self.lib_path / "two.flac", (1, 1))
        assert self.beet("resonance", "analyze")[0].startswith("1 track analysed")
        assert list(self.tries()) == [str(self.lib_path / "broken.flac")]

    def test_another_try(self) -> None:
        lines = self.beet("resonance", "failures", "--retry")
        assert re.fullmatch(r"1 track analysed in \d+ s, 1 failed again", lines[0])
        assert self.tries() == {str(self.lib_path / "broken.flac"): 2}
        assert "(tried 2 times, last " in self.beet("resonance", "failures")[0]
        assert len(self.runtime.embedded) == 2

    def test_another_try_of_what_matches(self) -> None:
        before = self.tries()
        with pytest.raises(UserError, match="nothing could be analysed; `beet resonance failures` says"):
            self.run_command("resonance", "failures", "title:three", "--retry")
        assert self.tries() == before | {str(self.lib_path / "broken.flac"): 2}

    def test_with_two_models_both_try(self) -> None:
        folder = Sidecar(self.lib).path.with_name("resonance-models") / "own"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"a model")
        self.runtime.surprise, self.runtime.patience = KeyboardInterrupt(), len(self.runtime.embedded)
        with pytest.raises(SystemExit):
            self.run_command("resonance", "model", "use", "own")
        self.runtime.surprise = None
        self.io.getoutput()
        starts = self.runtime.starts
        assert self.beet("resonance", "failures", "title:two", "--retry")[0].startswith("1 track analysed")
        assert self.runtime.starts == starts + 2
        assert [path.name for path in self.runtime.embedded].count("two.flac") == 2

    def test_what_left_the_library_is_not_listed(self) -> None:
        self.unload_plugins()
        self.run_command("remove", "-f", "title:two")
        self.load_plugins()
        assert len(self.beet("resonance", "failures")) == 1
        assert len(self.tries()) == 2, "the failure is gone, which is not what is tested"

    def test_files_that_are_away_are_not_tried(self) -> None:
        (self.lib_path / "two.flac").unlink()
        (self.lib_path / "broken.flac").unlink()
        before = self.tries()
        assert self.refused("resonance", "failures", "--retry").startswith("resonance: none of the files that ")
        assert self.tries() == before


class TestNone(CommandLibrary):
    def test_nothing_failed(self) -> None:
        assert self.beet("resonance", "failures") == ["no file failed"]
        assert self.beet("resonance", "failures", "--retry") == ["no file failed"]
        assert not Sidecar(self.lib).exists
