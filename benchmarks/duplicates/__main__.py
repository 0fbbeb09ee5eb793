"""Measure how well duplicates are told from different recordings, by sound alone: no tags, no fingerprints.

    python -m benchmarks.duplicates CORPUS --cache FOLDER [--every 3] [--noises 25] [--loops 25]

CORPUS is the folder that training.default_model.corpus filled. Each track, or every third one with `--every 3`, is
compared with four copies of it; all tracks with each other; and pairs that are hard to tell apart, each kind by itself:
tracks of one soundtrack, the nearest of each track, recordings of one kind of noise, loops of 4 s cut from three places
of a track. All that is embedded stays in the folder of `--cache`, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

from benchmarks.duplicates.recordings import NOISES, VARIANTS, RecordingEmbedder, make_loop, make_noise
from benchmarks.duplicates.statistics import HitRate, StageCounts, count_pairs, expect_groups
from resonance_engine.console import progress_bar
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.search.duplicates import SECONDS, SOUND_RULES, RecordingMetadata, compare_recordings
from resonance_engine.search.same_sound import window_agreement
from training.default_model.corpus import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.duplicates.recordings import EmbeddedRecording

LEAST_COSINE = min(rule.cosine for rule in SOUND_RULES)
LEAST_AGREEMENT = min(rule.agreement for rule in SOUND_RULES)
LIBRARY = 12_000  # tracks that false groups are expected for
PLACES = (0.25, 0.5, 0.75)  # of a track that loops are cut from
NEAREST = 150  # of each track
SHOWN = 5  # pairs of each kind that come nearest to a false group
Pair = tuple[str, str]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description="Measure duplicates.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--cache", type=Path, required=True, help="folder where embeddings stay for the next run")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="copy every Nth track alone")
    parser.add_argument("--noises", type=int, default=25, metavar="N", help="recordings of each kind of noise")
    parser.add_argument("--loops", type=int, default=25, metavar="N", help="tracks that three loops each are cut from")
    return parser.parse_args()


def is_duplicate(one: EmbeddedRecording, other: EmbeddedRecording) -> bool:
    """Whether the product takes two recordings for one, in a library whose tracks are at 0 on average."""
    windows = {b"one": one.windows, b"other": other.windows}
    metadata = RecordingMetadata(1, b"one", one.seconds), RecordingMetadata(2, b"other", other.seconds)
    return bool(compare_recordings(*metadata, float(one.vector @ other.vector), None, windows, spread=1.0))


def measure_recall(embedder: RecordingEmbedder, corpus: Path, originals: Mapping[str, EmbeddedRecording]) -> None:
    """Print how many copies of each kind are duplicates of their track."""
    results: dict[str, list[tuple[bool, float, float, str]]] = {kind: [] for kind in VARIANTS}
    failures = []
    for path in progress_bar(len(originals), iterable=list(originals)):
        try:
            copies = embedder.variants(corpus / path, path)
        except AudioError as error:
            failures.append(str(error))
            continue
        one = originals[path]
        for kind, copy in copies.items():
            agreement = window_agreement(one.windows, copy.windows)
            cosine = float(one.vector @ copy.vector)
            results[kind].append((is_duplicate(one, copy), cosine, np.nan if agreement is None else agreement, path))
    print(f"\n| copy | duplicates (95 %) | cosine, 1 % and median | agreement, 1 % and median | loops |\n|{'---|' * 5}")
    for kind, rows in results.items():
        hits = HitRate(sum(row[0] for row in rows), len(rows))
        cosines, agreements = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
        quantiles = (np.quantile(cosines, (0.01, 0.5)), np.nanquantile(agreements, (0.01, 0.5)))
        shown = " | ".join(f"{low:.3f}, {middle:.3f}" for low, middle in quantiles)
        print(f"| {kind} | {hits} | {shown} | {np.isnan(agreements).sum()} |")
    for kind, rows in results.items():
        for same, cosine, agreement, path in sorted(rows, key=lambda row: row[2]):
            if not same:
                print(f"  not found, {kind}: cosine {cosine:.3f}, agreement {agreement:.2f}, {path}")
    print(f"  {len(failures)} tracks could not be copied")


def count_stages(recordings: Mapping[str, EmbeddedRecording], pairs: Iterable[Pair]) -> tuple[StageCounts, HitRate]:
    """Count the pairs of different recordings that pass each stage, and those whose windows agree, by themselves."""
    near = alike = false = agreeing = count = 0
    for one, other in pairs:
        mine, others = recordings[one], recordings[other]
        agreement = window_agreement(mine.windows, others.windows)
        near += float(mine.vector @ others.vector) >= LEAST_COSINE
        alike += abs(mine.seconds - others.seconds) <= SECONDS
        agreeing += agreement is not None and agreement >= LEAST_AGREEMENT
        false += is_duplicate(mine, others)
        count += 1
    return StageCounts(*(HitRate(hits, count) for hits in (near, alike, false))), HitRate(agreeing, count)


def nearest_pairs(recordings: Mapping[str, EmbeddedRecording], pairs: Iterable[Pair]) -> list[str]:
    """Describe the pairs of agreeing lengths that are nearest to each other."""
    rows = []
    for one, other in pairs:
        mine, others = recordings[one], recordings[other]
        cosine = float(mine.vector @ others.vector)
        if abs(mine.seconds - others.seconds) <= SECONDS and cosine >= 0.8:
            agreement = window_agreement(mine.windows, others.windows)
            shown = "none" if agreement is None else f"{agreement:.2f}"
            rows.append((cosine, f"  cosine {cosine:.3f}, agreement {shown}: {one} | {other}"))
    return [line for _, line in sorted(rows, reverse=True)[:SHOWN]]


def pairs_within(groups: Mapping[str, str]) -> list[Pair]:
    """Return the pairs of names that are in one group."""
    names = list(groups)
    return [(a, b) for at, a in enumerate(names) for b in names[at + 1 :] if groups[a] == groups[b]]


def pairs_across(groups: Mapping[str, str]) -> list[Pair]:
    """Return the pairs of names that are in two groups."""
    names = list(groups)
    return [(a, b) for at, a in enumerate(names) for b in names[at + 1 :] if groups[a] != groups[b]]


def pairs_near(recordings: Mapping[str, EmbeddedRecording]) -> list[Pair]:
    """Return the pairs of a recording and one of its nearest, each once."""
    names = list(recordings)
    vectors = np.stack([recording.vector for recording in recordings.values()])
    order = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, : NEAREST + 1]
    pairs = {(min(row, column), max(row, column)) for row, columns in enumerate(order.tolist()) for column in columns}
    return [(names[row], names[column]) for row, column in sorted(pairs) if row != column]


def embed_noises(embedder: RecordingEmbedder, count: int) -> dict[str, EmbeddedRecording]:
    names = [(kind, seed) for kind in NOISES for seed in range(count)]
    return {
        f"{kind} {seed}": embedder.synthetic(f"{kind} {seed}", partial(make_noise, kind, seed))
        for kind, seed in progress_bar(len(names), iterable=names)
    }


def embed_loops(embedder: RecordingEmbedder, corpus: Path, paths: list[str]) -> dict[str, EmbeddedRecording]:
    """Embed three loops of each track; those that are silent are left out."""
    loops = {}
    for path in progress_bar(len(paths), iterable=paths):
        for place in PLACES:
            name = f"loop {place} {path}"
            try:
                loops[name] = embedder.synthetic(name, partial(make_loop, corpus / path, place))
            except AudioError:
                continue
    return loops


def main() -> None:
    options = parse_options()
    embedder = RecordingEmbedder(Encoder(SHIPPED), options.cache)
    soundtracks = {row.path: row.soundtrack for row in read_manifest(options.corpus / "manifest.tsv")}
    originals = {}
    for path in progress_bar(len(soundtracks), iterable=list(soundtracks)):
        if (recording := embedder.original(options.corpus / path, path)) is not None:
            originals[path] = recording
    known = {path: soundtracks[path] for path in originals}
    print(f"{len(originals)} of {len(soundtracks)} tracks; {SOUND_RULES}")
    copied = [path for path in list(soundtracks)[:: options.every] if path in originals]
    measure_recall(embedder, options.corpus, {path: originals[path] for path in copied})

    noises = embed_noises(embedder, options.noises)
    loops = embed_loops(embedder, options.corpus, list(originals)[:: max(1, len(originals) // options.loops)])
    kinds = {name: name.rpartition(" ")[0] for name in noises}
    owners = {name: name.split(" ", 2)[2] for name in loops}
    everything = {**originals, **noises, **loops}
    within, across = pairs_within(known), pairs_across(known)
    of_noise = pairs_within(kinds)
    table: dict[str, list[Pair]] = {
        "two soundtracks": across,
        "one soundtrack": within,
        f"a track and one of its {NEAREST} nearest": pairs_near(originals),
        **{kind: [pair for pair in of_noise if kinds[pair[0]] == kind] for kind in NOISES},
        "two kinds of noise": pairs_across(kinds),
        "loops of one track": pairs_within(owners),
        "loops of two tracks": pairs_across(owners),
    }
    print(
        "\n| pairs of different recordings | pairs | near | of one length | windows agree | false | at most (95 %) |",
        f"|{'---|' * 7}",
        sep="\n",
    )
    stages, agreeing = {}, {}
    for kind, pairs in table.items():
        stages[kind], agreeing[kind] = counts, agree = count_stages(everything, pairs)
        numbers = (len(pairs), counts.near.hits, counts.alike.hits, agree.hits, counts.false.hits)
        print(f"| {kind} | {' | '.join(f'{number:,}' for number in numbers)} | {counts.false.upper():.1e} |")
    for kind, pairs in table.items():
        print(kind, *nearest_pairs(everything, pairs), sep="\n")
    print_expectation(stages, agreeing)


def print_expectation(stages: Mapping[str, StageCounts], agreeing: Mapping[str, HitRate]) -> None:
    """Print how many false groups a library has to expect."""
    # Most pairs of one soundtrack are among the nearest.
    hard = [agreeing[kind] for kind in agreeing if not kind.endswith(("soundtrack", "soundtracks"))]
    agree = HitRate(sum(each.hits for each in hard), sum(each.count for each in hard))
    print(f"\nwindows that agree by chance: {agree.hits:,} of {agree.count:,} hard pairs, at most {agree.upper():.1e}")
    for pairs, kind in zip(count_pairs(LIBRARY), ("one soundtrack", "two soundtracks"), strict=True):
        groups = expect_groups(pairs, stages[kind], agree)
        direct = stages[kind].false.upper() * pairs
        print(
            f"{kind}: {pairs:,.0f} pairs of {LIBRARY:,} tracks, {groups.candidates:.1f} candidates (at most "
            f"{groups.most_candidates:.0f}), {groups.groups:.3f} false groups (at most {groups.most_groups:.2f}; "
            f"without stages at most {direct:,.0f})"
        )


if __name__ == "__main__":
    main()
