"""Measure hit rates and false alarms, choose the thresholds on one half, and report both: see the package."""

from __future__ import annotations

import argparse
import json
import math
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import beta

from benchmarks.passages.cases import DISTORTIONS, Case, make_cases
from benchmarks.passages.tracks import ComparedTrack, choose_tracks, embed_tracks
from resonance_engine.console import progress_bar
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.search.passages import Alignment, find_passages
from resonance_engine.store import DenseWindows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Windows = Mapping[str, DenseWindows]
    EmbeddedCase = tuple[Case, DenseWindows]

REPEAT = 0.9  # mean cosine of a passage in its recording and another place of that, from which on they are repeats
TOLERANCE = 4.0  # seconds at both ends, in both recordings
FEWEST_WINDOWS = 18  # of a track that a case is made of: 86 s
MOST_ALARMS = 10 / 1000  # of pairs, on the half that thresholds are chosen on
GRID = {"level": (0.4, 0.5, 0.55, 0.6), "contrast": (0.1, 0.2, 0.3), "least": (0.3, 0.5, 0.7, 0.9, 1.2)}


class Rate(NamedTuple):
    """Events of so many trials."""

    events: int
    trials: int

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of Clopper and Pearson (1934)."""
        events, trials = self
        low = float(beta.ppf(0.025, events, trials - events + 1)) if events else 0.0
        high = float(beta.ppf(0.975, events + 1, trials - events)) if events < trials else 1.0
        return low, high

    def format(self, factor: int, digits: int) -> str:
        low, high = self.interval()
        share = self.events / self.trials
        numbers = [f"{factor * number:.{digits}f}" for number in (share, low, high)]
        return f"{numbers[0]} ({numbers[1]} to {numbers[2]}), {self.events} of {self.trials}"


def is_hit(
    case: Case, recording: DenseWindows, windows: Windows, alignment: Alignment, with_repeats: bool = False
) -> bool:
    """Return whether a passage is right at both ends in both recordings, or `with_repeats`, in one at a repeat."""
    source, tolerance = windows[case.source], TOLERANCE
    for passage in find_passages(source, recording, alignment=alignment):
        first, second = (np.subtract(*spans) for spans in ((passage.first, case.first), (passage.second, case.second)))
        if np.abs(second).max() > tolerance:
            continue
        if np.abs(first).max() <= tolerance:
            return True
        if with_repeats and np.ptp(first) <= tolerance and measure_repeat(source, case.first, first.mean()) >= REPEAT:
            return True
    return False


def measure_repeat(source: DenseWindows, span: tuple[float, float], lag: float) -> float:
    """Return the mean cosine of a recording's windows within a span and those so many seconds later, 0 outside it."""
    steps = round(lag / source.hop)
    first, last = math.ceil(span[0] / source.hop), math.floor((span[1] - source.length) / source.hop)
    if min(first, first + steps) < 0 or max(last, last + steps) >= len(source.vectors):
        return 0.0
    inside = np.arange(first, last + 1)
    return float(np.einsum("nd,nd->n", source.vectors[inside], source.vectors[inside + steps]).mean())


def count_alarms(tracks: Sequence[ComparedTrack], windows: Windows, alignment: Alignment) -> Rate:
    """Count the pairs of tracks of different soundtracks that a passage is found in."""
    pairs = [(a.path, b.path) for a, b in combinations(tracks, 2) if a.soundtrack != b.soundtrack]
    found = sum(bool(find_passages(windows[a], windows[b], 1, alignment)) for a, b in pairs)
    return Rate(found, len(pairs))


def choose_alignment(tracks: Sequence[ComparedTrack], cases: Sequence[EmbeddedCase], windows: Windows) -> Alignment:
    """Return the thresholds with the most hits over all distortions among those with few enough false alarms."""
    best: tuple[int, float, Alignment] | None = None
    for values in product(*GRID.values()):
        alignment = Alignment(**dict(zip(GRID, values, strict=True)))
        hits = sum(is_hit(case, recording, windows, alignment) for case, recording in cases)
        if best is not None and hits <= best[0]:
            continue
        alarms = count_alarms(tracks, windows, alignment)
        if alarms.events <= MOST_ALARMS * alarms.trials:
            best = hits, alarms.events, alignment
            print(f"{alignment}: {hits} hits, {alarms.events} of {alarms.trials} pairs", flush=True)
    assert best is not None, "the strictest thresholds find nothing"
    return best[2]


def report(
    half: int, tracks: Sequence[ComparedTrack], cases: Sequence[EmbeddedCase], windows: Windows, by: Alignment
) -> None:
    """Print the hit rate of each distortion in percent, and the false alarms per 1,000 pairs."""
    soundtracks = len({track.soundtrack for track in tracks})
    print(f"\n{('chosen on', 'reported on')[half]}: {len(tracks)} tracks of {soundtracks} soundtracks")
    for name in DISTORTIONS:
        own = [each for each in cases if each[0].distortion == name]
        strict, lenient = (
            Rate(sum(is_hit(*each, windows, by, with_repeats) for each in own), len(own))
            for with_repeats in (False, True)
        )
        print(f"  {name:20} {strict.format(100, 0)}; at repeats, too: {lenient.format(100, 0)}, %")
    print(f"  false alarms per 1,000 pairs: {count_alarms(tracks, windows, by).format(1000, 1)}")


def parse_case(values: list[Any]) -> Case:
    """Return the case of a JSON array."""
    number, half, source, host, distortion, first, second = values
    return Case(number, half, source, host, distortion, (first[0], first[1]), (second[0], second[1]))


def load_cases(
    folder: Path, count: int, tracks: Sequence[ComparedTrack], windows: Windows, root: Path
) -> list[EmbeddedCase]:
    """Return `count` cases of each half and distortion; those that the cache lacks are computed."""
    encoder = Encoder()
    decoding = encoder.manifest.spec.decoding
    cases: list[EmbeddedCase] = []
    with progress_bar(2 * count, unit="case") as bar:
        for number in range(2 * count):
            long = [t for t in tracks if t.half == number % 2 and len(windows[t.path].vectors) >= FEWEST_WINDOWS]
            file = folder / f"case-{number}.npz"
            if not file.is_file():
                variants = make_cases(number, long, windows, root, encoder)
                vectors = {f"{place}": each for place, (_, each) in enumerate(variants)}
                np.savez(file, allow_pickle=False, cases=json.dumps([case for case, _ in variants]), **vectors)
            with np.load(file, allow_pickle=False) as arrays:
                for place, values in enumerate(json.loads(str(arrays["cases"]))):
                    case = parse_case(values)
                    cases.append((case, DenseWindows(decoding.hop_seconds, decoding.seconds, arrays[f"{place}"])))
            bar.update()
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="folder with a manifest.tsv")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what was computed")
    parser.add_argument("--tracks", type=int, default=80)
    parser.add_argument("--cases", type=int, default=24, help="of each half and distortion")
    parser.add_argument("--choose", action="store_true", help="choose thresholds instead of those in use")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    chosen = choose_tracks(options.music, options.tracks)
    vectors = embed_tracks(options.music, chosen, options.cache / "tracks.npz")
    decoding = Encoder().manifest.spec.decoding
    windows = {path: DenseWindows(decoding.hop_seconds, decoding.seconds, each) for path, each in vectors.items()}
    tracks = [track for track in chosen if track.path in windows]
    cases = load_cases(options.cache, options.cases, tracks, windows, options.music)
    halves = [[track for track in tracks if track.half == half] for half in (0, 1)]
    owned = [[each for each in cases if each[0].half == half] for half in (0, 1)]
    alignment = choose_alignment(halves[0], owned[0], windows) if options.choose else Alignment()
    print(alignment)
    for half in (0, 1):
        report(half, halves[half], owned[half], windows, alignment)


if __name__ == "__main__":
    main()
