"""What a listener has put together: lists in playlist files, and tracks that were played one after another."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.items import items_at, times_played
from beetsplug.resonance.playlist.refresh import make_matcher
from resonance_engine.errors import PlaylistError, printable
from resonance_engine.files import expand_home
from resonance_engine.playlist import m3u

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar

PAUSE = 30 * 60.0  # seconds between two tracks from which on they are of two sessions
LEAST = 2  # tracks of a list
RATING = "rating"


class PlayHistory(NamedTuple):
    """Lists of item ids, and how they came about: so many playlist files and sessions, files that no item is at."""

    lists: list[list[int]]
    files: int = 0
    sessions: int = 0
    unknown: int = 0


def read_playlists(sidecar: Sidecar, patterns: Sequence[str], log: BeetsLogger) -> PlayHistory:
    """Read the playlists that patterns such as `~/Music/*.m3u8` match; UserError where they match none.

    A file that cannot be read is a line of the log; entries of no item are counted.
    """
    paths = sorted({Path(name) for each in patterns for name in glob(str(expand_home(each)), recursive=True)})  # noqa: PTH207 - a whole path
    files = [path for path in paths if path.is_file() and path.suffix.lower() in m3u.SUFFIXES]
    if not files:
        raise UserError(f"resonance: --from-playlists: no .m3u8 or .m3u file matches {' or '.join(patterns)}")
    matcher, lists, unknown = make_matcher(sidecar), [], 0
    for path in files:
        try:
            entries = m3u.read_playlist(path).entries
        except PlaylistError as error:
            log.warning("{}", error)
            continue
        known = items_at(sidecar.library, [entry.path for entry in entries])
        others = {
            entry.path: other
            for entry in entries
            if entry.path not in known and (other := matcher.find(entry.line, m3u.base_folder(path)))
        }
        known |= items_at(sidecar.library, others.values())
        ids = [known.get(others.get(entry.path, entry.path)) for entry in entries]
        unknown += ids.count(None)
        lists.append([item_id for item_id in ids if item_id is not None])
    if not any(lists):
        names = printable(files[0]) if len(files) == 1 else f"the {len(files):,} playlists"
        raise UserError(f"resonance: --from-playlists: no file in {names} is one of the library")
    return PlayHistory(lists, files=len(files), unknown=unknown)


def read_sessions(library: Library) -> PlayHistory:
    """Return tracks in the order in which they were played last, in sessions without a pause of half an hour.

    Raises UserError where no plugin notes when tracks are played.
    """
    played = sorted((moment, item_id) for item_id, moment in times_played(library).items())
    if not played:
        raise UserError("resonance: --plays: no track has a time in `last_played`; a plugin such as mpdstats notes it")
    sessions: list[list[int]] = [[]]
    before = played[0][0]
    for moment, item_id in played:
        if moment - before > PAUSE:
            sessions.append([])
        sessions[-1].append(item_id)
        before = moment
    return PlayHistory(sessions, sessions=len(sessions))


def drop_low_rated(library: Library, lists: Iterable[Sequence[int]]) -> list[list[int]]:
    """Drop the tracks that are rated below the middle of all ratings; UserError where nothing is rated."""
    ratings = read_ratings(library)
    if not ratings:
        raise UserError(f"resonance: --ratings: no track has a number in the field {RATING}")
    middle = float(np.median(list(ratings.values())))
    return [[item_id for item_id in each if ratings.get(item_id, middle) >= middle] for each in lists]


def read_ratings(library: Library) -> Mapping[int, float]:
    """Return the numbers in the field `rating`, by item id."""
    with library.transaction() as transaction:
        rows = transaction.query("SELECT entity_id, value FROM item_attributes WHERE key = ?", (RATING,))
    ratings = {}
    for row in rows:
        try:
            ratings[row["entity_id"]] = float(row["value"])
        except (TypeError, ValueError):
            continue
    return {item_id: value for item_id, value in ratings.items() if np.isfinite(value)}


def to_places(lists: Iterable[Sequence[int]], place_of: Mapping[int, int]) -> list[NDArray[np.intp]]:
    """Return lists as positions of recordings, each once in a list; those with fewer than two are left out."""
    kept: list[Collection[int]] = [dict.fromkeys(place_of[each] for each in ids if each in place_of) for ids in lists]
    return [np.array(list(places), np.intp) for places in kept if len(places) >= LEAST]


def sample_lists(lists: Sequence[list[int]], most: int) -> list[list[int]]:
    """Return the lists, or `most` of them, drawn at random, the same each time."""
    if len(lists) <= most:
        return list(lists)
    return [lists[place] for place in sorted(np.random.default_rng(0).choice(len(lists), most, replace=False).tolist())]
