"""Simulated listeners: what lists and answers teach of a known taste, and that none is learned where there is none.

    python -m benchmarks.taste resonance.db [--draws 10]

The facets are those of real music; years are drawn at random where the recordings have none here. A listener draws by
the softmax of weighted, standardised similarities, so each also errs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.facets import gate_shares
from resonance_engine.store import Store
from resonance_engine.taste.features import PairFeatures, PrincipalAxes
from resonance_engine.taste.lists import TrackList, learn_from_lists
from resonance_engine.taste.questions import Answer, learn_from_answers, next_question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = NDArray[np.float64]

LISTENERS: dict[str, dict[str, float]] = {
    "rhythm": {"rhythm": 3.0},
    "timbre": {"timbre": 3.0},
    "era": {"era": 3.0},
    "rhythm and era": {"rhythm": 2.0, "era": 2.0},
    "usual similarity": {"base": 3.0},  # there is nothing to learn
    "no pattern": {},
}
LISTS, LENGTH = (5, 10, 20), 8
ANSWERS = (10, 20, 30, 60)
MORE = 4  # times as many listeners without a pattern, of whom few may get a verdict
FIRST_SEED = 2000  # smaller ones are listeners on whom settings were chosen
EVERY = 8  # track is a query for the agreement of two tastes
TOP = 10


def load_features(path: Path) -> PairFeatures:
    """Load the recordings of a sidecar's model in use, with random years."""
    with Store(path) as store:
        model = store.models.active()
        assert model is not None, "something is analysed"
        ids, vectors = store.vectors.matrix(model.id)
        facets = {name: store.vectors.matrix(model.id, name)[1] for name in model.modalities}
        keys = store.vectors.content_keys(ids[:1].tolist())
        [gates] = store.vectors.gates(keys.values(), model.id).values()
    years = np.random.default_rng(0).integers(1960, 2020, len(ids)).astype(np.float64)
    return PairFeatures.create(facets, gate_shares(gates), years, PrincipalAxes.fit(vectors).project(vectors))


def weigh(features: PairFeatures, taste: Mapping[str, float]) -> Weights:
    weights = np.zeros(len(features.names))
    for name, weight in taste.items():
        if name == "base":
            weights += weight * features.base / np.linalg.norm(features.base)
        else:
            weights[features.names.index(name)] = weight
    return weights


def draw_lists(features: PairFeatures, taste: Weights, count: int, seed: int) -> list[TrackList]:
    """Draw lists that begin anywhere; Gumbel noise draws without replacement by the softmax."""
    rng, lists = np.random.default_rng(seed), []
    for _ in range(count):
        first = int(rng.integers(len(features.years)))
        scores = features.to_all(first) @ taste + rng.gumbel(size=len(features.years))
        scores[first] = np.inf
        lists.append(TrackList(np.argsort(-scores)[:LENGTH].astype(np.intp)))
    return lists


def draw_answers(features: PairFeatures, taste: Weights, count: int, seed: int) -> list[Answer]:
    """Put the questions that `teach` puts, and draw the answers."""
    rng, answers = np.random.default_rng(seed), list[Answer]()
    groups = [str(place) for place in range(len(features.years))]
    for _ in range(count):
        question = next_question(features, answers, groups)
        assert question is not None
        one, other = features.to_all(question.anchor)[[question.chosen, question.other]] @ taste
        is_first = rng.random() < 1 / (1 + np.exp(other - one))
        answers.append(question if is_first else question._replace(chosen=question.other, other=question.chosen))
    return answers


def seeds_of(taste: Mapping[str, float], draws: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + (draws if taste else draws * MORE))


def agreement(features: PairFeatures, wanted: Weights, learned: Weights) -> float:
    """Return the share of the first ten by one taste among the first ten by another."""
    shares = []
    for query in range(0, len(features.years), EVERY):
        similarity = features.to_all(query)
        firsts = []
        for weights in (wanted, learned):
            scores = similarity @ weights
            scores[query] = -np.inf
            firsts.append({*np.argsort(-scores)[:TOP].tolist()})
        shares.append(len(firsts[0] & firsts[1]) / TOP)
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description="What simulated listeners teach.")
    parser.add_argument("sidecar", type=Path, metavar="resonance.db")
    parser.add_argument("--draws", type=int, default=10, metavar="N", help="listeners of each kind with a taste")
    options = parser.parse_args()
    features = load_features(options.sidecar)
    print(f"{len(features.years):,} recordings, {options.draws} listeners of each kind with a taste; means")
    print("\nlists of 8       lists  mAP before  after  better, worse, cannot be told")
    for name, taste in LISTENERS.items():
        for count in LISTS:
            learned = [
                learn_from_lists(features, draw_lists(features, weigh(features, taste), count, seed))
                for seed in seeds_of(taste, options.draws)
            ]
            verdicts = [each.verdict for each in learned]
            before, after = (np.mean([each.precision[place].value for each in learned]) for place in (0, 1))
            counts = ", ".join(str(verdicts.count(kind)) for kind in ("better", "worse", "cannot be told"))
            print(f"{name:<16} {count:5}  {before:10.3f}  {after:5.3f}  {counts}")
    print("\nquestions        answers  first ten that agree, before  after  better, worse, cannot be told")
    for name, taste in LISTENERS.items():
        wanted = weigh(features, taste)
        answers = [draw_answers(features, wanted, max(ANSWERS), seed) for seed in seeds_of(taste, options.draws)]
        for count in ANSWERS:
            taught = [learn_from_answers(features, each[:count]) for each in answers]
            verdicts = [each.verdict for each in taught]
            counts = ", ".join(str(verdicts.count(kind)) for kind in ("better", "worse", "cannot be told"))
            shares = "-" if not taste else f"{agreement(features, wanted, features.base):.2f}"
            after_all = "-" if not taste else f"{np.mean([agreement(features, wanted, t.weights) for t in taught]):.2f}"
            print(f"{name:<16} {count:7}  {shares:>29}  {after_all:>5}  {counts}")


if __name__ == "__main__":
    main()
