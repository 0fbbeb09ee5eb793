"""Annotations: what is known of tracks, in the classes of taggers; the committed lists hold what they promise."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.annotation.labels import Label, labels_of, read_labels, truth_matrix
from benchmarks.annotation.manifest import CORPUS_TRUTH, Annotation, read_manifest, write_manifest
from benchmarks.annotation.recordings import read_recordings
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {
    "violin": Label("instrument", frozenset({"Violin", "Strings"}), frozenset({"Cello"})),
    "cello": Label("instrument", frozenset({"Cello", "Strings"}), frozenset()),
    "piano": Label("instrument", frozenset({"Piano"}), frozenset()),
    "speech": Label("voice", frozenset({"Speech"}), frozenset({"Narration"})),
}
CLASSES = ("Violin", "Strings", "Cello", "Piano", "Speech", "Narration", "Rain")


def annotate(path: str = "a", **known: object) -> Annotation:
    return Annotation(path, "real", "report", "s", **known)  # type: ignore[arg-type]  # fields by name


def test_closed_groups_have_no_classes_but_those_of_the_labels_and_their_relatives() -> None:
    truth = truth_matrix([annotate(labels=("violin",), closed=frozenset({"instrument"}))], CLASSES, LABELS)
    assert truth[0].tolist() == pytest.approx([1, 1, math.nan, 0, math.nan, math.nan, math.nan], nan_ok=True)


def test_an_open_group_knows_only_what_is_audible() -> None:
    truth = truth_matrix([annotate(labels=("violin",), closed=frozenset({"voice"}))], CLASSES, LABELS)
    # Narration is no class of its own: only labels accept it, so it is never wrong.
    assert truth[0].tolist() == pytest.approx([1, 1, math.nan, math.nan, 0, math.nan, math.nan], nan_ok=True)


def test_unsure_labels_are_neither_present_nor_absent() -> None:
    known = annotate(labels=("violin",), unsure=("piano",), closed=frozenset({"instrument", "voice"}))
    truth = truth_matrix([known, annotate()], CLASSES, LABELS)
    assert truth[0].tolist() == pytest.approx([1, 1, math.nan, math.nan, 0, math.nan, math.nan], nan_ok=True)
    assert np.isnan(truth[1]).all()


def test_a_label_that_the_table_lacks_is_refused() -> None:
    with pytest.raises(ResonanceError, match=r"a has the label theremin, which labels\.tsv lacks"):
        truth_matrix([annotate(labels=("theremin",))], CLASSES, LABELS)
    with pytest.raises(ResonanceError, match="openmic is no taxonomy"):
        read_labels("openmic")


def test_music_without_voice_is_instrumental() -> None:
    assert labels_of(annotate(labels=("music",), vocals="none", speech=0.0)) == ("music", "instrumental")
    assert labels_of(annotate(labels=("music",), vocals="none", speech=0.5)) == ("music",)
    assert labels_of(annotate(labels=("rain",), vocals="none", speech=0.0)) == ("rain",)
    assert labels_of(annotate(labels=("music",))) == ("music",)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    annotations = [
        Annotation(
            "ä/x.ogg", "synthetic", "development", "v", "some", 0.25, ("a", "b c"), ("d",), frozenset("zy"), '"q"\t'
        ),
        annotate("y"),
    ]
    write_manifest(annotations, tmp_path / "manifest.tsv")
    assert read_manifest(tmp_path / "manifest.tsv") == annotations
    (tmp_path / "other.tsv").write_text("path\tkind\na\treal\n")
    with pytest.raises(ResonanceError, match="must have the columns path, kind"):
        read_manifest(tmp_path / "other.tsv")
    with pytest.raises(ResonanceError, match="cannot be read"):
        read_manifest(tmp_path / "missing.tsv")


@pytest.mark.parametrize("wrong", [{"vocals": "much"}, {"speech": 1.5}])
def test_impossible_annotations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ResonanceError, match=r"must lie between|expected are"):
        annotate(**wrong)


def test_corpus_annotations_have_proofs_and_thirty_instrumentals() -> None:
    annotations = read_manifest(CORPUS_TRUTH)
    assert all(annotation.proof and annotation.kind == "real" for annotation in annotations)
    assert len({annotation.path for annotation in annotations}) == len(annotations)
    assert sum("instrumental" in labels_of(annotation) for annotation in annotations) >= 30
    assert sum(annotation.speech == 1 for annotation in annotations) >= 2
    truth_matrix(annotations, CLASSES, read_labels("audioset"))  # knows all labels


def test_no_source_is_in_both_halves() -> None:
    halves: dict[str, set[str]] = defaultdict(set)
    for annotation in [*read_manifest(CORPUS_TRUTH), *(each.annotation for each in read_recordings())]:
        halves[annotation.source].add(annotation.half)
    assert {source for source, used in halves.items() if len(used) > 1} == set()


def test_labels_name_tags_that_the_shipped_model_gives() -> None:
    named = {name for label in read_labels("msd").values() for name in label.classes | label.accepted}
    assert named - set(Encoder().manifest.tags) == set()
