"""Output of `beet similar`: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui

from beetsplug.resonance.commands.common import colour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Album, Item

    from beetsplug.resonance.search.explanations import Reason
    from beetsplug.resonance.search.finder import SearchResult


class GroupRow(NamedTuple):
    """An album, or the name of an artist, with its score."""

    score: float
    name: str
    album: Album | None = None

    def record(self) -> dict[str, Any]:
        """Return the album or artist as JSON."""
        if self.album is None:
            return {"artist": self.name}
        return {"id": self.album.id, "album": self.album.album, "artist": self.album.albumartist}


def print_tracks(result: SearchResult, reasons: Mapping[int, Reason], plain: bool) -> None:
    """Print a track a line, the score in front unless `plain`; reasons go below."""
    width = max(len(f"{hit.score:.3f}") for hit in result.hits)
    indent = " " * (2 if plain else width + 2)
    for hit in result.hits:
        hit.item["similarity"] = f"{hit.score:.4f}"  # in memory: the item is never stored
        line = format(hit.item)
        ui.print_(line if plain else f"{colour('text_highlight_minor', f'{hit.score:>{width}.3f}')}  {line}")
        if hit.id in reasons:
            ui.print_(f"{indent}{colour('text_faint', reasons[hit.id].line)}")


def print_json(result: SearchResult, reasons: Mapping[int, Reason]) -> None:
    """Print one JSON list; a path that is no UTF-8 has its odd bytes as surrogates."""
    rows = []
    for hit in result.hits:
        row = {"score": round(hit.score, 4), **track_record(hit.item)}
        if hit.id in reasons:
            reason = reasons[hit.id]
            row |= {"shares": round_shares(reason.shares), "words": reason.words, "fits": round_shares(reason.fits)}
        rows.append(row)
    ui.print_(json.dumps(rows, indent=1))


def round_shares(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 3) for name, share in shares.items()}


def track_record(item: Item) -> dict[str, Any]:
    """Return a track as JSON."""
    return {
        "id": item.id,
        "artist": item.artist,
        "title": item.title,
        "album": item.album,
        "path": os.fsdecode(item.path),
        "length": item.length,
    }


def print_groups(rows: Sequence[GroupRow], as_json: bool | None, plain: bool = False) -> None:
    """Print albums or artists, one a line."""
    if as_json:
        ui.print_(json.dumps([{"score": round(row.score, 4), **row.record()} for row in rows], indent=1))
        return
    width = max(len(f"{row.score:.3f}") for row in rows)
    for row in rows:
        line = row.name
        if row.album is not None:
            row.album["similarity"] = f"{row.score:.4f}"
            line = format(row.album)
        ui.print_(line if plain else f"{colour('text_highlight_minor', f'{row.score:>{width}.3f}')}  {line}")
