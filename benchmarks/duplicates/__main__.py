"""Measure how well duplicates are told from different recordings, by sound alone: no tags, no fingerprints.

    python -m benchmarks.duplicates CORPUS --cache FOLDER [--every 3] [--noises 25] [--loops 25] [--scores FOLDER]

CORPUS is the folder that training.default_model.corpus filled. Each track, or every third one with `--every 3`, is
compared with four copies of it; all tracks with each other; and pairs that are hard to tell apart, each kind by itself:
tracks of one soundtrack, the nearest of each track, recordings of one kind of noise, loops of 4 s cut from three places
of a track. With `--scores`, the folder that `benchmarks.duplicates.export_scores` wrote, there are pieces for one
instrument, takes and remixes, too, which Debian's `fluidsynth` plays. All that is embedded stays in the folder of
`--cache`, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

from benchmarks.duplicates.pairs import Pair, count_distinct, pairs_across, pairs_near, pairs_within
from benchmarks.duplicates.performances import read_scores
from benchmarks.duplicates.recordings import NOISES, VARIANTS, RecordingEmbedder
from benchmarks.duplicates.statistics import HitRate, StageCounts, count_pairs, expect_groups
from benchmarks.duplicates.synthesis import (
    OTHER_SOUNDFONT,
    RELATED,
    SOUNDFONT,
    TITLES,
    embed_loops,
    embed_noises,
    embed_performances,
)
from resonance_engine.console import progress_bar
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.search.duplicates import (
    NOT_CONTRADICTING,
    SECONDS,
    SOUND_RULES,
    RecordingMetadata,
    compare_recordings,
)
from resonance_engine.search.same_sound import window_agreement
from training.default_model.corpus import read_manifest
from training.default_model.material import fetch_soundfonts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.duplicates.recordings import EmbeddedRecording

LEAST_COSINE = min(rule.cosine for rule in SOUND_RULES)
LEAST_AGREEMENT = min(rule.agreement for rule in SOUND_RULES)
LIBRARY = 12_000  # tracks that false groups are expected for
NEAREST = 300  # of each track
EASY, ALBUM = "two soundtracks", "one soundtrack"
NEIGHBOURS = f"a track and one of its {NEAREST} nearest"
SHOWN = 5  # pairs of each kind that come nearest to a false group


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description="Measure duplicates.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--cache", type=Path, required=True, help="folder where embeddings stay for the next run")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="copy every Nth track alone")
    parser.add_argument("--noises", type=int, default=25, metavar="N", help="recordings of each kind of noise")
    parser.add_argument("--loops", type=int, default=25, metavar="N", help="tracks that three loops each are cut from")
    parser.add_argument("--scores", type=Path, help="folder that benchmarks.duplicates.export_scores wrote")
    parser.add_argument("--pieces", type=int, default=120, metavar="N", help="scores of each collection")
    parser.add_argument("--takes", type=int, default=13, metavar="N", help="scores of each with takes and remixes")
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


def count_stages(recordings: Mapping[str, EmbeddedRecording], pairs: Iterable[Pair]) -> StageCounts:
    """Count the pairs of different recordings that pass each stage."""
    near = alike = candidates = agreeing = false = count = 0
    for one, other in pairs:
        mine, others = recordings[one], recordings[other]
        is_near = float(mine.vector @ others.vector) >= LEAST_COSINE
        is_alike = abs(mine.seconds - others.seconds) <= SECONDS
        near, alike, count = near + is_near, alike + is_alike, count + 1
        if is_near and is_alike:
            agreement = window_agreement(mine.windows, others.windows)
            candidates += 1
            agreeing += agreement is not None and agreement >= LEAST_AGREEMENT
            false += is_duplicate(mine, others)
    near_rate, alike_rate, false_rate = (HitRate(hits, count) for hits in (near, alike, false))
    return StageCounts(near_rate, alike_rate, false_rate, HitRate(agreeing, candidates))


def describe_closest(recordings: Mapping[str, EmbeddedRecording], pairs: Iterable[Pair]) -> list[str]:
    """Describe the pairs of agreeing lengths, not far from each other, whose windows agree most."""
    rows = []
    for one, other in pairs:
        mine, others = recordings[one], recordings[other]
        cosine = float(mine.vector @ others.vector)
        if abs(mine.seconds - others.seconds) <= SECONDS and cosine >= NOT_CONTRADICTING:
            agreement = window_agreement(mine.windows, others.windows)
            if agreement is not None:
                rows.append((agreement, f"  agreement {agreement:.2f}, cosine {cosine:.3f}: {one} | {other}"))
    return [line for _, line in sorted(rows, reverse=True)[:SHOWN]]


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
    performances: dict[str, EmbeddedRecording] = {}
    of_scores: dict[str, list[Pair]] = {}
    if options.scores is not None:
        fetch_soundfonts(options.corpus, (SOUNDFONT, OTHER_SOUNDFONT))
        scores = read_scores(options.scores)
        performances, of_scores = embed_performances(embedder, options.corpus, scores, options.pieces, options.takes)
    kinds = {name: name.rpartition(" ")[0] for name in noises}
    owners = {name: name.split(" ", 2)[2] for name in loops}
    everything = {**originals, **noises, **loops, **performances}
    within, across = pairs_within(known), pairs_across(known)
    of_noise = pairs_within(kinds)
    table: dict[str, list[Pair]] = {
        EASY: across,
        ALBUM: within,
        NEIGHBOURS: pairs_near(originals, NEAREST),
        **{kind: [pair for pair in of_noise if kinds[pair[0]] == kind] for kind in NOISES},
        "two kinds of noise": pairs_across(kinds),
        "loops of one track": pairs_within(owners),
        "loops of two tracks": pairs_across(owners),
        **of_scores,
    }
    print(
        "\n| pairs of different recordings | pairs | near | of one length | both | windows agree | false | at most |",
        f"|{'---|' * 8}",
        sep="\n",
    )
    stages = {}
    for kind, pairs in table.items():
        stages[kind] = counts = count_stages(everything, pairs)
        hits = (counts.near.hits, counts.alike.hits, counts.agreeing.count, counts.agreeing.hits, counts.false.hits)
        numbers = " | ".join(f"{number:,}" for number in (len(pairs), *hits))
        print(f"| {kind} | {numbers} | {counts.false.upper():.1e} |")
    hard = {kind: pairs for kind, pairs in table.items() if kind not in (EASY, *RELATED)}
    print(f"{count_distinct(hard.values()):,} distinct pairs that are hard to tell apart, and of one piece ", end="")
    print(f"{count_distinct(table[kind] for kind in RELATED if kind in table):,}")
    for kind, pairs in table.items():
        print(kind, *describe_closest(everything, pairs), sep="\n")
    print_expectation(stages)


def print_expectation(stages: Mapping[str, StageCounts]) -> None:
    """Print how many false groups a library has to expect, other than of takes and remixes."""
    hard = [counts.agreeing for kind, counts in stages.items() if kind not in (NEIGHBOURS, *RELATED)]
    agree = HitRate(sum(each.hits for each in hard), sum(each.count for each in hard))
    print(
        f"\nwindows of {agree.hits:,} of {agree.count:,} pairs that are near and of one length agree by chance, ",
        end="",
    )
    print(f"at most {agree.upper():.1e}")
    for pairs, kind in zip(count_pairs(LIBRARY), (ALBUM, EASY), strict=True):
        groups = expect_groups(pairs, stages[kind], agree)
        direct = stages[kind].false.upper() * pairs
        print(
            f"{kind}: {pairs:,.0f} pairs of {LIBRARY:,} tracks, {groups.candidates:.1f} candidates (at most "
            f"{groups.most_candidates:.0f}), {groups.groups:.3f} false groups (at most {groups.most_groups:.2f}; "
            f"without stages at most {direct:,.0f})"
        )
    pieces = [stages[kind].false for kind in TITLES.values() if kind in stages]
    if pieces:
        false = HitRate(sum(rate.hits for rate in pieces), sum(rate.count for rate in pieces))
        pairs, _ = count_pairs(LIBRARY)
        print(f"albums for one instrument alone: {false}, at most {false.upper() * pairs:.1f} false groups within them")


if __name__ == "__main__":
    main()
