"""Build annotated tracks, score them with a model's tags, and print how well these agree.

python -m benchmarks.annotation build CORPUS FOLDER
python -m benchmarks.annotation score CORPUS FOLDER SCORES [--model PATH | --yamnet PACKAGES]
python -m benchmarks.annotation report CORPUS FOLDER SCORES [--taxonomy msd]
python -m benchmarks.annotation table CORPUS FOLDER SCORES > resonance_engine/search/text/tag_table.py
python -m benchmarks.annotation shown CORPUS FOLDER SCORES
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.annotation.build import Builder
from benchmarks.annotation.calibration import ThresholdRule
from benchmarks.annotation.labels import TAXONOMIES
from benchmarks.annotation.manifest import write_manifest
from benchmarks.annotation.product import product_report
from benchmarks.annotation.report import (
    evaluate,
    read_annotations,
    rule_table,
    speech_table,
    tag_table,
    vocals_table,
)  # fmt: skip
from benchmarks.annotation.shown import choose_shown, format_module
from benchmarks.annotation.tagger import ModelTagger, Tagger, YamnetTagger, load_scores, score_tracks
from resonance_engine.search.text.shown_tags import likeliest_tags

SUNG = (
    "Singing", "Choir", "Chant", "Mantra", "Child singing", "Synthetic singing", "Rapping", "Vocal music",
    "A capella", "Yodeling", "Humming", "female vocalists", "male vocalists", "female vocalist",
)  # fmt: skip
SPOKEN = ("Speech", "Narration, monologue", "Conversation", "Speech synthesizer", "Child speech, kid speaking")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    helps = {
        "build": "synthesise and collect the annotated tracks",
        "score": "run a model on them and on the corpus' annotated tracks",
        "report": "print thresholds, agreement and confusions",
        "table": "print the product's table of shown tags, chosen by the scores of a model",
        "shown": "print how well the product's tags, vocals, speech and spoken recordings agree",
    }
    commands = {verb: verbs.add_parser(verb, help=text) for verb, text in helps.items()}
    for verb, command in commands.items():
        command.add_argument("corpus", type=Path, help="the folder of training.default_model.corpus")
        command.add_argument("folder", type=Path, help="where the tracks and manifest.tsv are")
        if verb != "build":
            command.add_argument("scores", type=Path, help="a folder of scores, one npz file a track")
    commands["build"].add_argument("--packages", type=Path, help="where Debian's packages go; FOLDER/packages")
    commands["build"].add_argument("--seed", type=int, default=0)
    commands["score"].add_argument("--model", type=Path, help="a model's file or folder; the shipped model")
    commands["score"].add_argument("--yamnet", type=Path, help="score YAMNet's classes; the folder of its package")
    commands["report"].add_argument("--taxonomy", choices=TAXONOMIES, default="audioset")
    commands["report"].add_argument("--pool", choices=("mean", "max", "top"), default="mean")
    options = parser.parse_args()
    runs = {"build": run_build, "score": run_score, "report": run_report, "table": run_table, "shown": run_shown}
    runs[options.verb](options)


def run_build(options: argparse.Namespace) -> None:
    packages = options.packages or options.folder / "packages"
    annotations = Builder(options.corpus, packages, options.folder, options.seed).build()
    write_manifest(annotations, options.folder / "manifest.tsv")
    print(f"{len(annotations)} tracks in {options.folder}")


def run_score(options: argparse.Namespace) -> None:
    tagger: Tagger = YamnetTagger(options.yamnet) if options.yamnet else ModelTagger(options.model)
    for root in (options.folder, options.corpus):
        annotations = read_annotations(options.folder, options.corpus)
        paths = [annotation.path for place, annotation in annotations if place == root]
        for error in score_tracks(tagger, root, paths, options.scores):
            print(f"left out: {error}")


def run_report(options: argparse.Namespace) -> None:
    annotations = [annotation for _, annotation in read_annotations(options.folder, options.corpus)]
    evaluation = evaluate(annotations, load_scores(options.scores), options.taxonomy, options.pool)
    print(f"{len(evaluation.annotations)} tracks\n\n## Tags\n\n{tag_table(evaluation, ThresholdRule())}")
    if options.taxonomy == "msd":
        print(f"\n## As shown by $res_tags\n\n{rule_table(evaluation, likeliest_tags)}")
    print(f"\n## Vocals\n\n{vocals_table(evaluation, SUNG)}")
    if set(SPOKEN) & set(evaluation.classes):
        print(f"\n## Speech\n\n{speech_table(evaluation, SPOKEN)}")


def run_table(options: argparse.Namespace) -> None:
    annotations = [annotation for _, annotation in read_annotations(options.folder, options.corpus)]
    print(format_module(choose_shown(evaluate(annotations, load_scores(options.scores), "audioset", "mean"))), end="")


def run_shown(options: argparse.Namespace) -> None:
    annotations = [annotation for _, annotation in read_annotations(options.folder, options.corpus)]
    print(product_report(evaluate(annotations, load_scores(options.scores), "audioset", "mean")))


if __name__ == "__main__":
    main()
