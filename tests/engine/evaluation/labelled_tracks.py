"""Tracks with metadata and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelledTrack:
    """What an evaluation wants to know of a track."""

    artist: str = ""
    album: str = ""
    genre: str = ""
    albumartist: str = ""
    identity: str = ""
    folder: str = "music"

    @property
    def path(self) -> Path:
        return Path(self.folder, "track.flac")

    @property
    def record(self) -> str:
        return self.album.casefold()

    @property
    def artists(self) -> set[str]:
        return {self.artist.casefold(), self.albumartist.casefold()} - {"", "various artists"}
