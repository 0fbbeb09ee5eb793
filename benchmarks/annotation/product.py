"""How well what the product shows agrees with annotations: tags, vocals, the share of speech, spoken recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.annotation.calibration import TagCounts, confusion, count_tags, format_confusion
from benchmarks.annotation.manifest import KINDS
from benchmarks.annotation.report import summary
from benchmarks.annotation.shown import choose_shown, combined_truth
from benchmarks.annotation.voice import VocalLimits, balanced_accuracy, choose_vocal_limits
from resonance_engine.search.voice import SOME, THROUGHOUT, VOCALS, VOICE_TAGS, detect_voices, vocal_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.annotation.report import Evaluation
    from resonance_engine.search.voice import Voices

SPEECH_ALONE = ("none", 1.0)  # vocals and speech of a recording in which words are spoken from end to end


def product_report(evaluation: Evaluation) -> str:
    """Return tables of the report half, for real and synthetic tracks separately where there are both."""
    report = evaluation.rows("report")
    kinds = np.array([annotation.kind for annotation in evaluation.annotations])
    parts = {"all": report} | {kind: report[kinds[report] == kind] for kind in KINDS}
    columns = [evaluation.classes.index(name) for name in VOICE_TAGS]
    voices = detect_voices(evaluation.pooled[:, columns], VOICE_TAGS)
    predicted = [VOCALS[place] for place in voices.vocals.tolist()]
    lines = ["## Shown tags", "", shown_table(evaluation, parts), "", "## Vocals", "", limits_line(evaluation, voices)]
    actual = [annotation.vocals for annotation in evaluation.annotations]
    for name, rows in parts.items():
        counts = confusion([actual[row] for row in rows], [predicted[row] for row in rows])
        table = format_confusion(counts, VOCALS)
        lines += ["", f"{name}: balanced accuracy {balanced_accuracy(counts):.2f}", "", table]
    lines += ["", "## Speech", "", "| tracks | number | mean absolute error |", "|---|---|---|"]
    shares = np.array([np.nan if each.speech is None else each.speech for each in evaluation.annotations])
    for name, rows in parts.items():
        for label, chosen in (("", np.isfinite(shares[rows])), (" with speech", shares[rows] > 0)):
            errors = np.abs(voices.speech[rows] - shares[rows])[chosen]
            lines.append(f"| {name}{label} | {len(errors)} | {errors.mean() if len(errors) else np.nan:.3f} |")
    lines += ["", "## Spoken recordings", "", *spoken_lines(evaluation, voices.is_spoken.tolist())]
    return "\n".join(lines)


def limits_line(evaluation: Evaluation, voices: Voices) -> str:
    """Return a sentence on the limits of vocals that the development half chooses, and on those of the product."""
    rows = evaluation.rows("development")
    columns = [evaluation.classes.index(name) for name in VOICE_TAGS]
    evidence = vocal_evidence(evaluation.pooled[rows][:, columns], VOICE_TAGS)[0]
    actual = [evaluation.annotations[row].vocals for row in rows]
    best = choose_vocal_limits(evidence, actual, voices.is_spoken[rows])
    middle, are_these = best[len(best) // 2], "are" if VocalLimits(SOME, THROUGHOUT) in best else "ARE NOT"
    return (
        f"{len(best)} limits are equally good on the development half, such as some {middle.some}, throughout "
        f"{middle.throughout}; the product's {are_these} among them"
    )


def shown_table(evaluation: Evaluation, parts: dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]) -> str:
    """Return a table of the classes that are shown, over the report half; "all" marks thresholds of both halves."""
    shown, truth = choose_shown(evaluation), combined_truth(evaluation)
    columns = [evaluation.classes.index(each.name) for each in shown]
    given = evaluation.pooled[:, columns] >= np.array([each.threshold for each in shown])
    lines = ["| class | threshold | chosen on | right | wrong | missed |", "|---|---|---|---|---|---|"]
    for row in shown:
        half = "development" if row.is_held_out else "all"
        counts = f"{row.report.hits} | {row.report.errors} | {row.report.misses}"
        lines.append(f"| {row.name} | {row.threshold:.4f} | {half} | {counts} |")
    held_out = np.array([each.is_held_out for each in shown])
    for name, rows in parts.items():
        for label, chosen in (("all classes", held_out | True), ("chosen on the development half", held_out)):
            judged = count_tags(given[rows][:, chosen], truth[rows][:, columns][:, chosen])
            lines.append(f"\n{name}, {label}: {summary(sum(judged, TagCounts(0, 0, 0, 0)))}")
    return "\n".join(lines)


def spoken_lines(evaluation: Evaluation, are_spoken: Sequence[bool]) -> list[str]:
    """Return how many spoken recordings are taken for such, of each half, and which others are."""
    lines = []
    for half in ("development", "report"):
        rows = evaluation.rows(half).tolist()
        alone = [row for row in rows if is_speech_alone(evaluation, row)]
        others = [evaluation.annotations[row].path for row in rows if are_spoken[row] and row not in alone]
        sung = sum(evaluation.annotations[row].vocals in ("some", "throughout") for row in rows)
        right = sum(are_spoken[row] for row in alone)
        lines.append(f"{half}: {right} of {len(alone)} spoken recordings; {sung} sung or rapped; wrong: {others or 0}")
    return lines


def is_speech_alone(evaluation: Evaluation, row: int) -> bool:
    """Whether a track is known to be speech without music: not a mixture of both."""
    annotation = evaluation.annotations[row]
    return (annotation.vocals, annotation.speech) == SPEECH_ALONE and "music" not in annotation.labels
