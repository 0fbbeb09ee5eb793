"""Compare embeddings on a device with the engine's, float32 with INT8, and measure CPU time, memory and sizes.

    python -m benchmarks.ondevice CORPUS [--tracks 72]

CORPUS is the folder that training.default_model.corpus filled; the tracks are spread over it. Each is decoded as a
whole into a buffer, as a program on a device holds it, and embedded by `resonance_engine.ondevice`; the engine decodes
the windows of the file, resampled by soxr. CPU times are of one thread, by turns, without decoding. Retrieval is by
the soundtrack, among these tracks, which the shipped models know from their training: it compares the two models, and
is no measure of either. Needs Linux.
"""

from __future__ import annotations

import os

# Times are of one thread; numpy reads this when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib.metadata
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr

from benchmarks.measure import ROOT
from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.windows import read_windows
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.evaluation.metrics import query_scores, same_label
from resonance_engine.ondevice import BufferEmbedder
from training.default_model.corpus import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray

    from resonance_engine.store.records import Embedding

    Samples = NDArray[np.float32]

INT8 = SHIPPED.parents[1] / "default-int8" / SHIPPED.name
DEVICE_RATE = 48_000
PADDING = 0.1  # seconds by which the length that a file states may exceed what is decoded of it
NEIGHBOURS = 10
MEMORY_SECONDS = 240
PACKAGES = ("numpy", "scipy", "onnxruntime", "av", "faiss-cpu", "SQLAlchemy", "beets")
PEAK = """
import re, sys
from pathlib import Path
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
from resonance_engine.ondevice import BufferEmbedder
import numpy as np, scipy.fft, scipy.ndimage, onnxruntime
loaded = peak()
embedder = BufferEmbedder(Path(sys.argv[1]))
model = peak()
samples = np.random.default_rng(0).integers(-9000, 9000, (int(sys.argv[2]) * 44_100, 2), np.int16, endpoint=True)
held = peak()
embedder.embed(samples, 44_100)
print(loaded, model, held, peak())
"""


class TrackVectors(NamedTuple):
    """Embeddings of one track: the engine's, those on a device from several buffers, and INT8's."""

    engine: Samples
    buffers: dict[str, Samples]
    int8: Samples


class CpuTimes(NamedTuple):
    """Seconds of CPU for one track, without decoding; of the network alone in the last two."""

    engine: float
    device: float
    device_int8: float
    network: float
    network_int8: float


def read_buffer(path: Path) -> tuple[Samples, int]:
    """Decode a whole file to float32 (n, channels), as long as its header states, and its rate."""
    with open_audio(path) as source:
        frames = list(source.frames())
        stated = source.duration or 0.0
    rate = frames[0].sample_rate
    samples = np.concatenate([to_channels(frame) for frame in frames])
    # An Opus file states some milliseconds more than are decoded of it, by which windows would lie elsewhere.
    missing = round(stated * rate) - len(samples)
    return np.pad(samples, ((0, missing if 0 < missing < PADDING * rate else 0), (0, 0))), rate


def to_channels(frame: AudioFrame) -> Samples:
    data = frame.to_ndarray()
    if frame.format.is_packed:
        data = data.reshape(-1, len(frame.layout.channels)).T
    full = 1.0 if data.dtype.kind == "f" else 2.0 ** (8 * data.dtype.itemsize - 1)
    return np.asarray(data.T / np.float32(full), np.float32)


def timed(action: Callable[[], Embedding]) -> tuple[Samples, float]:
    start = time.process_time()
    vector = action().vector
    return vector, time.process_time() - start


def embed_track(
    path: Path, engine: Encoder, device: BufferEmbedder, eight: BufferEmbedder
) -> tuple[TrackVectors, CpuTimes]:
    recording = read_windows(path, engine.manifest.spec.decoding)
    samples, rate = read_buffer(path)
    whole, engine_time = timed(lambda: engine.embed(engine.front_end(recording.windows), recording.starts))
    own, device_time = timed(lambda: device.embed(samples, rate))
    small, int8_time = timed(lambda: eight.embed(samples, rate))
    features = device.encoder.front_end(recording.windows)
    _, network = timed(lambda: device.encoder.embed(features))
    _, network_int8 = timed(lambda: eight.encoder.embed(features))
    at_48k = soxr.resample(samples, rate, DEVICE_RATE).astype(np.float32)
    sixteen = np.clip(np.rint(32767 * samples), -32768, 32767).astype(np.int16)
    buffers = {
        "float32, stereo, the file's rate": own,
        "float32, mono, 48 kHz": device.embed(at_48k.mean(axis=1, dtype=np.float32), DEVICE_RATE).vector,
        "int16, stereo, the file's rate": device.embed(sixteen, rate).vector,
    }
    return TrackVectors(whole, buffers, small), CpuTimes(engine_time, device_time, int8_time, network, network_int8)


def describe_cosines(name: str, cosines: Samples) -> str:
    return f"{name:36} {cosines.min():9.5f} {np.median(cosines):9.5f} {np.mean(cosines >= 0.999):9.1%}"


def cosines_of(one: Samples, other: Samples) -> Samples:
    cosines: Samples = (one * other).sum(axis=1)
    return cosines


def overlap(one: Samples, other: Samples, count: int = NEIGHBOURS) -> float:
    """Return the share of each vector's nearest that it has in both sets of vectors, in the mean."""
    nearest = []
    for vectors in (one, other):
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -2)
        nearest.append(np.argsort(-scores, axis=1)[:, :count])
    return float(np.mean([len({*a} & {*b}) / count for a, b in zip(*map(np.ndarray.tolist, nearest), strict=True)]))


def print_vectors(vectors: list[TrackVectors], soundtracks: list[str]) -> None:
    engine, int8 = (np.stack([getattr(each, name) for each in vectors]) for name in ("engine", "int8"))
    print(f"{f'cosine with the engine, {len(vectors)} tracks':36} {'lowest':>9} {'median':>9} {'>= 0.999':>9}")
    for name in vectors[0].buffers:
        print(describe_cosines(name, cosines_of(engine, np.stack([each.buffers[name] for each in vectors]))))
    own = np.stack([next(iter(each.buffers.values())) for each in vectors])
    print(describe_cosines("INT8, the file's rate", cosines_of(engine, int8)))
    print(describe_cosines("INT8 with float32, both on a device", cosines_of(own, int8)))
    relevance = same_label(soundtracks)
    for name, part in (("engine, float32", engine), ("device, float32", own), ("device, INT8", int8)):
        scores = {key: float(np.nanmean(value)) for key, value in query_scores(part, relevance).items()}
        shown = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
        print(f"{name:18} {shown}, {overlap(engine, part):.1%} of {NEIGHBOURS} nearest are the engine's")


def print_times(times: list[CpuTimes]) -> None:
    median = CpuTimes(*np.median(np.array(times), axis=0))
    ratios = np.median([[each.device / each.engine, each.device_int8 / each.device] for each in times], axis=0)
    network = np.median([each.network_int8 / each.network for each in times])
    print(
        f"CPU per track, median: engine {median.engine:.2f} s, device {median.device:.2f} s ({ratios[0]:.2f} of it), ",
        end="",
    )
    print(f"device with INT8 {median.device_int8:.2f} s ({ratios[1]:.2f} of float32)")
    print(f"of that the network: {median.network:.2f} s, INT8 {median.network_int8:.2f} s ({network:.2f} of float32)")


def print_sizes() -> None:
    for model in (SHIPPED, INT8):
        answer = subprocess.run(
            [sys.executable, "-c", PEAK, str(model), str(MEMORY_SECONDS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded, ready, held, peak = map(float, answer.stdout.split())
        print(
            f"{model.parent.name}: {model.stat().st_size / 1e6:.1f} MB on disk; peak memory {loaded:.0f} MB with the "
            f"libraries, {ready:.0f} MB with the model, {held:.0f} MB with a buffer of {MEMORY_SECONDS} s (int16, "
            f"stereo), {peak:.0f} MB when it is embedded"
        )
    sources = sum(path.stat().st_size for path in (ROOT / "resonance_engine").rglob("*.py"))
    sizes = ", ".join(f"{name} {size:.0f} MB" for name in PACKAGES if (size := installed_size(name)))
    print(f"installed: {sizes}; resonance_engine without models {sources / 1e6:.1f} MB")


def installed_size(name: str) -> float:
    """Return the MB that a package takes on disk, with the libraries beside it; 0 where it is not installed."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0.0
    paths = [Path(str(file.locate())) for file in files if not re.search(r"\.pyc$", str(file))]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ondevice", description="Embeddings on a device.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--tracks", type=int, default=72, help="how many tracks, spread over the corpus (72)")
    options = parser.parse_args()
    print_sizes()
    rows = read_manifest(options.corpus / "manifest.tsv")
    chosen = [rows[int(place)] for place in np.linspace(0, len(rows) - 1, min(options.tracks, len(rows)))]
    engine, device, eight = Encoder(), BufferEmbedder(), BufferEmbedder(INT8)
    vectors, times, soundtracks = [], [], []
    for row in chosen:
        try:
            track, cost = embed_track(options.corpus / row.path, engine, device, eight)
        except AudioError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        vectors.append(track)
        times.append(cost)
        soundtracks.append(row.soundtrack)
    print_vectors(vectors, soundtracks)
    print_times(times)


if __name__ == "__main__":
    main()
