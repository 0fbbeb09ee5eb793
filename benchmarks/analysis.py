"""Time the analysis of a track, step by step, beside bliss and musly, on the same files of five formats.

    python -m benchmarks.analysis CORPUS [--tracks 25] [--model FOLDER] [--kept FOLDER]

CORPUS is what `make corpus` filled. Tracks of two to seven minutes are transcoded to MP3, FLAC, Vorbis, Opus and AAC,
each to one. CPU milliseconds of one core, means over the tracks; the systems take turns, file by file. bliss and musly
need `pip install bliss-audio pymusly`. musly gets the windows that are decoded here.
"""

from __future__ import annotations

import os

# One thread, as in a worker; the libraries read these when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import soxr

from benchmarks.quality.baselines import Bliss, Musly
from benchmarks.quality.systems import TrackAudio, timed
from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.features.attributes import analyse
from tests.audio_files import write_audio
from training.default_model.corpus import read_manifest
from training.default_model.transcoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.quality.systems import System
    from training.default_model.transcoding import StereoAudio

FORMATS = {".mp3": 192_000, ".flac": None, ".ogg": 192_000, ".opus": 128_000, ".m4a": 192_000}  # bits a second
OPUS_RATE, USUAL_RATE = 48_000, 44_100
SHORTEST, LONGEST = 120.0, 420.0  # seconds of a song
STEPS = KEY, DECODING, FEATURES, NETWORKS, ATTRIBUTES = "key", "decoding", "features", "networks", "attributes"
ALL = "all"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description="Time the analysis of a track.")
    parser.add_argument("corpus", type=Path, metavar="CORPUS")
    parser.add_argument("--tracks", type=int, default=25, metavar="N")
    parser.add_argument("--model", type=Path, default=SHIPPED, metavar="FOLDER")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where the transcoded files are kept")
    return parser.parse_args()


def make_files(corpus: Path, folder: Path, tracks: int) -> list[Path]:
    """Transcode so many songs of the corpus into a folder, the formats in turn; return their paths."""
    paths = [corpus / track.path for track in read_manifest(corpus / "manifest.tsv")]
    random.Random(3).shuffle(paths)  # noqa: S311 - no secret
    files: list[Path] = []
    for path in paths:
        suffix = list(FORMATS)[len(files) % len(FORMATS)]
        file = folder / f"{len(files):03d}{suffix}"
        if not file.exists():
            audio = decode(path)
            if not SHORTEST <= audio.samples.shape[1] / audio.rate <= LONGEST:
                continue
            write_file(file, audio)
        files.append(file)
        if len(files) == tracks:
            break
    return files


def write_file(file: Path, audio: StereoAudio) -> None:
    rate = OPUS_RATE if file.suffix == ".opus" else USUAL_RATE
    samples = audio.samples if audio.rate == rate else soxr.resample(audio.samples.T, audio.rate, rate).T
    write_audio(file, samples, rate, bit_rate=FORMATS[file.suffix])


def time_steps(encoder: Encoder, path: Path) -> dict[str, float]:
    """Return the CPU seconds of each step of a track's analysis."""
    spec = encoder.manifest.spec
    _, key = timed(lambda: content_key(path))
    recording, decoding = timed(lambda: read_windows(path, spec.decoding))
    features, front_end = timed(lambda: encoder.front_end(recording.windows))
    _, networks = timed(lambda: encoder.embed(features, recording.starts))
    _, attributes = timed(lambda: analyse(spec, recording.windows, features))
    return {KEY: key, DECODING: decoding, FEATURES: front_end, NETWORKS: networks, ATTRIBUTES: attributes}


def peers() -> list[System]:
    """Return the peers whose packages are installed; name the others."""
    systems: list[System] = []
    for maker, package in ((Bliss, "bliss-audio"), (Musly, "pymusly")):
        try:
            systems.append(maker())
        except ImportError:
            print(f"{package} is left out: it is not installed", file=sys.stderr)
    return systems


def measure(encoder: Encoder, systems: Iterable[System], files: Iterable[Path]) -> dict[str, dict[str, list[float]]]:
    """Return CPU milliseconds by column and suffix, each file's; the first file is run once more before."""
    spent: dict[str, dict[str, list[float]]] = {}
    paths = [*files]
    for place, path in enumerate([paths[0], *paths]):
        seconds = time_steps(encoder, path)
        seconds["resonance"] = sum(seconds.values())
        for system in systems:
            try:
                seconds[system.name] = sum(system.embed(TrackAudio(place, path)).seconds.values())
            except AudioError as error:
                print(error, file=sys.stderr)
        for name, value in seconds.items() if place else ():
            for kind in (path.suffix, ALL):
                spent.setdefault(name, {}).setdefault(kind, []).append(1000 * value)
    return spent


def format_table(spent: Mapping[str, Mapping[str, list[float]]]) -> str:
    """Format means as a table, a row a format, and how many times as long each peer takes."""
    names = list(spent)
    others = [name for name in names if name not in (*STEPS, "resonance")]
    rows = [" ".join(f"{name:>10}" for name in ("CPU ms", *names, *(f"{name} /" for name in others)))]
    for kind in (*FORMATS, ALL):
        means = {name: statistics.mean(spent[name].get(kind, [float("nan")])) for name in names}
        ratios = [f"{means[name] / means['resonance']:10.2f}" for name in others]
        rows.append(" ".join([f"{kind.lstrip('.'):>10}", *(f"{means[name]:10.1f}" for name in names), *ratios]))
    return "\n".join(rows)


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as temporary:
        files = make_files(options.corpus, options.kept or Path(temporary), options.tracks)
        encoder = Encoder(options.model)
        spent = measure(encoder, peers(), files)
    print(f"{len(files)} tracks, model {encoder.manifest.name} {encoder.manifest.version}")
    print(format_table(spent))


if __name__ == "__main__":
    main()
