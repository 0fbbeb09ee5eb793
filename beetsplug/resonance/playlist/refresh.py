"""A playlist file that is made again by the recipe in it: what still holds is kept, what is missing is filled up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from beets import context
from beets.dbcore.pathutils import expand_path_from_db, normalize_path_for_db
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import IDS_AT_A_TIME
from beetsplug.resonance.playlist.builder import COMMAND, PlaylistBuilder
from beetsplug.resonance.playlist.incompatible_pairs import incompatible_pairs
from beetsplug.resonance.playlist.request import PlaylistRequest
from resonance_engine.errors import printable
from resonance_engine.playlist import m3u
from resonance_engine.playlist.course import Sequencer
from resonance_engine.playlist.recipe import PlaylistRecipe
from resonance_engine.playlist.refresh import TWICE, Difference, difference, standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from beets.library import Item, Library

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.playlist.rules import SequenceRules

GONE = "is not in the library"
UNHEARD = "is not analysed"
PLAYED = "was played lately"


@dataclass(frozen=True)
class RefreshedPlaylist:
    """A playlist file made again, not yet written: its items in order, what became of it, and notes on it.

    `before` are the entries of the file by path, `known` the items of the library among them, by path, too; `recipe` is
    the line that the file keeps.
    """

    path: Path
    programme: PlaylistRequest
    recipe: str
    before: Mapping[bytes, m3u.M3uEntry]
    known: Mapping[bytes, Item]
    items: Sequence[Item]
    difference: Difference[bytes]
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether the file says something else."""
        return bool(self.difference.added or self.difference.dropped)

    def lines(self) -> list[str]:
        """What became of the list, for people: a line for each track that went or came."""
        shown = {path: format(item) for path, item in self.known.items()} | {
            each.path: format(each) for each in self.items
        }

        def named(path: bytes) -> str:
            entry = self.before.get(path)
            said = " - ".join(filter(None, (entry.artist, entry.title))) if entry else ""
            return shown.get(path) or said or printable(path)

        return self.difference.lines(named)


def refresh_playlist(search: SearchSession, path: Path) -> RefreshedPlaylist:
    """The playlist in a file made again; raises UserError or ResonanceError where that cannot be."""
    found = m3u.read(path)
    if found.recipe is None:
        raise UserError(
            f"{COMMAND}: {printable(path)} has no recipe, so it cannot be made again; `beet playlist -o` writes one"
        )
    programme = PlaylistRequest.of(PlaylistRecipe.read(found.recipe).options)
    old = [entry.path for entry in found.entries]
    try:
        past = PreviousPlaylist(search, programme, old)
        kept, dropped = standing(old, past.reason)
        kept, more = past.within_rules(kept)
        composed = past.composer.composed([past.vectors[each] for each in kept])
    except ParsingError as error:
        raise UserError(
            f"{COMMAND}: the recipe in {printable(path)} has a query that beets does not understand: {error}"
        ) from error
    new = [item.path for item in composed.items]
    return RefreshedPlaylist(
        path,
        programme,
        found.recipe,
        {entry.path: entry for entry in found.entries},
        {item.path: item for item in search.items(set(past.ids.values()))},
        composed.items,
        difference(old, new, [*dropped, *more]),
        composed.notes,
    )


class PreviousPlaylist:
    """What a list was, seen with the library as it is now: `vectors` by path of what is analysed."""

    def __init__(self, search: SearchSession, programme: PlaylistRequest, paths: Sequence[bytes]) -> None:
        sidecar = search.sidecar
        self.ids = items_at(sidecar.library, paths)
        current = search.current(sidecar.some_rows(self.ids.values()))
        vectors = sidecar.reader.vector_ids(sidecar.id, current, search.model.id)
        searchable = {
            each for each, held in zip(vectors.values(), search.index.has(vectors.values()), strict=True) if held
        }
        self.vectors = {path: vectors[each] for path, each in self.ids.items() if vectors.get(each) in searchable}
        # Of several files with one sound, the list keeps the one that it had.
        files: dict[int, int] = {}
        for path in paths:
            if path in self.vectors:
                files.setdefault(self.vectors[path], self.ids[path])
        self._files = files
        self.composer = PlaylistBuilder(search, programme, files)
        known = list(self.composer.repertoire.described(files))
        self._reasons = self.composer.repertoire.refusals(known)
        if programme.recent is not None:
            self._reasons |= dict.fromkeys(self.composer.start.ids, PLAYED)

    def reason(self, path: bytes) -> str | None:
        """What speaks against a track that was in the list; None where nothing does."""
        if path not in self.ids:
            return GONE
        if path not in self.vectors:
            return UNHEARD
        if self._files[self.vectors[path]] != self.ids[path]:
            return TWICE
        return self._reasons.get(self.vectors[path])

    def within_rules(self, paths: Sequence[bytes]) -> tuple[list[bytes], list[tuple[bytes, str]]]:
        """What may stand in one list, the first first, and the others with the rule that they break.

        The configuration's caps do not count: they gave way when the list was made, or were others.
        """
        tracks = self.composer.repertoire.named(self.vectors[path] for path in paths)
        course = Sequencer(tracks, self.rules([track.id for track in tracks]))
        kept, dropped = [], []
        for position, path in enumerate(paths):
            unit = course.unit(position)
            broken = next((words for words, units in course.held_back().items() if units[unit]), None)
            if broken is None:
                kept.append(path)
                if course.left[unit]:
                    course.play(unit)
            else:
                dropped.append((path, f"is {broken}"))
        return kept, dropped

    def rules(self, vector_ids: Sequence[int]) -> SequenceRules:
        programme = self.composer.programme
        apart = incompatible_pairs(self.composer.search.sidecar, vector_ids)
        return replace(programme.rules(0, 0, 0), apart=apart)


def items_at(library: Library, paths: Sequence[bytes]) -> dict[bytes, int]:
    """The ids of the items whose files are at these absolute paths."""
    found = {}
    wanted = list(dict.fromkeys(paths))
    with context.music_dir(library.directory):
        for start in range(0, len(wanted), IDS_AT_A_TIME):
            chunk = [normalize_path_for_db(path) for path in wanted[start : start + IDS_AT_A_TIME]]
            marks = ", ".join("?" * len(chunk))
            with library.transaction() as transaction:
                statement = f"SELECT id, path FROM items WHERE path IN ({marks})"  # noqa: S608 - marks
                rows = transaction.query(statement, [memoryview(path) for path in chunk])
            found.update({expand_path_from_db(bytes(row["path"])): row["id"] for row in rows})
    return found
