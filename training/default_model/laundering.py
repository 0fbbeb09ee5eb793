"""Make a laundered copy of every track of the corpus: all that a soundtrack's tracks share is then their music.

    python -m training.default_model.laundering DIRECTORY

One soundtrack is encoded and mastered by one hand, which a system can recognise instead of the music. So each track
gets a codec, bit rate, gain, start and spectral tilt of its own, drawn from a fixed seed and the track's path: the same
copies for every system and on every machine, whatever other tracks there are. They go to DIRECTORY/laundered/, a
track's path with the codec's suffix behind it, and are listed in DIRECTORY/laundered.tsv; those of the tracks that are
only learned from, in DIRECTORY/laundered-training.tsv. A second copy of each track of the corpus is MP3 at 64 kbit/s
and nothing else, in DIRECTORY/mp3-64/ and mp3-64.tsv: the model learns from both what is no property of the music.
Copies that are there are kept.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np
from scipy.signal import firwin2, oaconvolve

from resonance_engine.audio.decoding import TEXT_OPTIONS
from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.files import write_bytes
from training.default_model import material
from training.default_model.corpus import CorpusTrack, read_manifest
from training.default_model.transcoding import StereoAudio, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SEED = 20
PROCESSES = 2
LOWEST_GAIN = -12.0  # dB
LONGEST_OFFSET = 3.0  # seconds
STEEPEST_TILT = 3.0  # dB a decade
PIVOT, LOWEST, HIGHEST = 1000.0, 100.0, 10_000.0  # Hz: gain 0 dB here; the tilt's range, level outside
TAP_SECONDS = 0.02  # a filter of 50 Hz resolution, which bends the line by less than 0.1 dB above 150 Hz
QUALITY_UNIT = 118  # FFmpeg's FF_QP2LAMBDA
TABLE, TRAINING_TABLE, MP3_TABLE = "laundered.tsv", "laundered-training.tsv", "mp3-64.tsv"


@dataclass(frozen=True)
class CopyFormat:
    """An encoder at one sampling rate (Hz), its bit rates (kbit/s), and its options, which favour speed."""

    encoder: str
    suffix: str
    rate: int
    bit_rates: tuple[int, ...]
    options: Mapping[str, str]

    def encoder_options(self, bit_rate: int) -> dict[str, str]:
        """Return the options for a bit rate (kbit/s).

        FFmpeg's own Vorbis, all that PyAV's wheels have, takes no bit rate but a quality: the one that needs about as
        many bits for music.
        """
        quality = {"global_quality": str(round(QUALITY_UNIT * (bit_rate - 25) / 9))} if self.encoder == "vorbis" else {}
        return {**self.options, **quality}


CODECS = {
    "mp3": CopyFormat(
        "libmp3lame", ".mp3", 44100, (64, 80, 96, 112, 128, 160, 192, 224, 256), {"compression_level": "8"}
    ),
    "vorbis": CopyFormat(
        "vorbis", ".ogg", 44100, (48, 64, 80, 96, 112, 128), {"strict": "experimental", "flags": "+qscale"}
    ),
    "opus": CopyFormat("libopus", ".opus", 48000, (48, 64, 80, 96, 112, 128, 160, 192), {"compression_level": "2"}),
    "aac": CopyFormat("aac", ".m4a", 44100, (80, 96, 112, 128, 160, 192, 224, 256), {"aac_coder": "fast"}),
}


@dataclass(frozen=True)
class Laundering:
    """What is done to one track: codec, bit rate (kbit/s), gain (dB), start cut away (s), tilt (dB a decade)."""

    codec: str
    bit_rate: int
    gain: float
    offset: float
    tilt: float


@dataclass(frozen=True)
class LaunderedTrack:
    """A laundered copy of the track `source`; both paths are relative to the corpus folder.

    The gain is the one applied: lower than the drawn one where the track would have exceeded full scale.
    """

    soundtrack: str
    artist: str
    path: str
    source: str
    codec: str
    bit_rate: int
    gain: float
    offset: float
    tilt: float


def draw_laundering(source: str) -> Laundering:
    """Draw the laundering of the track with this path, by the path alone."""
    digest = hashlib.blake2b(source.encode(), digest_size=8).digest()
    random = np.random.default_rng((SEED, int.from_bytes(digest, "big")))
    codec = str(random.choice(list(CODECS)))
    bit_rate = int(random.choice(CODECS[codec].bit_rates))
    gain, offset = random.uniform(LOWEST_GAIN, 0.0), random.uniform(0.0, LONGEST_OFFSET)
    tilt = random.uniform(-STEEPEST_TILT, STEEPEST_TILT)
    return Laundering(codec, bit_rate, round(gain, 2), round(offset, 3), round(tilt, 2))


def transcode_only(_source: str) -> Laundering:
    """Return the laundering that is nothing but MP3 at 64 kbit/s, the most that collections do to a recording."""
    return Laundering("mp3", 64, 0.0, 0.0, 0.0)


def tilt_filter(tilt: float, rate: int) -> Array:
    """Return the taps of a linear-phase filter whose gain rises by `tilt` dB a decade from 100 Hz to 10 kHz.

    The gain is 0 dB at 1 kHz, and level below 100 Hz and above 10 kHz.
    """
    nyquist = rate / 2
    frequencies = np.concatenate([[0.0], np.geomspace(LOWEST, min(HIGHEST, 0.99 * nyquist), 64), [nyquist]])
    decades = np.log10(np.clip(frequencies, LOWEST, HIGHEST) / PIVOT)
    taps = firwin2(2 * round(TAP_SECONDS * rate / 2) + 1, frequencies, 10 ** (tilt * decades / 20), fs=rate)
    return np.asarray(taps, np.float32)


def launder_audio(audio: StereoAudio, laundering: Laundering) -> tuple[StereoAudio, float]:
    """Return the audio cut, attenuated and tilted, and the gain (dB) that keeps it within full scale."""
    samples = audio.samples[:, round(laundering.offset * audio.rate) :]
    gain = laundering.gain
    samples = oaconvolve(samples, 10 ** (gain / 20) * tilt_filter(laundering.tilt, audio.rate)[None], "same", axes=1)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        samples /= np.float32(peak)
        gain = round(gain - 20 * float(np.log10(peak)), 2)
    return StereoAudio(samples.astype(np.float32, copy=False), audio.rate), gain


def read_gain(path: Path, laundering: Laundering) -> float | None:
    """Return the gain applied to a copy, from its comment; None where there is no copy by this laundering."""
    try:
        with av.open(str(path), **TEXT_OPTIONS) as container:
            comment = {**container.streams.audio[0].metadata, **container.metadata}
        record = json.loads({key.lower(): value for key, value in comment.items()}.get("comment", "null"))
    except (av.error.FFmpegError, OSError, IndexError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("drawn") != asdict(laundering):
        return None
    return float(record["gain"])


def launder_track(
    track: CorpusTrack,
    directory: Path,
    folder: str = "laundered",
    choose: Callable[[str], Laundering] = draw_laundering,
) -> LaunderedTrack | None:
    """Make the copy of a track in a folder, unless it is there; None where the track cannot be decoded.

    `choose` gives what is done to the track with a path.
    """
    laundering = choose(track.path)
    codec = CODECS[laundering.codec]
    path = f"{folder}/{track.path}{codec.suffix}"
    target = directory / path
    gain = read_gain(target, laundering) if target.exists() else None
    if gain is None:
        try:
            audio, gain = launder_audio(decode(directory / track.path), laundering)
        except AudioError as error:
            print(f"no copy: {error}", flush=True)
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        options = codec.encoder_options(laundering.bit_rate)
        comment = json.dumps({"drawn": asdict(laundering), "gain": gain})
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            copy = Path(scratch) / target.name
            encode(audio, copy, codec.encoder, codec.rate, 1000 * laundering.bit_rate, options, comment)
            copy.rename(target)
    return LaunderedTrack(track.soundtrack, track.artist, path, track.path, **{**asdict(laundering), "gain": gain})


def launder_tracks(tracks: Sequence[CorpusTrack], directory: Path, table: str = TABLE) -> list[LaunderedTrack]:
    """Make the copies of all tracks, and the table of them; return the copies in the tracks' order."""
    work = partial(launder_track, directory=directory)
    if table == MP3_TABLE:
        work = partial(work, folder="mp3-64", choose=transcode_only)
    # FFmpeg's threads do not survive a fork.
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        copies = [copy for copy in pool.map(work, tracks) if copy is not None]
    write_copies(copies, directory / table)
    return copies


def write_copies(copies: Sequence[LaunderedTrack], path: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(LaunderedTrack)], delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(copy) for copy in copies)
    write_bytes(path, text.getvalue().encode())


def read_copies(directory: Path, table: str = TABLE) -> list[LaunderedTrack]:
    """Read a table of laundered copies in a corpus folder; raises ResonanceError where it is missing."""
    path = directory / table
    if not path.is_file():
        raise ResonanceError(f"{path} does not exist; run: python -m training.default_model.laundering {directory}")
    with path.open(newline="", encoding="utf-8") as file:
        return [parse_copy(row) for row in csv.DictReader(file, delimiter="\t")]


def parse_copy(row: Mapping[str, str]) -> LaunderedTrack:
    gain, offset, tilt = (float(row[name]) for name in ("gain", "offset", "tilt"))
    return LaunderedTrack(
        row["soundtrack"], row["artist"], row["path"], row["source"],
        row["codec"], int(row["bit_rate"]), gain, offset, tilt,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.default_model.laundering", description="Make laundered copies of the corpus."
    )
    parser.add_argument("directory", type=Path, help="folder that training.default_model.corpus filled")
    directory: Path = parser.parse_args().directory
    try:
        corpus = read_manifest(directory / "manifest.tsv")
        tracks: dict[str, Sequence[CorpusTrack]] = {TABLE: corpus, MP3_TABLE: corpus}
        if (directory / material.TABLE).exists():
            tracks[TRAINING_TABLE] = material.read_training(directory)
        for table, sources in tracks.items():
            copies = launder_tracks(sources, directory, table)
            print(f"{table}: {len(copies)} copies of {len(sources)} tracks", flush=True)
    except (ResonanceError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
