"""Recorded speech and sounds of Debian's packages, many short files joined to tracks of SECONDS and more."""

from __future__ import annotations

import csv
import re
import subprocess
import tarfile
import tempfile
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.audio import LENGTH, RATE, fit_length, level, read_audio
from benchmarks.annotation.manifest import Annotation, split
from resonance_engine.errors import AudioError, ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.annotation.audio import Samples

TABLE = Path(__file__).with_name("recordings.tsv")
SUFFIXES = (".wav", ".ogg", ".gsm")
PAUSE = np.zeros((2, RATE // 5), np.float32)
SHORTEST = 0.3  # seconds; below are clicks
TARGET_LEVEL = 0.08  # root mean square of every clip: packages mix files of many levels


class ClipSet(NamedTuple):
    """A row of `recordings.tsv`: files of a package that make up `tracks` tracks, and their annotation."""

    package: str
    pattern: str
    tracks: int
    annotation: Annotation

    @property
    def name(self) -> str:
        """A name for its tracks' files."""
        return re.sub(r"[^A-Za-z0-9]+", "-", f"{self.package} {self.pattern}").strip("-")


def read_recordings() -> list[ClipSet]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        ClipSet(
            row["package"],
            row["pattern"],
            int(row["tracks"]),
            Annotation(
                "",
                "real",
                row["half"],
                row["source"],
                row["vocals"] or None,
                float(row["speech"]) if row["speech"] else None,
                split(row["labels"]),
                (),
                frozenset(split(row["closed"])),
                f"{row['package']}: {row['proof']}",
            ),
        )
        for row in rows
    ]


def package_members(package_file: Path, pattern: str) -> list[tuple[str, bytes]]:
    """Return name and content of the files of a Debian package whose names fit a pattern, in the order of names.

    The pattern is one of `fnmatch`, in which (a|b) stands for a or b. Raises ResonanceError where none fits.
    """
    expression = re.compile(translate(pattern).replace(r"\(", "(").replace(r"\|", "|").replace(r"\)", ")"))
    command = ["dpkg-deb", "--fsys-tarfile", str(package_file)]
    contents: dict[str, bytes] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() and expression.fullmatch(member.name) else None
                if stream is not None:
                    contents[member.name] = stream.read()
    if not contents:
        raise ResonanceError(f"{package_file.name} has no file that fits {pattern}; correct the pattern.")
    return sorted(contents.items())


def read_clips(package_file: Path, pattern: str) -> Iterator[Samples]:
    """Decode a package's files to (2, samples) at one level; what cannot be decoded or is silent is left out."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in package_members(package_file, pattern):
            path = Path(name) / f"clip{PurePosixPath(file).suffix}"
            if path.suffix not in SUFFIXES:
                continue
            path.write_bytes(content)
            try:
                samples = read_audio(path)
            except AudioError:
                continue
            loudness = level(samples)
            if samples.shape[1] >= SHORTEST * RATE and loudness:
                yield samples * np.float32(TARGET_LEVEL / loudness)


def join_clips(clips: Iterator[Samples], tracks: int) -> list[Samples]:
    """Join clips, with pauses of 0.2 s, to tracks of at least LENGTH samples; one that is too short is repeated."""
    joined = []
    for _ in range(tracks):
        parts: list[Samples] = []
        while sum(part.shape[1] for part in parts) < LENGTH and (clip := next(clips, None)) is not None:
            parts += [clip, PAUSE]
        if parts:
            whole = np.concatenate(parts[:-1], axis=1)
            joined.append(fit_length(whole, max(LENGTH, whole.shape[1])))
    return joined
