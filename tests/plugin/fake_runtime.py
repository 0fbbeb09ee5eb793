"""A runtime without processes, whose model makes vectors up, the same for the same sound; and plugins that use it."""

from __future__ import annotations

import os
import zlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from beets import plugins
from beets.test.helper import PluginMixin

from beetsplug.resonance import ResonancePlugin
from beetsplug.resonance.library.models import FOLDER
from beetsplug.resonance.library.runtime import Runtime
from resonance_engine.audio.content_key import content_key
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.store import Analysis, DenseWindows, Embedding, Windows
from resonance_engine.worker.worker import FileAnalysis, FilePassages, ModelDescription
from tests.embeddings import WIDTH, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

SIZE = 8_700_000  # bytes of the shipped model
MODALITIES = ("timbre", "rhythm")


class FakeRuntime(Runtime):
    """Opens pools in this process and keeps their results; content keys are the real ones.

    `embedded` are the files that a model ran for, `dense` the dense windows by name of file, `starts` counts how often
    one was loaded, `open` are the pools that were not closed, `spawned` the commands of background processes. Files
    whose name holds "broken" fail, and those that hold `failing` with a trained model. `defect` is raised instead of
    loading a model, `surprise` in the middle of the work, `patience` files later. A trained model's id and name are
    those of its folder; the shipped one's are `model_id`, and it gives `tags`, each as likely as not: with either, its
    file changes.
    """

    def __init__(self, folder: Path) -> None:
        self.shipped = folder / "default" / "model.onnx"
        self.shipped.parent.mkdir(parents=True)
        self.embedded: list[Path] = []
        self.dense: dict[str, DenseWindows] = {}
        self.open: set[int] = set()
        self.spawned: list[list[str]] = []
        self.environments: list[Mapping[str, str]] = []
        self.starts = 0
        self.defect: ModelError | None = None
        self.surprise: BaseException | None = None
        self.patience = 0
        self.failing = "never"
        self.read_key: Callable[[Path], bytes] = content_key
        self.model_id, self.tags = "fake", ()
        self.ship("fake")

    def ship(self, model_id: str, *tags: str) -> None:
        """Put another model in place of the shipped one."""
        self.model_id, self.tags = model_id, tags
        new = self.shipped.with_name("new")
        new.write_text(f"{model_id} {tags}", encoding="utf-8")
        os.truncate(new, SIZE)
        new.replace(self.shipped)

    def open_pool(self, model: Path, count: int, timeout: float) -> FakePool:
        return FakePool(self, model, count, timeout)

    def open_dense_pool(self, model: Path, count: int, timeout: float) -> FakePool:
        return FakePool(self, model, count, timeout)

    def open_identifier(self, timeout: float) -> FakeIdentifier:  # type: ignore[override]
        del timeout
        return FakeIdentifier(self.read_key)

    def try_model(self, model: Path, timeout: float) -> tuple[ModelDescription, float]:
        """Seconds are 0.2 for the shipped model, 0.5 for another; a network's file has to hold its manifest."""
        if model != self.shipped and b'"network 1"' not in model.read_bytes():
            raise ModelError(f"{model} is no network.")
        with closing(self.open_pool(model, 1, timeout)) as pool:
            return pool.description(), 0.2 if model == self.shipped else 0.5

    def spawn(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.spawned.append(command)
        self.environments.append(environment)


class FakeIdentifier:
    """Reads content keys in this process."""

    def __init__(self, read_key: Callable[[Path], bytes]) -> None:
        self.identify = read_key

    def close(self) -> None:
        pass


class FakePool:
    """The workers of a `FakeRuntime`."""

    def __init__(self, runtime: FakeRuntime, model: Path, count: int, timeout: float) -> None:
        self.runtime, self.model, self.count, self.timeout = runtime, model, count, timeout

    @property
    def trained(self) -> str:
        """The name of a trained model, empty for another."""
        folder = self.model.parent
        return folder.name if folder.parent.name == FOLDER else ""

    def description(self) -> ModelDescription:
        runtime = self.runtime
        runtime.starts += 1
        if runtime.defect is not None:
            raise runtime.defect
        runtime.open.add(id(self))
        name = self.trained or "fake"
        return ModelDescription(self.trained or runtime.model_id, name, "1", WIDTH, MODALITIES, runtime.tags)

    def analyse(
        self,
        paths: Iterable[Path],
        is_known: Callable[[bytes], bool] | None = None,
        passage: tuple[float, float] | None = None,
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        runtime = self.runtime
        for path in paths:
            if runtime.surprise is not None and len(runtime.embedded) >= runtime.patience:
                raise runtime.surprise
            if "broken" in path.name or (self.trained and runtime.failing in path.name):
                yield path, AudioError(path, "it is broken")
                continue
            try:
                key = runtime.read_key(path)
            except AudioError as error:
                yield path, error
                continue
            if is_known is not None and is_known(key):
                yield path, FileAnalysis(path, key, 0.01)
                continue
            runtime.embedded.append(path)
            embedding = replace(embed(key, f"{passage or ''}{self.trained}"), tags=dict.fromkeys(runtime.tags, 0.5))
            yield path, FileAnalysis(path, key, 0.01, embedding, Analysis("1", {"tempo": 120}))

    def embed_dense(
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool] | None = None
    ) -> Iterator[tuple[Path, FilePassages | AudioError]]:
        """Give the windows that a test laid down for the name of a file."""
        runtime = self.runtime
        for path in paths:
            if runtime.surprise is not None and len(runtime.embedded) >= runtime.patience:
                raise runtime.surprise
            if path.name not in runtime.dense:
                yield path, AudioError(path, "it is shorter than 18 s, the length of a window")
                continue
            key = runtime.read_key(path)
            if is_known is not None and is_known(key):
                yield path, FilePassages(path, key, 0.01)
                continue
            runtime.embedded.append(path)
            yield path, FilePassages(path, key, 0.01, runtime.dense[path.name])

    def close(self) -> None:
        self.runtime.open.discard(id(self))


def embed(key: bytes, variant: str = "") -> Embedding:
    """The embedding of a sound, another one for each variant."""
    vectors = unit_vectors(4, seed=int.from_bytes(key[:4], "big") ^ zlib.crc32(variant.encode()))
    facets = dict(zip(MODALITIES, vectors[1:], strict=False))
    return Embedding(vectors[0], facets, {"timbre": 0.8, "rhythm": 0.6}, Windows((0.0,), vectors[3:]))


class FakeRuntimePlugin(PluginMixin):
    """Loads the plugin with the `runtime` of the test."""

    plugin: ClassVar[str] = "resonance"
    runtime: FakeRuntime

    def load_plugins(self, *names: str) -> None:
        del names
        self.config["plugins"] = [self.plugin]
        if not plugins.find_plugins():
            plugins._instances.append(ResonancePlugin(self.runtime))
            plugins.send("pluginload")
