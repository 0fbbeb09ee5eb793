"""Measure the tags that `tag` suggests and the outliers that `outliers` lists, on the development soundtracks.

    python -m benchmarks.tagging LIBRARY.db CORPUS

LIBRARY.db is a beets library of CORPUS/music, analysed; CORPUS is the folder that `manifest.tsv` lies in. Few files
carry a genre, so two other labels stand for one: the soundtrack itself (the track left out, and with the named artist
left out where a soundtrack has several), and the genre of the game by Debian's debtags, with artist and soundtrack
left out.

The shipped model learned from these very soundtracks to put tracks of one together, so what is measured on its
embeddings with the soundtrack as the label is in-sample and too good. The same is therefore measured on the tags of its
two published networks alone (standardised log odds), which never saw these soundtracks, but are less than an embedding.
Settings are compared on every other soundtrack, by size, and reported on the rest. Intervals are those of Clopper and
Pearson; those of made mis-tags are too narrow, since the draws share the tracks, and the rules of outliers were chosen
on the same tracks.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets.library import Library

from beetsplug.resonance.fields.analysis_cache import AnalysisCache, load_tags
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.tag_votes import load_tracks
from benchmarks.annotation.labels import read_labels, truth_matrix
from benchmarks.annotation.manifest import CORPUS_TRUTH, read_manifest
from resonance_engine.search.text.scoring import logits
from resonance_engine.search.text.tag_names import display_name
from resonance_engine.search.text.tag_table import TAG_TABLE
from resonance_engine.tagging.outliers import album_outliers, label_outliers
from resonance_engine.tagging.suggestions import THRESHOLD, Proportion, agreement, eligible_shares, hold_vote
from resonance_engine.tagging.tracks import UNKNOWN, LabelledTracks, build_table
from resonance_engine.tagging.vote import VoteSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.tagging.suggestions import VoteAgreement

# `apt-cache show GAME | grep game::` in Debian bookworm; games without such a tag are left out.
GAME_GENRES = {
    "0ad-data": "strategy", "alienblaster-data": "arcade", "amoebax-data": "puzzle", "asc-music": "strategy",
    "blobwars-data": "platform", "btanks-data": "arcade", "drascula-music": "adventure",
    "endless-sky-data": "simulation", "extremetuxracer-data": "racing", "fillets-ng-data": "puzzle",
    "freedroidrpg-data": "rpg", "freeorion-data": "strategy", "glob2-data": "strategy",
    "hedgewars-data": "arcade strategy", "lincity-ng-data": "simulation", "megaglest-data": "strategy",
    "pathological": "puzzle", "redeclipse-data": "fps", "scorched3d-data": "arcade",
    "singularity-music": "simulation strategy", "starfighter-data": "arcade", "supertux-data": "arcade platform",
    "warzone2100-music": "strategy", "xmoto-data": "platform", "zaz-data": "puzzle",
}  # fmt: skip
NEIGHBOURS, POWERS, SHARINGS, THRESHOLDS = (5, 10, 20), (2.0, 4.0, 8.0), (0.0, 0.5, 1.0), (0.4, 0.5, 0.6, 0.7, 0.8)
ALTERED_SHARE = 0.05  # the share of tracks that are mis-tagged
DRAWS = 40
FIRST = 10


class Corpus(NamedTuple):
    """The analysed tracks: `vectors` (n, d), soundtracks, named artists, paths, shown tags, `odds` (n, tags) of all."""

    vectors: NDArray[np.float32]
    soundtracks: Sequence[str]
    artists: Sequence[str]
    paths: Sequence[Path]
    tags: Sequence[str]
    odds: NDArray[np.float64]

    def of_tags(self) -> Corpus:
        """Return the tracks with unit vectors of their tags' standardised log odds in the place of embeddings."""
        deviations = self.odds.std(axis=0)
        standard = (self.odds - self.odds.mean(axis=0))[:, deviations > 0] / deviations[deviations > 0]
        vectors = standard / np.linalg.norm(standard, axis=1, keepdims=True)
        return self._replace(vectors=vectors.astype(np.float32))

    def table(self, labels: Sequence[Sequence[str]], artists: bool, albums: bool) -> LabelledTracks:
        """Return a table with some labels, whose artists or soundtracks are left out or not."""
        none = [""] * len(self.paths)
        columns = (self.artists if artists else none, self.soundtracks if albums else none)
        return build_table(self.vectors, range(len(self.paths)), *columns, labels)


class Task(NamedTuple):
    """Labels to be suggested, and the places of the tracks that have any and are asked about."""

    name: str
    table: LabelledTracks
    places: NDArray[np.int64]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("corpus", type=Path)
    options = parser.parse_args(arguments)
    corpus = load_corpus(options.library, options.corpus)
    development = is_development(corpus.soundtracks)
    lines = [
        f"{len(corpus.paths)} tracks, {len(set(corpus.soundtracks))} soundtracks; development: {development.sum()}",
        *model_table(corpus),
    ]
    for name, part in (("Embeddings, in-sample", corpus), ("Published networks' tags", corpus.of_tags())):
        tasks = make_tasks(part)
        lines.append(f"\n# {name}")
        lines += [*settings_table(tasks, development), *report_table(tasks, development), *outlier_table(part)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def load_corpus(database: Path, folder: Path) -> Corpus:
    library = Library(str(database), str(folder / "music"))
    with closing(Sidecar(library)) as sidecar, library.music_dir_context():
        with open_session(sidecar) as session:
            tracks = load_tracks(session)
            vector_ids, probabilities = session.store.tags.matrix(session.model.id)
        tags = AnalysisCache(load_tags).get_all(library)
        items = {item.id: item for item in library.items()}
    paths = [items[item_id].filepath.relative_to(folder) for item_id in tracks.item_ids]
    return Corpus(
        tracks.table.vectors,
        [path.parts[1] for path in paths],
        [track.artist for track in tracks.metadata],
        paths,
        [tags.get(item_id, {}).get("tags", "") for item_id in tracks.item_ids],
        logits(probabilities[np.searchsorted(vector_ids, tracks.table.recordings)]),
    )


def is_development(soundtracks: Sequence[str]) -> NDArray[np.bool_]:
    """Return which tracks are of every other soundtrack, the largest first."""
    counts = Counter(soundtracks)
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return np.isin(soundtracks, order[::2])


def make_tasks(corpus: Corpus) -> list[Task]:
    own = [[name] for name in corpus.soundtracks]
    artists: dict[str, set[str]] = {}
    for name, artist in zip(corpus.soundtracks, corpus.artists, strict=True):
        artists.setdefault(name, set()).add(artist)
    several = [
        bool(artist) and len(artists[name]) > 1 for name, artist in zip(corpus.soundtracks, corpus.artists, strict=True)
    ]
    games = corpus.table([GAME_GENRES.get(name, "").split() for name in corpus.soundtracks], artists=True, albums=True)
    return [
        Task("soundtrack, track left out", corpus.table(own, False, False), np.arange(len(own))),
        Task("soundtrack, artist left out", corpus.table(own, True, False), np.flatnonzero(several)),
        Task("game genre, soundtrack and artist left out", games, games.labelled),
    ]


def measure(task: Task, rows: NDArray[np.bool_], settings: VoteSettings, threshold: float) -> VoteAgreement:
    places = task.places[rows[task.places]]
    votes = hold_vote(task.table, places, settings)
    return agreement(eligible_shares(task.table, votes), task.table.has_label[places], threshold)


def settings_table(tasks: Sequence[Task], development: NDArray[np.bool_]) -> list[str]:
    """Return precision / coverage of the settings on the development soundtracks."""
    lines = ["\nDevelopment soundtracks, precision / coverage:\n"]
    lines += ["| neighbours | power | sharing | task | " + " | ".join(f"{each:g}" for each in THRESHOLDS) + " |"]
    lines += ["|---" * (4 + len(THRESHOLDS)) + "|"]
    for count, power, sharing in product(NEIGHBOURS, POWERS, SHARINGS):
        for task in tasks:
            if sharing and (task.table.artists == UNKNOWN).all():
                continue  # without artists there is nothing to share
            results = [measure(task, development, VoteSettings(count, power, sharing), each) for each in THRESHOLDS]
            cells = [f"{each.precision.value:.2f} / {each.coverage.value:.2f}" for each in results]
            lines.append(f"| {count} | {power:g} | {sharing:g} | {task.name} | {' | '.join(cells)} |")
    return lines


def report_table(tasks: Sequence[Task], development: NDArray[np.bool_]) -> list[str]:
    """Return precision and coverage of the product's settings on the other soundtracks."""
    lines = ["\nOther soundtracks, neighbours:\n", "| task | tracks | precision | coverage | commonest label |"]
    lines += ["|---" * 5 + "|"]
    for task in tasks:
        result = measure(task, ~development, VoteSettings(), THRESHOLD)
        truth = task.table.has_label[task.places[~development[task.places]]]
        commonest = Proportion(int(truth.sum(axis=0).max()), len(truth))
        cells = [describe(each) for each in (result.precision, result.coverage, commonest)]
        lines.append(f"| {task.name} | {len(truth)} | {' | '.join(cells)} |")
    return lines


def model_table(corpus: Corpus) -> list[str]:
    """Return precision and coverage of the model's shown tags on annotated tracks, by half and group of tags."""
    annotations = {Path(each.path): each for each in read_manifest(CORPUS_TRUTH)}
    known = [
        (annotations[path], tags) for path, tags in zip(corpus.paths, corpus.tags, strict=True) if path in annotations
    ]
    classes = list(TAG_TABLE)
    taxonomies = [read_labels(name) for name in ("audioset", "msd")]
    truth = np.fmax(*(truth_matrix([each for each, _ in known], classes, labels) for labels in taxonomies))
    groups = {name: label.group for labels in taxonomies for label in labels.values() for name in label.classes}
    shown = np.array([[display_name(name) in tags.split(", ") for name in classes] for _, tags in known])
    lines = ["\nAnnotated tracks, the model's tags:\n", "| half | group | right of judged tags | tracks with a tag |"]
    lines += ["|---" * 4 + "|"]
    for half, group in product(("development", "report"), ("genre", "instrument", "voice")):
        rows = np.array([each.half == half for each, _ in known])
        columns = np.array([groups.get(name) == group for name in classes])
        part, given = truth[rows][:, columns], shown[rows][:, columns]
        judged = given & ~np.isnan(part)
        right = Proportion(int((part[judged] == 1).sum()), int(judged.sum()))
        covered = Proportion(int(given.any(axis=1).sum()), int(rows.sum()))
        lines.append(f"| {half} | {group} | {describe(right)} | {describe(covered)} |")
    return lines


def outlier_table(corpus: Corpus) -> list[str]:
    """Return precision among the first FIRST and recall of altered mis-tags by kind, over DRAWS draws."""
    lines = [f"\nMade mis-tags ({ALTERED_SHARE:.0%} of the tracks, {DRAWS} draws):\n"]
    lines += [
        "| kind | precision at 10 | recall among as many as altered | recall of all listed | listed |",
        "|---" * 5 + "|",
    ]
    for name, swap in (("label of another soundtrack", swap_labels), ("files of two soundtracks swapped", swap_files)):
        rng = np.random.default_rng(0)
        sums = np.zeros(4, np.int64)
        total = 0
        for _ in range(DRAWS):
            altered, ranked = swap(corpus, rng)
            total += len(altered)
            heads = (ranked[:FIRST], ranked[: len(altered)], ranked)
            sums += [*(len(altered & {*head}) for head in heads), len(ranked)]
        first, head, listed = (
            Proportion(int(hits), trials) for hits, trials in zip(sums[:3], (DRAWS * FIRST, total, total), strict=True)
        )
        lines.append(f"| {name} | {describe(first)} | {describe(head)} | {describe(listed)} | {sums[3] / DRAWS:.0f} |")
    clean = corpus.table([[name] for name in corpus.soundtracks], False, True)
    lines.append(f"\nWithout altered ones, {len(album_outliers(clean))} tracks are listed by album.")
    return lines


def swap_labels(corpus: Corpus, rng: np.random.Generator) -> tuple[set[int], list[int]]:
    """Give some tracks the label of another soundtrack; return them, and the outliers."""
    names = np.array(corpus.soundtracks)
    altered = rng.choice(len(names), round(ALTERED_SHARE * len(names)), replace=False)
    labels = names.copy()
    for place in altered.tolist():
        labels[place] = rng.choice(names[names != names[place]])
    table = corpus.table([[str(name)] for name in labels], False, False)
    return {*altered.tolist()}, [each.place for each in label_outliers(table, VoteSettings())]


def swap_files(corpus: Corpus, rng: np.random.Generator) -> tuple[set[int], list[int]]:
    """Swap the sounds of pairs of tracks of different soundtracks; return them, and the outliers."""
    names = np.array(corpus.soundtracks)
    places = rng.permutation(len(names))
    pairs = [(one, other) for one, other in zip(places[::2], places[1::2], strict=False) if names[one] != names[other]]
    order = np.arange(len(names))
    for one, other in pairs[: round(ALTERED_SHARE * len(names) / 2)]:
        order[[one, other]] = other, one
    moved = corpus._replace(vectors=corpus.vectors[order])
    table = moved.table([[str(name)] for name in names], False, True)
    return {*np.flatnonzero(order != np.arange(len(names))).tolist()}, [each.place for each in album_outliers(table)]


def describe(proportion: Proportion) -> str:
    """Return a proportion with its interval and counts."""
    if not proportion.trials:
        return "none"
    low, high = proportion.interval
    return f"{proportion.value:.2f} [{low:.2f}, {high:.2f}] ({proportion.hits}/{proportion.trials})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
