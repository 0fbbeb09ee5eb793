"""Refresh a playlist file by the recipe in it: keep what still holds, fill up what is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from beets import config
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError
from beets.util import asciify_path, sanitize_path

from beetsplug.resonance.config.options import SAVED
from beetsplug.resonance.library.items import items_at, select_items
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks
from beetsplug.resonance.playlist.builder import COMMAND, PlaylistBuilder
from beetsplug.resonance.playlist.request import PlaylistRequest
from resonance_engine.errors import neutralise, printable
from resonance_engine.playlist import m3u
from resonance_engine.playlist.order import Sequencer
from resonance_engine.playlist.recipe import TWICE, Difference, compare_lists, drop_invalid, read_recipe
from resonance_engine.search.constraints import Caps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from beets.library import Item, Library

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.playlist.entry_files import FileMatcher

GONE = "is not in the library"
NOT_ANALYSED = "is not analysed"
RECENTLY_PLAYED = "was played lately"


@dataclass(frozen=True)
class RefreshedPlaylist:
    """A refreshed playlist, not yet written: its items in order, the difference to the file, and notes.

    `entries` are those of the file by path, `known` the items of the library among them, by path, too; `recipe` is the
    line that the file keeps. `respelt` counts lines that name a file otherwise than as it is on this computer, such as
    with backslashes.
    """

    path: Path
    request: PlaylistRequest
    recipe: str
    entries: Mapping[bytes, m3u.M3uEntry]
    known: Mapping[bytes, Item]
    items: Sequence[Item]
    difference: Difference[bytes]
    respelt: int
    notes: tuple[str, ...]

    @property
    def is_changed(self) -> bool:
        """Whether the file is to be written again."""
        return bool(self.difference.added or self.difference.dropped or self.respelt)

    def lines(self) -> list[str]:
        """Return the difference for people: a line for each track that was dropped or added."""
        names = {path: describe_entry(item) for path, item in self.known.items()} | {
            item.path: describe_entry(item) for item in self.items
        }

        def name_of(path: bytes) -> str:
            entry = self.entries.get(path)
            title = " - ".join(filter(None, (entry.artist, entry.title))) if entry else ""
            return names.get(path) or neutralise(title) or printable(path)

        respelt = [f"{format_tracks(self.respelt)} under the path of this computer"] if self.respelt else []
        return [*self.difference.lines(name_of), *respelt]


def refresh_playlist(session: SearchSession, path: Path) -> RefreshedPlaylist:
    """Build the playlist in a file again; raises UserError or ResonanceError where that is impossible."""
    file = m3u.read_playlist(path)
    if file.recipe is None:
        raise UserError(
            f"{COMMAND}: {printable(path)} has no recipe, so it cannot be made again; `beet playlist -o` writes one"
        )
    request = PlaylistRequest(**read_recipe(file.recipe, {name: option.type for name, option in SAVED.items()}))
    entries = match_entries(session.sidecar, path, file.entries)
    old = [entry.path for entry in entries]
    try:
        previous = PreviousPlaylist(session, request, old)
        valid, invalid = drop_invalid(old, previous.reason)
        kept, beyond_rules = previous.apply_rules(valid)
        playlist = previous.builder.build([previous.vectors[kept_path] for kept_path in kept])
    except ParsingError as error:
        raise UserError(
            f"{COMMAND}: the recipe in {printable(path)} has a query that beets does not understand: {error}"
        ) from error
    return RefreshedPlaylist(
        path,
        request,
        file.recipe,
        {entry.path: entry for entry in entries},
        {item.path: item for item in select_items(session.sidecar.library, previous.ids.values())},
        playlist.items,
        compare_lists(old, [item.path for item in playlist.items], [*invalid, *beyond_rules]),
        sum(new.path != entry.path for new, entry in zip(entries, file.entries, strict=True)),
        playlist.notes,
    )


class PreviousPlaylist:
    """The entries of a playlist file in the library as it is now: item `ids` and `vectors` by path."""

    def __init__(self, session: SearchSession, request: PlaylistRequest, paths: Sequence[bytes]) -> None:
        self.ids = items_at(session.sidecar.library, paths)
        vectors = session.searchable_vectors(self.ids.values())
        self.vectors = {path: vectors[item_id] for path, item_id in self.ids.items() if item_id in vectors}
        # Of several files with one sound, the list keeps the one that it had.
        files: dict[int, int] = {}
        for path in paths:
            if path in self.vectors:
                files.setdefault(self.vectors[path], self.ids[path])
        self._files = files
        self.builder = PlaylistBuilder(session, request, files, in_lines=True)
        candidates = self.builder.candidates
        self._reasons = candidates.rejections(candidates.load(files))
        if request.recent is not None:
            self._reasons |= dict.fromkeys(self.builder.seeds.ids, RECENTLY_PLAYED)

    def reason(self, path: bytes) -> str | None:
        """Why an entry is dropped; None where it still holds."""
        if path not in self.ids:
            return GONE
        if path not in self.vectors:
            return NOT_ANALYSED
        if self._files[self.vectors[path]] != self.ids[path]:
            return TWICE
        return self._reasons.get(self.vectors[path])

    def apply_rules(self, paths: Sequence[bytes]) -> tuple[list[bytes], list[tuple[bytes, str]]]:
        """Split entries into those that the rules allow in one list, the first first, and the others with the rule.

        Default caps and spacing do not count: they gave way when the list was built, or were others.
        """
        tracks = self.builder.candidates.tracks(self.vectors[path] for path in paths)
        rules = self.builder.incompatible.restrict(self.builder.request.rules(Caps(), 0), [each.id for each in tracks])
        sequencer = Sequencer(tracks, rules)
        kept, dropped = [], []
        for position, path in enumerate(paths):
            unit = sequencer.unit_of[position]
            is_new = sequencer.remaining[unit]
            rule = next((words for words, units in sequencer.held.items() if is_new and units[unit]), None)
            if rule is not None:
                dropped.append((path, f"is {rule}"))
                continue
            kept.append(path)
            if is_new:
                sequencer.append(unit)
        return kept, dropped


def match_entries(sidecar: Sidecar, path: Path, entries: Sequence[m3u.M3uEntry]) -> list[m3u.M3uEntry]:
    """Return the entries of a file with the paths that the library has for the files that they name.

    Those of no item stay as they are. Raises UserError where these are more than half: then the file is one of another
    library, or the rest was moved or written in a way that is not understood.
    """
    library = sidecar.library
    known = items_at(library, [entry.path for entry in entries])
    if len({entry.path for entry in entries} - known.keys()):
        matcher, folder = make_matcher(sidecar), m3u.base_folder(path)
        entries = [replace(entry, path=matcher.find(entry.line, folder) or entry.path) for entry in entries]
        known = items_at(library, [entry.path for entry in entries])
    unknown = [entry for entry in entries if entry.path not in known]
    if 2 * len(unknown) > len(entries):
        raise UserError(
            f"{COMMAND}: {len(unknown):,} of the {len(entries):,} files in {printable(path)} are not recognised as "
            f"ones of the library, such as {printable(unknown[0].line)}; nothing was changed. If they were moved, "
            "make the list anew with `beet playlist -o`; else import them"
        )
    return list(entries)


def make_matcher(sidecar: Sidecar) -> FileMatcher:
    """Return what finds the library's files by lines of playlists, whatever program wrote them."""
    from resonance_engine.playlist.entry_files import FileMatcher

    paths = [row.path for row in sidecar.rows()]
    roots = [sidecar.library.directory, *([os.path.commonpath(paths)] if paths else [])]
    return FileMatcher(paths, roots, partial(stored_name, sidecar.library), real_file)


def stored_name(library: Library, name: str) -> str:
    """Return a name as beets would write it to the disk."""
    plain = asciify_path(name) if config["asciify_paths"].get(bool) else name
    return sanitize_path(plain, library.replacements)


def real_file(path: bytes) -> bytes | None:
    """Return where a file really is; None where there is none."""
    return os.path.realpath(path) if os.path.isfile(path) else None  # noqa: PTH113 # paths are bytes
