"""Tables of a tagger's agreement with annotations: thresholds chosen on one half, measured on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.annotation.calibration import (
    NEVER,
    TagCounts,
    ThresholdRule,
    average_precision,
    choose_thresholds,
    confusion,
    count_tags,
    format_confusion,
    pool,
)  # fmt: skip
from benchmarks.annotation.labels import read_labels, truth_matrix
from benchmarks.annotation.manifest import CORPUS_TRUTH, read_manifest
from benchmarks.annotation.voice import BANDS, balanced_accuracy, choose_bands, choose_share_threshold, share_error
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.annotation.calibration import Scores
    from benchmarks.annotation.labels import Truth
    from benchmarks.annotation.manifest import Annotation
    from benchmarks.annotation.tagger import PatchScores

    Chooser = Callable[[dict[str, float]], list[str]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Annotated tracks with scores: `patches` of each (patches, classes), `pooled` and `truth` (tracks, classes)."""

    annotations: Sequence[Annotation]
    classes: tuple[str, ...]
    patches: Sequence[Scores]
    pooled: Scores
    truth: Truth

    def rows(self, half: str) -> NDArray[np.intp]:
        """Return the places of the tracks of a half."""
        return np.flatnonzero([annotation.half == half for annotation in self.annotations])

    def patch_scores(self, names: Iterable[str]) -> list[Scores]:
        """Return the highest score among some classes of each patch, (patches,) a track; unknown names are left out."""
        columns = [self.classes.index(name) for name in names if name in self.classes]
        if not columns:
            raise ResonanceError("The tagger has none of the classes of voices; give other names.")
        return [patches[:, columns].max(axis=1) for patches in self.patches]


def read_annotations(folder: Path, corpus: Path) -> list[tuple[Path, Annotation]]:
    """Return the annotations of a built folder and of the corpus, with the folder that each path is relative to."""
    built = [(folder, annotation) for annotation in read_manifest(folder / "manifest.tsv")]
    tracks = [(corpus, annotation) for annotation in read_manifest(CORPUS_TRUTH)]
    return [*built, *((root, each) for root, each in tracks if (root / each.path).is_file())]


def evaluate(annotations: Iterable[Annotation], scores: PatchScores, taxonomy: str, method: str) -> Evaluation:
    """Join annotations with scores, pooled by `method`; tracks without scores are left out."""
    known = [annotation for annotation in annotations if annotation.path in scores.scores]
    if not known:
        raise ResonanceError("None of the annotated tracks has scores; score them first.")
    patches = [scores.scores[annotation.path] for annotation in known]
    pooled = np.stack([pool(each, method) for each in patches])
    truth = truth_matrix(known, scores.classes, read_labels(taxonomy))
    return Evaluation(known, scores.classes, patches, pooled, truth)


def tag_table(evaluation: Evaluation, rule: ThresholdRule) -> str:
    """Return a table of the classes that a track of either half has: threshold, and agreement on the report half."""
    development, report = evaluation.rows("development"), evaluation.rows("report")
    thresholds = choose_thresholds(evaluation.pooled[development], evaluation.truth[development], rule)
    measured = count_tags(evaluation.pooled[report] >= thresholds, evaluation.truth[report])
    positives = (evaluation.truth == 1).sum(axis=0)
    order = sorted(np.flatnonzero(positives).tolist(), key=lambda column: evaluation.classes[column])
    lines = ["| class | tracks | AP | threshold | right | wrong | coverage | false positives |", "|---|" + "---|" * 7]
    for column in order:
        counts = measured[column]
        threshold = "-" if thresholds[column] == NEVER else f"{thresholds[column]:.4f}"
        precision = average_precision(evaluation.pooled[report][:, column], evaluation.truth[report][:, column])
        lines.append(
            f"| {evaluation.classes[column]} | {counts.hits + counts.misses} | {precision:.2f} | {threshold} "
            f"| {counts.hits} | {counts.errors} | {counts.coverage:.2f} | {counts.false_positives:.3f} |"
        )
    given = [column for column in order if thresholds[column] < NEVER]
    total = sum((measured[column] for column in given), TagCounts(0, 0, 0, 0))
    lines.append(f"\n{len(given)} of {len(order)} classes are given: {summary(total)}")
    return "\n".join(lines)


def rule_table(evaluation: Evaluation, choose: Chooser) -> str:
    """Return a table of how the tags that a rule chooses of a track's probabilities agree, over all tracks."""
    given = np.zeros(evaluation.pooled.shape, bool)
    for row, probabilities in zip(given, evaluation.pooled.tolist(), strict=True):
        for name in choose(dict(zip(evaluation.classes, probabilities, strict=True))):
            row[evaluation.classes.index(name)] = True
    measured = count_tags(given, evaluation.truth)
    lines = ["| class | given | right | wrong | unknown | coverage |", "|---|" + "---|" * 5]
    for column in np.flatnonzero(given.any(axis=0) | (evaluation.truth == 1).any(axis=0)).tolist():
        counts, number = measured[column], int(given[:, column].sum())
        unknown = number - counts.hits - counts.errors
        judged = f"{counts.hits} | {counts.errors} | {unknown} | {counts.coverage:.2f}"
        lines.append(f"| {evaluation.classes[column]} | {number} | {judged} |")
    lines.append(f"\n{summary(sum(measured, TagCounts(0, 0, 0, 0)))}")
    return "\n".join(lines)


def summary(total: TagCounts) -> str:
    return f"precision {total.precision:.2f} of {total.hits + total.errors} judged tags, coverage {total.coverage:.2f}"


def vocals_table(evaluation: Evaluation, names: Iterable[str]) -> str:
    """Return the confusion of vocals (none, some, throughout) on the report half, by limits of the other half."""
    scores = evaluation.patch_scores(names)
    development, report = (evaluation.rows(half).tolist() for half in ("development", "report"))
    vocals = [annotation.vocals for annotation in evaluation.annotations]
    bands = choose_bands([scores[row] for row in development], [vocals[row] for row in development])
    counts = confusion([vocals[row] for row in report], [bands.predict(scores[row]) for row in report])
    chosen = (
        f"a patch from {bands.threshold:g}, limits {bands.limits}; balanced accuracy {balanced_accuracy(counts):.2f}"
    )
    return f"{chosen}\n\n{format_confusion(counts, BANDS)}"


def speech_table(evaluation: Evaluation, names: Iterable[str]) -> str:
    """Return the error of the share of speech on the report half, and its confusion in bands."""
    scores = evaluation.patch_scores(names)
    development, report = (evaluation.rows(half).tolist() for half in ("development", "report"))
    shares = [annotation.speech for annotation in evaluation.annotations]
    threshold = choose_share_threshold([scores[row] for row in development], [shares[row] for row in development])
    error = share_error([scores[row] for row in report], [shares[row] for row in report], threshold)
    bands = choose_bands([scores[row] for row in development], [band_of(shares[row]) for row in development])
    counts = confusion([band_of(shares[row]) for row in report], [bands.predict(scores[row]) for row in report])
    chosen = (
        f"a patch from {threshold:g}; mean absolute error {error:.3f}; bands from {bands.threshold:g}, {bands.limits}"
    )
    return f"{chosen}\n\n{format_confusion(counts, BANDS)}"


def band_of(share: float | None) -> str | None:
    """Return the band of a known share of speech: some is between a twentieth and nine tenths."""
    return None if share is None else "none" if share < 0.05 else "some" if share < 0.9 else "throughout"
