"""Find duplicates, tracks of one recording, by tiers of evidence; what is doubtful counts as different.

Candidates are each recording's nearest neighbours, and pairs that share an id of MusicBrainz or AcoustID. A pair counts
by the first tier that it meets: the ids and a sound that does not contradict them; embedding, length and windows; a
Chromaprint fingerprint. Two fingerprints that differ much rule out every tier, two that differ a little the sound.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.errors import StoreError
from resonance_engine.search.fingerprint import bit_error_rate, decode_fingerprint
from resonance_engine.search.same_sound import measure_spread, scale_threshold, window_agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.store.records import Windows

    LoadWindows = Callable[[Collection[bytes]], Mapping[bytes, Windows]]
    LoadFingerprints = Callable[[Collection[int]], Mapping[int, str]]

AUDIO, RECORDING, SOUND, FINGERPRINT = "same audio", "same MusicBrainz recording", "same sound", "same fingerprint"
TIERS = (AUDIO, RECORDING, SOUND, FINGERPRINT)  # the strongest first

NEIGHBOURS = 10  # of a recording that are candidates
MOST_OF_AN_ID = 50  # recordings with one id of which all pairs are compared: more share a mistake
PAIRS_AT_A_TIME = 2_000  # whose windows are in memory


class SoundRule(NamedTuple):
    """What shows the same sound: least cosine, least agreement of windows, most seconds between the lengths."""

    cosine: float
    agreement: float
    seconds: float


# Cosines are those of a library whose tracks are at 0 on average; `docs/duplicates.md` says how all were chosen. A
# copy without a few seconds is nearly as near as it was, but its windows lie elsewhere, and agree less. One of lower
# quality is farther, but all of its windows moved alike, and lie where they were.
SOUND_RULES = (SoundRule(0.97, 0.65, 5.5), SoundRule(0.95, 0.75, 5.5), SoundRule(0.9, 0.8, 0.5))
NOT_CONTRADICTING = 0.8  # least cosine where ids or fingerprints agree
FEWEST_WINDOWS = 3  # by which agreement shows anything
SECONDS = 5.5  # by which lengths of copies differ
SECONDS_OF_RECORDING = 15.0  # by which lengths of one MusicBrainz recording differ
# By sound alone, two takes can be one. Fingerprints of takes differ in 14 % of the bits and more, those of copies in
# 5 % and less. Masters may differ more than copies, so that this rules out no id.
SAME_BITS = 0.12  # greatest bit error rate of what sounds the same
OTHER_BITS = 0.35  # greatest bit error rate that does not rule out every tier


class RecordingMetadata(NamedTuple):
    """A recording of a library: its vector's id, content key, length in seconds (0 unknown) and ids.

    `recordings` are MusicBrainz' ids and `acoustids` AcoustID's of the tracks with this audio.
    """

    vector_id: int
    content_key: bytes
    seconds: float = 0.0
    recordings: frozenset[str] = frozenset()
    acoustids: frozenset[str] = frozenset()


class DuplicatePair(NamedTuple):
    """Two recordings that are one, by their vectors' ids in ascending order, and the tier that shows it."""

    one: int
    other: int
    tier: str


def find_duplicates(
    recordings: Sequence[RecordingMetadata],
    index: VectorIndex,
    load_windows: LoadWindows,
    load_fingerprints: LoadFingerprints,
    seeds: Collection[int] | None = None,
) -> list[DuplicatePair]:
    """Return the pairs of recordings that are one, in order; with `seeds`, those with one of these vectors' ids.

    All recordings are in the `index`, whose other vectors take no part. Of plausible pairs alone, windows are loaded by
    content key, and fingerprints, compressed as in tags, by the vector's id. Raises StoreError for damaged windows.
    """
    by_id = {recording.vector_id: recording for recording in recordings}
    spread = measure_spread(index.moments)
    chosen = sorted(by_id if seeds is None else by_id.keys() & set(seeds))
    floor = scale_threshold(NOT_CONTRADICTING, spread)
    near = near_pairs(index, chosen, sorted(by_id), floor)
    cosines = near | id_pairs(recordings, index, None if seeds is None else set(chosen), near.keys())
    plausible = sorted(pair for pair, cosine in cosines.items() if cosine >= floor)
    pairs = []
    for start in range(0, len(plausible), PAIRS_AT_A_TIME):
        batch = plausible[start : start + PAIRS_AT_A_TIME]
        compared = sorted({vector_id for pair in batch for vector_id in pair})
        windows = load_windows({by_id[vector_id].content_key for vector_id in compared})
        fingerprints = load_fingerprints(compared)
        for one, other in batch:
            bits = fingerprint_distance(fingerprints.get(one, ""), fingerprints.get(other, ""))
            tier = compare_recordings(by_id[one], by_id[other], cosines[one, other], bits, windows, spread)
            pairs += [DuplicatePair(one, other, tier)] if tier else []
    return pairs


def near_pairs(
    index: VectorIndex, queries: Sequence[int], allowed: Sequence[int], floor: float
) -> dict[tuple[int, int], float]:
    """Return the cosines of pairs of a query and one of its nearest neighbours that are `floor` or more."""
    if not queries:
        return {}
    vectors = index.vectors(queries)
    scores, ids = index.nearest(vectors, NEIGHBOURS + 1, allowed=None if len(allowed) == len(index) else allowed)
    pairs = {}
    for row, column in np.argwhere(scores >= floor).tolist():
        one, other = queries[row], int(ids[row, column])
        if one != other:
            pairs[min(one, other), max(one, other)] = float(scores[row, column])
    return pairs


def id_pairs(
    recordings: Iterable[RecordingMetadata],
    index: VectorIndex,
    seeds: set[int] | None,
    known: Collection[tuple[int, int]],
) -> dict[tuple[int, int], float]:
    """Return the cosines of the pairs that share an id, without the `known` ones."""
    sharing: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for recording in recordings:
        for kind, ids in (("musicbrainz", recording.recordings), ("acoustid", recording.acoustids)):
            for each in ids:
                sharing[kind, each].append(recording.vector_id)
    pairs = {
        pair
        for members in sharing.values()
        if len(members) <= MOST_OF_AN_ID
        for pair in combinations(sorted(members), 2)
        if pair not in known and (seeds is None or not seeds.isdisjoint(pair))
    }
    return {(one, other): float(np.dot(*index.vectors([one, other]))) for one, other in sorted(pairs)}


def compare_recordings(
    one: RecordingMetadata,
    other: RecordingMetadata,
    cosine: float,
    bits: float | None,
    windows: Mapping[bytes, Windows],
    spread: float,
) -> str:
    """Return the strongest tier that shows two recordings to be one; empty where none does.

    `bits` is the bit error rate of their fingerprints, None where one has none.
    """
    if cosine < scale_threshold(NOT_CONTRADICTING, spread):
        return ""
    if bits is not None and bits > OTHER_BITS:
        return ""
    lengths = (one.seconds, other.seconds)
    difference = abs(one.seconds - other.seconds) if all(lengths) else None
    if one.recordings & other.recordings and (difference is None or difference <= SECONDS_OF_RECORDING):
        return RECORDING
    if difference is None or difference > SECONDS:
        return ""
    least = least_agreement(cosine, difference, spread)
    if least is not None and (bits is None or bits <= SAME_BITS):
        agreement = measure_agreement(one, other, windows)
        if agreement is not None and agreement >= least:
            return SOUND
    return FINGERPRINT if one.acoustids & other.acoustids or (bits is not None and bits <= SAME_BITS) else ""


def least_agreement(cosine: float, seconds: float, spread: float) -> float | None:
    """Return the agreement that shows the same sound at this cosine and difference of lengths; None where none does."""
    return min(
        (
            rule.agreement
            for rule in SOUND_RULES
            if cosine >= scale_threshold(rule.cosine, spread) and seconds <= rule.seconds
        ),
        default=None,
    )


def measure_agreement(
    one: RecordingMetadata, other: RecordingMetadata, windows: Mapping[bytes, Windows]
) -> float | None:
    """Return how far the windows of two recordings differ from each other alike; None where they show nothing."""
    mine, others = windows.get(one.content_key), windows.get(other.content_key)
    if mine is None or others is None or min(len(mine.starts), len(others.starts)) < FEWEST_WINDOWS:
        return None
    if not (np.isfinite(mine.vectors).all() and np.isfinite(others.vectors).all()):
        raise StoreError("The data of a track is damaged; run `beet resonance check --repair`.")
    return window_agreement(mine, others)


def fingerprint_distance(one: str, other: str) -> float | None:
    """Return the bit error rate of two compressed fingerprints; None where one is missing, damaged or too short."""
    if not (one and other):
        return None
    mine, others = decode_fingerprint(one), decode_fingerprint(other)
    return None if mine is None or others is None else bit_error_rate(mine, others)


def group_pairs(pairs: Iterable[DuplicatePair]) -> Iterator[list[int]]:
    """Yield the groups that pairs join, directly or through others: ids in ascending order, by the first of each."""
    group_of: dict[int, list[int]] = {}
    for one, other, _ in pairs:
        mine, others = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if mine is not others:
            mine += others
            group_of |= dict.fromkeys(others, mine)
    groups = {id(group): sorted(group) for group in group_of.values()}
    yield from sorted(groups.values())
