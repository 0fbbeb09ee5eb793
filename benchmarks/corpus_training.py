"""Measure the design of three modalities, every layer trained from nothing, on the soundtrack corpus.

    python -m training.default_model.corpus DIRECTORY
    python -m benchmarks.corpus_training DIRECTORY

Five folds by soundtrack tell what the recipe gives on soundtracks that it never heard, against the same networks
untrained. Features are computed once and kept in DIRECTORY, where the folds' numbers go too (folds.json). About half an
hour on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.evaluation.retrieval import (
    average_precision,
    bootstrap_interval,
    hub_skewness,
    precision_at,
    ranked_relevance,
    recall_at,
    same_label,
)
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.files import write_bytes
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.config.settings import Config, Data, EarlyStopping, Segment, Train
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.precompute import precompute
from resonance_engine.training.learning.loop import train
from resonance_engine.training.results.embed import embeddings
from training.default_model.corpus import CorpusTrack, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.training.learning.logs import Epoch

FOLDS = 5
PROCESSES = 2
MODALITIES = ("timbre", "harmony", "rhythm")
RECIPE = Config(
    # Twice the windows that are listened to later: other cuts of the same songs.
    data=Data(segment=Segment(segments_per_song=8)),
    train=Train(
        use_amp=False,
        lr=1e-3,
        epochs=30,
        warmup_epochs=3,
        batch_identities=64,
        views_per_song=2,
        temperature=0.1,
        early_stopping=EarlyStopping(enabled=False),
    ),
)


@dataclass(frozen=True)
class Corpus:
    """The tracks that could be read, with the windows that are trained on and the four that are tested with."""

    tracks: list[CorpusTrack]
    training: WindowSet
    testing: WindowSet

    @property
    def soundtracks(self) -> list[str]:
        return [track.soundtrack for track in self.tracks]


def load_corpus(directory: Path) -> Corpus:
    """The corpus with its features, computed where they are not cached yet."""
    tracks = read_manifest(directory / "manifest.tsv")
    caches = [SqliteCache(directory / "features", spec) for spec in (RECIPE.spec, FeatureSpec())]
    paths = [directory / track.path for track in tracks]
    found = [list(precompute(paths, cache, cache.spec, PROCESSES)) for cache in caches]
    kept: list[CorpusTrack] = []
    keys: list[bytes] = []
    for track, *made in zip(tracks, *found, strict=True):
        errors = [each.error for each in made if each.error]
        if errors:
            print(f"left out: {errors[0]}")
            continue
        kept.append(track)
        keys.append(made[0].key)
    identities = [track.path for track in kept]
    groups = [track.soundtrack for track in kept]
    return Corpus(kept, *(WindowSet(cache, keys, identities, groups) for cache in caches))


def fold_of(soundtracks: list[str]) -> NDArray[np.intp]:
    """The fold of each track: whole soundtracks, the largest first into the fold with the fewest tracks."""
    totals = [0] * FOLDS
    fold = {}
    for name, count in sorted(Counter(soundtracks).items(), key=lambda item: (-item[1], item[0])):
        fold[name] = totals.index(min(totals))
        totals[fold[name]] += count
    return np.array([fold[name] for name in soundtracks])


def scores(vectors: NDArray[np.float32], soundtracks: list[str]) -> dict[str, NDArray[np.float64]]:
    """Same-soundtrack R@1, P@10 and AP of every track against the other tracks of the pool."""
    similarity = (vectors @ vectors.T).astype(np.float64)
    hits, _ = ranked_relevance(similarity, same_label(soundtracks))
    return {"R@1": recall_at(hits, 1), "P@10": precision_at(hits, 10), "mAP": average_precision(hits)}


def cross_validate(corpus: Corpus, recipe: Config) -> list[dict[str, object]]:
    """For every fold: each track's scores by the untrained network and by the one trained on the other folds."""
    fold = fold_of(corpus.soundtracks)
    results: list[dict[str, object]] = []
    for number in range(FOLDS):
        held_out = np.flatnonzero(fold == number)
        testing = corpus.testing.subset(held_out)
        names = [corpus.soundtracks[i] for i in held_out]
        torch.manual_seed(recipe.train.seed)
        network = ResonanceNetwork(MODALITIES).eval()
        untrained = scores(embeddings(network, testing).tracks, names)
        trained(network, corpus.training.subset(np.flatnonzero(fold != number)), recipe, f"fold {number + 1}")
        vectors, facets, *_ = embeddings(network, testing)
        results.append(
            {
                "soundtracks": names,
                "untrained": {name: values.tolist() for name, values in untrained.items()},
                "trained": {name: values.tolist() for name, values in scores(vectors, names).items()},
                "facets": {
                    name: {key: float(np.nanmean(v)) for key, v in scores(facets[:, i], names).items()}
                    for i, name in enumerate(MODALITIES)
                },
                "hub skewness": hub_skewness((vectors @ vectors.T).astype(np.float64)),
            }
        )
        print(fold_line(number, results[-1]), flush=True)
    return results


def trained(network: ResonanceNetwork, windows: WindowSet, recipe: Config, title: str) -> ResonanceNetwork:
    """The network after training on these windows."""
    return train(network, windows, recipe.train, recipe.augment, device="cpu", report=reporter(title)).network


def reporter(title: str) -> Callable[[Epoch], None]:
    def report(epoch: Epoch) -> None:
        print(f"{title} epoch {epoch.number}: loss {epoch.loss:.3f}, gate entropy {epoch.gate_entropy:.3f}", flush=True)

    return report


def fold_line(number: int, result: dict[str, object]) -> str:
    parts = []
    for kind in ("untrained", "trained"):
        values = result[kind]
        assert isinstance(values, dict)
        parts.append(f"{kind} " + ", ".join(f"{name} {np.nanmean(each):.3f}" for name, each in values.items()))
    return f"fold {number + 1}: {'; '.join(parts)}"


def summary(results: list[dict[str, object]], rng: np.random.Generator) -> dict[str, dict[str, object]]:
    """Per metric: means over all folds' queries, folds won, and the paired difference with its 95 % interval.

    The interval is a bootstrap over soundtracks.
    """
    table: dict[str, dict[str, object]] = {}
    groups = [name for result in results for name in result["soundtracks"]]  # type: ignore[attr-defined]
    for metric in ("R@1", "P@10", "mAP"):
        pairs = [(np.array(r["untrained"][metric]), np.array(r["trained"][metric])) for r in results]  # type: ignore[index]
        before, after = (np.concatenate(side) for side in zip(*pairs, strict=True))
        table[metric] = {
            "untrained": float(np.nanmean(before)),
            "trained": float(np.nanmean(after)),
            "queries": int(np.sum(~np.isnan(after))),
            "folds won": sum(bool(np.nanmean(b) > np.nanmean(a)) for a, b in pairs),
            "difference": float(np.nanmean(after - before)),
            "interval": bootstrap_interval(after - before, groups, rng),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the design of three modalities.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--epochs", type=int, default=RECIPE.train.epochs)
    options = parser.parse_args()
    recipe = replace(RECIPE, train=replace(RECIPE.train, epochs=options.epochs))
    corpus = load_corpus(options.corpus)
    print(f"{len(corpus.tracks)} tracks of {len(set(corpus.soundtracks))} soundtracks", flush=True)
    results = cross_validate(corpus, recipe)
    table = summary(results, np.random.default_rng(0))
    report = {"recipe": asdict(recipe), "summary": table, "folds": [fold_summary(each) for each in results]}
    write_bytes(options.corpus / "folds.json", json.dumps(report, indent=1).encode())
    print(json.dumps(table, indent=1), flush=True)


def fold_summary(result: dict[str, object]) -> dict[str, object]:
    """A fold's means, without the single queries."""
    means = {
        kind: {name: float(np.nanmean(values)) for name, values in result[kind].items()}  # type: ignore[attr-defined]
        for kind in ("untrained", "trained")
    }
    soundtracks = result["soundtracks"]
    assert isinstance(soundtracks, list)
    return {
        "tracks": len(soundtracks),
        "soundtracks": sorted(set(soundtracks)),
        **means,
        "facets": result["facets"],
        "hub skewness": result["hub skewness"],
    }


if __name__ == "__main__":
    main()
