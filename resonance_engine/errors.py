"""The exceptions of this project; their texts are sentences that a user can act on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRAINING_EXTRA = "`pip install '.[train]'` in a checkout of Resonance"
"""What installs the packages that training needs, for messages."""
VIZ_EXTRA = "`pip install '.[viz]'` in a checkout of Resonance"
"""Likewise those that maps and plots need."""
SERVE_EXTRA = "`pip install '.[serve]'` in a checkout of Resonance"
"""Likewise those that the server and players need."""
CLUSTER_EXTRA = "`pip install '.[cluster]'` in a checkout of Resonance"
"""Likewise those that spread an analysis over machines."""
PACKAGES = ("av", "faiss", "numpy", "onnxruntime", "scipy", "soxr", "sqlalchemy", "tqdm")
"""The packages that every installation has, by the names under which they are imported."""
ACTIVE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, ends of lines and paragraphs, and what turns the direction of writing (Unicode's UAX 9)."""


class ResonanceError(Exception):
    """An error that a user can fix; `str()` is a whole sentence."""


class AudioError(ResonanceError):
    """The file `path` cannot be analysed, for a `reason` (a clause such as "it holds no audio")."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # the arguments, for pickle to restore it in another process
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{printable(self.path)}: {self.reason}"


class KilledWorkerError(AudioError):
    """The process that analysed the file was killed from outside; the file may be sound."""


class ModelError(ResonanceError):
    """A model file is missing, damaged or not understood."""


class WorkerStartError(ModelError):
    """The process that runs a model does not start, or not now; the model may be sound."""


class ClusterError(ResonanceError):
    """The scheduler of a cluster or its workers cannot be used, or do not answer any more."""


class StoreError(ResonanceError):
    """The sidecar database cannot be opened or is newer than this program."""


class TargetError(ResonanceError):
    """A file that the user names cannot be written, or must not be replaced."""


class CatalogError(ResonanceError):
    """A catalog folder cannot be read or written."""


class ExchangeError(ResonanceError):
    """A file of vectors cannot be read or written, or holds what cannot be stored here."""


class PlaylistError(ResonanceError):
    """A list of tracks cannot be made as asked, or a playlist file or its recipe cannot be read."""


class ConfigError(ResonanceError):
    """A setting, or a file or library that settings name, is not understood or cannot be."""


class CacheError(ResonanceError):
    """A feature cache cannot be read or written, or holds values that its front end cannot have computed."""


class TrainingError(ResonanceError):
    """Training cannot begin or go on."""


def describe_os_error(error: OSError) -> str:
    """Return the path, where it is known, and the reason: "/music/list.m3u8: No space left on device"."""
    known = isinstance(error.filename, str | bytes) or hasattr(error.filename, "__fspath__")
    return f"{printable(error.filename)}: {error.strerror or error}" if known else str(error.strerror or error)


def describe_missing_package(error: ModuleNotFoundError) -> str:
    """Return a sentence on one of `PACKAGES` that is not installed; "" for any other module."""
    package = (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return ""
    return (
        f"This needs the package {package}, which is not installed: `pip install .` in a checkout of Resonance brings "
        "it; with numpy, scipy and onnxruntime alone, `python -m resonance_engine.ondevice` embeds and searches WAV "
        "files."
    )


def printable(path: Path | bytes | str) -> str:
    """Return a path as text that any terminal takes.

    Bytes that are not UTF-8 become `\\xNN`, and what `neutralise` replaces becomes an escape, too.
    """
    raw = path if isinstance(path, bytes) else str(path).encode("utf-8", "surrogateescape")
    text = raw.decode("utf-8", "backslashreplace")
    return ACTIVE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def format_count(count: int, noun: str = "track") -> str:
    """Return a number with its noun: "1 track", "1,200 tracks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def neutralise(text: str, kept: str = "") -> str:
    """Return a text with a space for each character that acts on a terminal, ends a line or turns the writing.

    Those in `kept` stay.
    """
    return ACTIVE.sub(lambda match: match[0] if match[0] in kept else " ", text)
