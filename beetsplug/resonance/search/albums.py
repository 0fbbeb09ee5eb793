"""Albums as sets of tracks, and those that sound most like some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.search.groups import nearest_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Library

    from beetsplug.resonance.search.session import SearchSession

    Albums = dict[int, list[int]]


def tracks_by_album(library: Library, query: Sequence[str]) -> Albums:
    """The ids of the items on albums that a query matches, by the id of the album; an empty query matches all."""
    wanted = {album.id for album in library.albums(query)} if query else None
    with library.transaction() as transaction:
        rows = transaction.query("SELECT id, album_id FROM items WHERE album_id IS NOT NULL ORDER BY album_id, id")
    found: Albums = {}
    for row in rows:
        if wanted is None or row["album_id"] in wanted:
            found.setdefault(row["album_id"], []).append(row["id"])
    return found


def nearest_albums(search: SearchSession, seeds: Albums, candidates: Albums, count: int) -> dict[int, float]:
    """The `count` candidates whose sets of tracks are closest to that of all seeds, best first, with their similarity.

    Tracks that are not analysed are left out of their albums. Raises UserError where no track of a seed is analysed.
    """
    others = {album: tracks for album, tracks in candidates.items() if album not in seeds}
    return nearest_sets(search, [track for tracks in seeds.values() for track in tracks], others, count)
