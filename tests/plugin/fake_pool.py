"""Workers in this process whose model makes vectors up, the same for the same sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from resonance_engine.audio import content_key
from resonance_engine.encoder import TrackEmbedding
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.worker import Listened, ModelDescription
from tests.embeddings import WIDTH, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MODALITIES = ("timbre", "rhythm")


class FakePool:
    """Stands for `WorkerPool`; content keys are the real ones.

    `embedded` are the files that the model ran for, `starts` how often the model was loaded, `open` the pools that
    were not closed. Files whose name holds "broken" cannot be listened to. `defect` is raised instead of loading the
    model, `surprise` in the middle of the work.
    """

    embedded: ClassVar[list[Path]] = []
    open: ClassVar[set[int]] = set()
    starts: ClassVar[int] = 0
    defect: ClassVar[ModelError | None] = None
    surprise: ClassVar[BaseException | None] = None
    model_id: ClassVar[str] = "fake"

    def __init__(self, model: Path, count: int = 1, timeout: float = 1.0) -> None:
        self.model, self.count, self.timeout = model, count, timeout

    @classmethod
    def reset(cls) -> None:
        cls.embedded, cls.open, cls.starts, cls.defect, cls.surprise = [], set(), 0, None, None
        cls.model_id = "fake"

    def description(self) -> ModelDescription:
        type(self).starts += 1
        if self.defect is not None:
            raise self.defect
        self.open.add(id(self))
        return ModelDescription(self.model_id, "fake", "1", WIDTH, MODALITIES)

    def listen(
        self, paths: Iterable[Path], wanted: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, Listened | AudioError]]:
        for path in paths:
            if self.surprise is not None:
                raise self.surprise
            if "broken" in path.name:
                yield path, AudioError(path, "it is broken")
                continue
            try:
                key = content_key(path)
            except AudioError as error:
                yield path, error
                continue
            if not wanted(key):
                yield path, Listened(path, key, 0.01)
                continue
            self.embedded.append(path)
            yield path, Listened(path, key, 0.01, embedding(key), (0.0,), {"tempo": 120}, "1")

    def close(self) -> None:
        self.open.discard(id(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FakeWorker(FakePool):
    """Stands for `Worker`."""

    def listen(self, path: Path, wanted: Callable[[bytes], bool]) -> Listened:  # type: ignore[override]  # as Worker
        [(_, heard)] = super().listen([path], wanted)
        if isinstance(heard, AudioError):
            raise heard
        return heard


def embedding(key: bytes) -> TrackEmbedding:
    vectors = unit_vectors(4, seed=int.from_bytes(key[:4], "big"))
    return TrackEmbedding(vectors[0], dict(zip(MODALITIES, vectors[1:], strict=False)), {"timbre": 1.0}, vectors[3:])
