"""Workers in this process whose model makes vectors up, the same for the same sound."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from beetsplug.resonance.library.models import FOLDER
from resonance_engine.audio.windows import content_key
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.store import Analysis, Embedding, Windows
from resonance_engine.worker.worker import FileAnalysis, ModelDescription
from tests.embeddings import WIDTH, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from beetsplug.resonance.library.models import Models

MODALITIES = ("timbre", "rhythm")


class FakePool:
    """Stands for `WorkerPool`; content keys are the real ones. A trained model's id and name are those of its folder.

    `embedded` are the files that a model ran for, `starts` how often one was loaded, `open` the pools that were not
    closed. Files whose name holds "broken" cannot be listened to, nor those that hold `deaf` by a trained model.
    `tags` are those that the model gives, each as likely as not.
    `defect` is raised instead of loading the model, `surprise` in the middle of the work, `patience` files later.
    """

    embedded: ClassVar[list[Path]] = []
    open: ClassVar[set[int]] = set()
    starts: ClassVar[int] = 0
    defect: ClassVar[ModelError | None] = None
    surprise: ClassVar[BaseException | None] = None
    patience: ClassVar[int] = 0
    deaf: ClassVar[str] = "never"
    model_id: ClassVar[str] = "fake"
    tags: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: Path, count: int = 1, timeout: float = 1.0) -> None:
        self.model, self.count, self.timeout = model, count, timeout

    @classmethod
    def reset(cls) -> None:
        cls.embedded, cls.open, cls.starts, cls.defect, cls.surprise = [], set(), 0, None, None
        cls.model_id, cls.patience, cls.deaf, cls.tags = "fake", 0, "never", ()

    @classmethod
    def stamp(cls, models: Models, name: str) -> list[str]:
        """Stands for that of a model's file, which is another one when the model is."""
        return [str(models.path(name)), cls.model_id, *cls.tags]

    @property
    def trained(self) -> str:
        """The name of a trained model, empty for another."""
        folder = self.model.parent
        return folder.name if folder.parent.name == FOLDER else ""

    def description(self) -> ModelDescription:
        type(self).starts += 1
        if self.defect is not None:
            raise self.defect
        self.open.add(id(self))
        name = self.trained or "fake"
        return ModelDescription(self.trained or self.model_id, name, "1", WIDTH, MODALITIES, self.tags)

    def analyse(
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        for path in paths:
            if self.surprise is not None and len(self.embedded) >= self.patience:
                raise self.surprise
            if "broken" in path.name or (self.trained and self.deaf in path.name):
                yield path, AudioError(path, "it is broken")
                continue
            try:
                key = content_key(path)
            except AudioError as error:
                yield path, error
                continue
            if is_known(key):
                yield path, FileAnalysis(path, key, 0.01)
                continue
            self.embedded.append(path)
            heard = replace(embedding(key, self.trained), tags=dict.fromkeys(self.tags, 0.5))
            yield path, FileAnalysis(path, key, 0.01, heard, Analysis("1", {"tempo": 120}))

    def close(self) -> None:
        self.open.discard(id(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FakeWorker(FakePool):
    """Stands for `Worker`."""

    def analyse(  # type: ignore[override]  # as Worker
        self, path: Path, passage: tuple[float, float] | None = None
    ) -> FileAnalysis:
        [(_, heard)] = super().analyse([path], lambda _: False)
        if isinstance(heard, AudioError):
            raise heard
        if heard.embedding is None or passage is None:
            return heard
        return replace(heard, embedding=replace(embedding(heard.key, f"{passage}"), tags=heard.embedding.tags))


def embedding(key: bytes, trained: str = "") -> Embedding:
    """What a model makes of a sound, each something else."""
    vectors = unit_vectors(4, seed=int.from_bytes(key[:4], "big") ^ zlib.crc32(trained.encode()))
    facets = dict(zip(MODALITIES, vectors[1:], strict=False))
    return Embedding(vectors[0], facets, {"timbre": 1.0}, Windows((0.0,), vectors[3:]))
