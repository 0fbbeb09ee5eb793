"""What `beet similar` prints: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui

from beetsplug.resonance.commands.common import coloured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Album, Item

    from beetsplug.resonance.search.explanations import Reason
    from beetsplug.resonance.search.finder import SearchResult


class SetRow(NamedTuple):
    """An album, or the name of an artist, with its score."""

    score: float
    name: str
    album: Album | None = None

    def described(self) -> dict[str, Any]:
        """An album or artist as programs know it."""
        if self.album is None:
            return {"artist": self.name}
        return {"id": self.album.id, "album": self.album.album, "artist": self.album.albumartist}


def print_tracks(found: SearchResult, reasons: Mapping[int, Reason], plain: bool) -> None:
    """One line a track, the score in front unless `plain`; reasons go below."""
    width = max(len(f"{hit.score:.3f}") for hit in found.hits)
    indent = " " * (2 if plain else width + 2)
    for hit in found.hits:
        hit.item["similarity"] = f"{hit.score:.4f}"  # in memory: the item is never stored
        line = format(hit.item)
        ui.print_(line if plain else f"{coloured('text_highlight_minor', f'{hit.score:>{width}.3f}')}  {line}")
        if hit.id in reasons:
            ui.print_(f"{indent}{coloured('text_faint', reasons[hit.id].line)}")


def print_json(found: SearchResult, reasons: Mapping[int, Reason]) -> None:
    """One JSON list; a path that is no UTF-8 has its odd bytes as surrogates."""
    rows = []
    for hit in found.hits:
        row = {"score": round(hit.score, 4), **described(hit.item)}
        if hit.id in reasons:
            reason = reasons[hit.id]
            row |= {"shares": thousandths(reason.shares), "words": reason.words, "fits": thousandths(reason.fits)}
        rows.append(row)
    ui.print_(json.dumps(rows, indent=1))


def thousandths(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 3) for name, share in shares.items()}


def described(item: Item) -> dict[str, Any]:
    """A track as programs know it."""
    return {
        "id": item.id,
        "artist": item.artist,
        "title": item.title,
        "album": item.album,
        "path": os.fsdecode(item.path),
        "length": item.length,
    }


def print_sets(rows: Sequence[SetRow], as_json: bool | None, plain: bool = False) -> None:
    """Albums or artists, one a line."""
    if as_json:
        ui.print_(json.dumps([{"score": round(row.score, 4), **row.described()} for row in rows], indent=1))
        return
    width = max(len(f"{row.score:.3f}") for row in rows)
    for row in rows:
        line = row.name
        if row.album is not None:
            row.album["similarity"] = f"{row.score:.4f}"
            line = format(row.album)
        ui.print_(line if plain else f"{coloured('text_highlight_minor', f'{row.score:>{width}.3f}')}  {line}")
