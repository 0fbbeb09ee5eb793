"""A library whose tracks sound as a test says: analysed without files, their embeddings on a circle."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.store import Embedding, Model, TrackRow
from tests.embeddings import WIDTH, key
from tests.plugin.command_library import CommandLibrary

if TYPE_CHECKING:
    from beets.library import Item

MODEL = Model("drawn", "drawn", "1", WIDTH)
STEP = 4.0  # degrees between two tracks of `circle`
LONGEST_APART = 7.0  # seconds by which tracks of `circle` differ, so that none is taken for another of the same sound


def on_circle(degrees: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A unit vector."""
    vector = np.zeros(WIDTH, np.float32)
    vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


class CircleLibrary(CommandLibrary):
    """An empty library; `heard` puts a track into it that is analysed already.

    Of the square length of an embedding, OWN_SHARE is in directions of its track alone: tracks at one angle are copies
    where it is 0.
    """

    OWN_SHARE: ClassVar[float] = 0.0

    def add_track(self, title: str, degrees: float, name: str | bytes | None = None, **fields: Any) -> Item:
        """An item at an angle; what `fields` do not say it has from its number."""
        self.count += 1
        number = self.count
        named = name or f"{title}.flac"
        path = os.path.join(  # noqa: PTH118 - names may be no text
            os.fsencode(self.lib_path), named if isinstance(named, bytes) else named.encode()
        )
        measured = {"tempo": 60.0 + number, "energy": -20.0, "brightness": 1000.0, **fields.pop("measured", {})}
        usual = {"artist": f"artist {number}", "album": f"album {number}", "length": 100.0 + LONGEST_APART * number}
        item = self.add_item(title=title, path=path, **{**usual, **fields})
        self.fresh.append((item, degrees, measured))
        return item

    @pytest.fixture(autouse=True)
    def _nothing_heard(self) -> None:
        self.count = 0
        self.fresh: list[tuple[Item, float, dict[str, float]]] = []

    def run_command(self, *args: str, **options: Any) -> None:
        self.analyse()
        super().run_command(*args, **options)

    def analyse(self) -> None:
        """Store what was heard; commands do so first."""
        if not self.fresh:
            return
        sidecar = Sidecar(self.lib)
        with sidecar.store as store, store.write():
            store.models.register(MODEL)
            store.models.activate(MODEL.id)
            for item, degrees, measured in self.fresh:
                assert item.id is not None, "it was added"
                content = key(item.id)
                store.vectors.put(content, MODEL.id, Embedding(self.sound(item.id, degrees)))
                store.analyses.put(content, "1", measured)
                store.tracks.link(sidecar.id, TrackRow(item.id, item.added, 1, 1, content))
        self.fresh = []

    def sound(self, number: int, degrees: float) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The embedding of a track at an angle."""
        vector = on_circle(degrees) * np.float32(np.sqrt(1 - self.OWN_SHARE))
        vector[2:] = (1 - 2 * (number >> np.arange(WIDTH - 2) & 1)) * np.sqrt(self.OWN_SHARE / (WIDTH - 2))
        return vector

    def circle(self, count: int, **fields: Any) -> None:
        """Tracks "0", "1" ... that go along the circle in even steps; fields are functions of the number."""
        with self.lib.transaction():
            for number in range(count):
                self.add_track(str(number), STEP * number, **{name: value(number) for name, value in fields.items()})

    def configure(self, **settings: Any) -> None:
        """Configure the plugin anew."""
        for name, value in settings.items():
            self.config["resonance"][name].set(value)
        self.unload_plugins()
        self.load_plugins()

    def playlist_titles(self, *args: str) -> list[str]:
        """The titles of a playlist."""
        return self.beet("playlist", "-f", "$title", *args)

    def playlist_rows(self, *args: str) -> list[dict[str, Any]]:
        """What `--json` says of a playlist."""
        found: list[dict[str, Any]] = json.loads("\n".join(self.beet("playlist", "--json", *args)))
        return found

    def take_notes(self, caplog: pytest.LogCaptureFixture) -> str:
        """What was told beside the list, in lines; forgotten then."""
        lines = [each.getMessage() for each in caplog.records if each.name == "beets.resonance" and each.levelno >= 20]
        caplog.clear()
        return "\n".join(lines)
