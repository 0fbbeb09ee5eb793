"""Seeds that need not be in the library: files, and passages of files or of the library's own tracks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.audio.passage import make_passage, parse_passage
from resonance_engine.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.worker.worker import FileAnalysis

    Vector = NDArray[np.float32]

__all__ = ["FileSeed", "file_seeds", "parse_passage"]


@dataclass(frozen=True, eq=False)
class FileSeed:
    """What the library's model hears in a file, or in a passage of it.

    `embedding` (d,) and `facets`, (d,) each, are unit vectors, `gates` by facet sum to one, `attributes` are as in
    `analysis.Attributes`, `tags` are probabilities by name, none where the model gives none. `key` is the content key
    of the whole file: an item of the library with that key is the same sound.
    """

    path: Path
    key: bytes
    embedding: Vector
    facets: Mapping[str, Vector]
    gates: Mapping[str, float]
    attributes: Mapping[str, Any]
    tags: Mapping[str, float]


def file_seeds(search: SearchSession, paths: list[Path], passage: tuple[float, float] | None = None) -> list[FileSeed]:
    """Listen to files, or to the same passage (seconds) of each, with the model that the library is searched with.

    One worker listens to all of them, one after another. Raises ModelError where the configuration names another model
    than the library's, ConfigError for what is no passage, and AudioError for the first file that cannot be listened
    to, also because it ends before the passage does.
    """
    if passage is not None:
        make_passage(*passage)  # before a model is loaded
    if not paths:
        return []
    from resonance_engine.worker.worker import Worker

    models = search.sidecar.models
    name = models.name_of(search.model.id) or models.wanted
    with closing(Worker(models.path(name), search.sidecar.settings.timeout)) as worker:
        described = worker.description()
        if described.id != search.model.id:
            raise ModelError(
                f"The library is analysed with the model {search.model.name} {search.model.version}, the "
                f"configuration names {described.name} {described.version}; run `beet resonance analyze` to switch."
            )
        return [seed_of(worker.analyse(path, passage=passage)) for path in paths]


def seed_of(listened: FileAnalysis) -> FileSeed:
    embedding, analysis = listened.embedding, listened.analysis
    assert embedding is not None, "no key counts as known"
    assert analysis is not None, "what is embedded is measured"
    return FileSeed(
        listened.path,
        listened.key,
        embedding.vector,
        embedding.facets,
        embedding.gates,
        analysis.attributes,
        embedding.tags,
    )
