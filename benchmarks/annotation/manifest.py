"""Annotations of tracks: what is known about voice, instruments and sounds of each, in a TSV file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterable

HALVES = ("development", "report")
KINDS = ("real", "synthetic")
VOCALS = ("none", "some", "throughout")
COLUMNS = ("path", "kind", "half", "source", "vocals", "speech", "labels", "unsure", "closed", "proof")
CORPUS_TRUTH = Path(__file__).with_name("corpus.tsv")
SEPARATOR = ", "


@dataclass(frozen=True)
class Annotation:
    """What is known of one track.

    `half` says whether thresholds are chosen or reported on it, all tracks of one `source` (voice, soundfont,
    soundtrack) are in the same half. `vocals` is one of VOCALS, `speech` the share of its length, 0 to 1, with spoken
    words; both are None where unknown. Of the groups in
    `closed`, nothing is audible but `labels` and, perhaps, `unsure`.
    `path` is relative to the folder of the manifest, `proof` the words and where they are written.
    """

    path: str
    kind: str
    half: str
    source: str
    vocals: str | None = None
    speech: float | None = None
    labels: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    closed: frozenset[str] = frozenset()
    proof: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.half not in HALVES or self.vocals not in (None, *VOCALS):
            raise ResonanceError(
                f"{self.path} is annotated as {self.kind}, {self.half}, vocals {self.vocals}; expected are "
                f"one of {KINDS}, of {HALVES} and of {VOCALS}."
            )
        if self.speech is not None and not 0 <= self.speech <= 1:
            raise ResonanceError(f"The share of speech in {self.path} is {self.speech}; it must lie between 0 and 1.")


def write_manifest(annotations: Iterable[Annotation], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for annotation in annotations:
            lists = (annotation.labels, annotation.unsure, sorted(annotation.closed))
            speech = "" if annotation.speech is None else f"{annotation.speech:g}"
            place = (annotation.path, annotation.kind, annotation.half, annotation.source)
            voice = (annotation.vocals or "", speech)
            writer.writerow([*place, *voice, *(SEPARATOR.join(names) for names in lists), annotation.proof])


def read_manifest(path: Path) -> list[Annotation]:
    """Read a manifest; raises ResonanceError for one that is missing or has other columns."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except OSError as error:
        raise ResonanceError(f"The manifest {path} cannot be read ({error}); build it first.") from error
    if any(tuple(row) != COLUMNS for row in rows):
        raise ResonanceError(f"The manifest {path} must have the columns {', '.join(COLUMNS)}; build it again.")
    return [
        Annotation(
            row["path"],
            row["kind"],
            row["half"],
            row["source"],
            row["vocals"] or None,
            float(row["speech"]) if row["speech"] else None,
            split(row["labels"]),
            split(row["unsure"]),
            frozenset(split(row["closed"])),
            row["proof"],
        )
        for row in rows
    ]


def split(field: str) -> tuple[str, ...]:
    """Split a field of a TSV file that lists names."""
    return tuple(field.split(SEPARATOR)) if field else ()
