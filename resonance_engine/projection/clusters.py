"""Clusters of a library's embeddings, and their names from the tags that are over-represented in each."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.search.text.scoring import logits
from resonance_engine.search.text.tag_names import NOT_SEARCHED, display_name
from resonance_engine.search.text.tag_table import TAG_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Places = NDArray[np.intp]

FEWEST, MOST = 2, 24
ITERATIONS, RESTARTS, SEED = 25, 5, 1234
LEAST_SHARE = 0.4  # of the tracks of a cluster that a tag of its name is given to
LEAST_LIFT = 2.0  # of a word of the user: how many times as frequent as in the library
LEAST_PROBABILITY = 0.01  # of a tag that has no threshold
LEAST_DEVIATION = 1e-3  # of log odds; less is noise
TAGS_AT_A_TIME = 64  # whose log odds are in memory
NAME_WORDS = 2
UNNAMED = "cluster"


class Clusters(NamedTuple):
    """Centroids (k, d) of unit length, and a name for each, no two the same."""

    centroids: Vectors
    names: list[str]

    def assign(self, vectors: Vectors) -> Places:
        """Return the clusters (n,) of unit vectors (n, d): those of the nearest centroids."""
        places: Places = np.argmax(vectors @ self.centroids.T, axis=1)
        return places


def cluster_count(tracks: int) -> int:
    """Return how many clusters a library has: the root of half its tracks, at most what a legend can show."""
    return min(max(round(math.sqrt(tracks / 2)), FEWEST), MOST, tracks)


def compute_centroids(vectors: Vectors) -> Vectors:
    """Return the centroids (k, d) of unit vectors (n, d), n >= 1, by spherical k-means; the same each time.

    The largest cluster comes first. Dhillon and Modha, "Concept decompositions for large sparse text data" (2001).
    """
    import faiss

    count = cluster_count(len(vectors))
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=ITERATIONS,
        nredo=RESTARTS,
        seed=SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=1_000,
    )
    kmeans.train(np.ascontiguousarray(vectors, np.float32))
    centroids = np.asarray(kmeans.centroids, np.float32)
    sizes = np.bincount(np.argmax(vectors @ centroids.T, axis=1), minlength=count)
    order = np.argsort(-sizes, kind="stable")
    return centroids[order[sizes[order] > 0]]


def name_by_tags(clusters: Places, count: int, probabilities: Vectors, tags: Sequence[str]) -> list[list[str]]:
    """Return for each of `count` clusters the short names of tags that are over-represented in it, the most so first.

    From the clusters (n,) of tracks and the probabilities (n, tags) of their tags. A tag is over-represented by the
    distance of its mean log odds from that of the library, in standard deviations. It has to be above its threshold,
    or likely enough where it has none, on a share of the tracks, and is not named beside a narrower one.
    """
    members = np.arange(count)[:, None] == clusters
    members = members / np.maximum(members.sum(axis=1, keepdims=True), 1)
    excess, shares = np.empty((count, len(tags))), np.empty((count, len(tags)))
    limits = np.array([TAG_TABLE[tag].threshold if tag in TAG_TABLE else LEAST_PROBABILITY for tag in tags])
    for start in range(0, len(tags), TAGS_AT_A_TIME):
        part = slice(start, start + TAGS_AT_A_TIME)
        odds = logits(probabilities[:, part])
        excess[:, part] = (members @ odds - odds.mean(axis=0)) / np.maximum(odds.std(axis=0), LEAST_DEVIATION)
        shares[:, part] = members @ (probabilities[:, part] >= limits[part])
    excess[:, [place for place, tag in enumerate(tags) if tag in NOT_SEARCHED]] = 0.0
    names = []
    for row, share in zip(excess, shares, strict=True):
        given = [
            tags[place] for place in np.argsort(-row, kind="stable") if row[place] > 0 and share[place] >= LEAST_SHARE
        ]
        wider = {parent for tag in given if tag in TAG_TABLE for parent in TAG_TABLE[tag].parents}
        names.append(list(dict.fromkeys(display_name(tag) for tag in given if tag not in wider)))
    return names


def name_by_words(
    clusters: Places, count: int, words: Sequence[str], least_share: float = 0.0, least_lift: float = 1.0
) -> list[list[str]]:
    """Return for each of `count` clusters the words, such as genres of its tracks, that are over-represented in it.

    Each has to be on `least_share` of the cluster's tracks, on two at least where that is given, and
    more frequent in it than in the library, `least_lift` times at least.
    """
    overall = Counter(filter(None, words))
    names = []
    for cluster in range(count):
        members = np.flatnonzero(clusters == cluster).tolist()
        inside = Counter(words[track] for track in members if words[track])
        shares = {word: (times / len(members), overall[word] / len(words)) for word, times in inside.items()}
        fit = [
            word
            for word, (share, usual) in shares.items()
            if share >= max(least_share, least_lift * usual) and share > usual and (inside[word] > 1 or not least_share)
        ]
        names.append(sorted(fit, key=lambda word: (shares[word][1] - shares[word][0], word)))
    return names


def name_by_metadata(
    clusters: Places, count: int, genres: Sequence[str], artists: Sequence[str], albums: Sequence[str]
) -> list[list[str]]:
    """Return for each of `count` clusters the user's own words that tell it from others.

    Those are its genres and after them the artist or, where none has enough of its tracks, the album.
    """
    by_genre, by_artist, by_album = (
        name_by_words(clusters, count, words, LEAST_SHARE, LEAST_LIFT) for words in (genres, artists, albums)
    )
    return [
        [*genre, *(artist or album)[:1]] for genre, artist, album in zip(by_genre, by_artist, by_album, strict=True)
    ]


def join_names(candidates: Sequence[Sequence[str]]) -> list[str]:
    """Return one name for each cluster: its first words, one more or a number where two would have the same name."""
    names: list[str] = []
    for words in candidates:
        longer = ", ".join(words[: NAME_WORDS + 1]) or UNNAMED
        plain = [", ".join(words[:NAME_WORDS]), longer] if words else []
        numbered = (f"{longer} {number}" for number in itertools.count(1 + len(plain[:1])))
        names.append(next(name for name in itertools.chain(plain, numbered) if name not in names))
    return names
