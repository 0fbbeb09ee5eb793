"""Libraries that the tests of commands start from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import pytest
from beets.exceptions import UserError
from beets.test.helper import IOMixin, TestHelper

from tests.audio_files import tune, write_audio
from tests.plugin.fake_runtime import FakeRuntimePlugin

if TYPE_CHECKING:
    from beets.library import Item


class CommandLibrary(IOMixin, FakeRuntimePlugin, TestHelper):
    """A library of files; nothing is analysed yet."""

    db_on_disk: ClassVar[bool] = True

    def song(self, title: str, artist: str = "Somebody", seconds: float = 1.0, name: str | None = None) -> Item:
        """An item, each of another sound."""
        number = len(self.lib.items()) + 1
        path = self.lib_path / (name or f"{title}.flac")
        write_audio(path, tune(seconds, 8000, channels=1, seed=number), 8000, kind="flac")
        return self.add_item(title=title, artist=artist, album="Album", path=str(path), length=seconds)

    def beet(self, *args: str) -> list[str]:
        """The lines that a command prints on standard output."""
        return self.run_with_output(*args).splitlines()

    def refused(self, *args: str) -> str:
        """The sentence with which a command ends, having printed nothing."""
        with pytest.raises(UserError) as caught:
            self.run_command(*args)
        assert self.io.getoutput() == ""
        return str(caught.value)


class AnalysedLibrary(CommandLibrary):
    """Five tracks by two artists, all analysed."""

    def setup_beets(self) -> None:
        super().setup_beets()
        for number in range(5):
            self.song(f"song {number}", artist=f"artist {number % 2}", seconds=1 + number)

    @pytest.fixture(autouse=True)
    def _analysed(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        assert re.fullmatch(r"5 tracks analysed in \d+ s", self.beet("resonance", "analyze")[0])
