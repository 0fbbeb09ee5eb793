"""A library with several models."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.sidecar import Sidecar
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path


class ModelsLibrary(AnalysedLibrary):
    """Five tracks, all analysed by the shipped model, and ways to have more models."""

    def add_trained_model(self, name: str) -> Path:
        """The folder of a trained model; the stand-in for the workers only looks at its name."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        for file in ("model.onnx", "model.safetensors", "CARD.md"):
            (folder / file).write_bytes(b"a model" * 100_000)
        return folder

    @property
    def folder(self) -> Path:
        return Sidecar(self.lib).path.with_name("resonance-models")

    def interrupt_use(self, patience: int) -> None:
        """Begin to use the model `own`, and interrupt that after so many tracks."""
        self.runtime.surprise, self.runtime.patience = KeyboardInterrupt(), len(self.runtime.embedded) + patience
        with pytest.raises(SystemExit):
            self.run_command("resonance", "model", "use", "own")
        self.runtime.surprise = None
        self.io.getoutput()

    def count_embedded(self, name: str) -> int:
        """How many tracks of the library a model has heard."""
        with closing(Sidecar(self.lib)) as sidecar:
            return sidecar.store.tracks.counts(sidecar.id, name).embedded

    def configure(self, model: str) -> None:
        """Start beets again with a model in the configuration."""
        self.unload_plugins()
        self.config["resonance"]["model"] = model
        self.load_plugins()

    def active_model(self) -> str:
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None, "something is analysed"
            return sidecar.model.id

    def list_uses(self) -> dict[str, str]:
        """The last column of the list of models, by name."""
        lines = self.beet("resonance", "model", "list")
        start = lines[0].index("size") + len("size")
        return {line.split()[0]: line[start:].strip(" MB") for line in lines[1:]}
