"""What can go wrong, as sentences a person can act on.

* ResonanceError
  x AudioError      a file that cannot be listened to; names the file and the reason
  x ModelError      a model that cannot be used
  x StoreError      the sidecar database cannot be used
  x CatalogError    a catalog folder cannot be read or written
  x PlaylistError   a list cannot be made as asked, or a playlist file cannot be read
  x ConfigError     what training is told to do is not understood or impossible
  x CacheError      a feature cache cannot be used or trusted
  x TrainingError   training cannot begin or go on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ResonanceError(Exception):
    """Something a user can mend; `str()` is a whole sentence."""


class AudioError(ResonanceError):
    """`path` cannot be listened to, because of `reason` (a clause such as "it holds no audio")."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # what it takes to be made again on the other side of a process boundary
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{printable(self.path)}: {self.reason}"


class ModelError(ResonanceError):
    """A model file is missing, damaged or not understood."""


class StoreError(ResonanceError):
    """The sidecar database cannot be opened or is newer than this program."""


class CatalogError(ResonanceError):
    """A catalog folder cannot be read or written."""


class PlaylistError(ResonanceError):
    """A list of tracks cannot be made as asked, or a playlist file or its recipe cannot be read."""


class ConfigError(ResonanceError):
    """A setting, or a file or library that settings name, is not understood or cannot be."""


class CacheError(ResonanceError):
    """A feature cache cannot be read or written, or holds what its front end cannot have made."""


class TrainingError(ResonanceError):
    """Training cannot begin or go on."""


def printable(path: Path | bytes | str) -> str:
    """The path as text that any terminal takes: bytes that are not UTF-8 become `\\xNN`."""
    raw = path if isinstance(path, bytes) else str(path).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")
