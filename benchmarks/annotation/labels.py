"""Labels of annotations as the classes of a tagger: which must be given, which may, which must not."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.annotation.manifest import Annotation

Truth = NDArray[np.float32]
TAXONOMIES = ("audioset", "msd")
TABLE = Path(__file__).with_name("labels.tsv")


class Label(NamedTuple):
    """A label's `group`, the classes of a taxonomy that it stands for, and those that are no error beside it."""

    group: str
    classes: frozenset[str]
    accepted: frozenset[str]


@cache
def read_labels(taxonomy: str) -> Mapping[str, Label]:
    """Read the labels, by name, in the classes of a taxonomy: "audioset" (YAMNet's 521) or "msd" (musicnn's 50).

    An accepted class is a close relative, which a listener could name as well: it counts neither for nor against.
    """
    if taxonomy not in TAXONOMIES:
        raise ResonanceError(f"{taxonomy} is no taxonomy of labels; expected is one of {', '.join(TAXONOMIES)}.")
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = (taxonomy, f"{taxonomy}_accepted")
    split = {row["label"]: [frozenset(filter(None, row[name].split("|"))) for name in columns] for row in rows}
    return {row["label"]: Label(row["group"], *split[row["label"]]) for row in rows}


def truth_matrix(annotations: Sequence[Annotation], classes: Sequence[str], labels: Mapping[str, Label]) -> Truth:
    """Return what is known of each track and class, (tracks, classes): 1 audible, 0 not, NaN unknown or not judged.

    A class of a label of the track is 1. Any other class of a group that is closed in the track is 0, unless a label
    accepts it or an unsure label has it. A class belongs to the group of the first label that stands for it. Raises
    ResonanceError for a label that the table lacks.
    """
    groups: dict[str, str] = {}
    for label in labels.values():
        for name in label.classes:
            groups.setdefault(name, label.group)
    truth = np.full((len(annotations), len(classes)), np.nan, np.float32)
    for row, annotation in zip(truth, annotations, strict=True):
        if unknown := [name for name in (*labels_of(annotation), *annotation.unsure) if name not in labels]:
            raise ResonanceError(f"{annotation.path} has the label {unknown[0]}, which {TABLE.name} lacks; add it.")
        present = [labels[name] for name in labels_of(annotation)]
        positive = frozenset[str]().union(*(label.classes for label in present))
        unsure = [labels[name] for name in annotation.unsure]
        accepted = frozenset[str]().union(*(label.accepted for label in present), *(label.classes for label in unsure))
        for column, name in enumerate(classes):
            if name in positive:
                row[column] = 1
            elif groups.get(name) in annotation.closed and name not in accepted:
                row[column] = 0
    return truth


def labels_of(annotation: Annotation) -> tuple[str, ...]:
    """Return the labels of a track; music without any voice is "instrumental", too."""
    is_instrumental = annotation.vocals == "none" and annotation.speech == 0 and "music" in annotation.labels
    return (*annotation.labels, "instrumental") if is_instrumental else annotation.labels
