"""Analyse files, in the library or not, as seeds."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beetsplug.resonance.library.models import Models
from resonance_engine.audio.pipes import seekable_file
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.search.explain import TrackProfile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Model
    from resonance_engine.store.records import Windows


@dataclass(frozen=True, eq=False)
class FileSeed:
    """Embedding (d,), profile and windows of a file, or of a passage of it, by the library's model.

    `key` is the content key of the whole file: an item of the library with that key is the same recording.
    """

    path: Path
    key: bytes
    embedding: NDArray[np.float32]
    profile: TrackProfile
    windows: Windows | None = None


def analyse_files(
    sidecar: Sidecar, model: Model, paths: Sequence[Path], passage: tuple[float, float] | None = None
) -> list[FileSeed]:
    """Analyse files, or the same passage (seconds) of each, with the `model` that the library is searched with.

    One worker analyses all of them, one after another. Raises ModelError where the configuration names another model
    than the library's, ConfigError for an invalid passage, and AudioError for the first file that cannot be analysed,
    also because it ends before the passage does.
    """
    if passage is not None:
        from resonance_engine.audio.passage import make_passage

        make_passage(*passage)  # before a model is loaded
    if not paths:
        return []
    models = Models(sidecar)
    with ExitStack() as stack:
        pool = stack.enter_context(closing(models.open_pool(models.name_of(model.id) or models.wanted)))
        wanted = pool.description()
        if wanted.id != model.id:
            raise ModelError(
                f"The library is analysed with the model {model.name} {model.version}, the "
                f"configuration names {wanted.name} {wanted.version}; run `beet resonance analyze` to switch."
            )
        files = {path: stack.enter_context(seekable_file(path)) for path in dict.fromkeys(paths)}
        results = dict(filter(None, pool.analyse(dict.fromkeys(files.values()), passage=passage)))
        seeds = []
        for path in paths:
            file = results[files[path]]
            if isinstance(file, AudioError):
                raise type(file)(path, file.reason)
            embedding, analysis = file.embedding, file.analysis
            assert embedding is not None, "no key counts as known"
            assert analysis is not None, "what is embedded is measured"
            profile = TrackProfile(embedding.facets, embedding.gates, analysis.attributes, embedding.tags)
            seeds.append(FileSeed(path, file.key, embedding.vector, profile, embedding.windows))
        return seeds
