"""beet similar -a and --artists: albums and artists that sound like those that match a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.commands.output import GroupRow
from beetsplug.resonance.search.groups import (
    nearest_albums,
    nearest_artists,
    require_matches,
    tracks_by_album,
    tracks_by_artist,
)

if TYPE_CHECKING:
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

ALBUM, ARTIST = "album", "artist's track"


def similar_albums(session: SearchSession, request: SearchRequest) -> list[GroupRow]:
    """Return the albums closest to those that match, best first."""
    library = session.sidecar.library
    seeds = tracks_by_album(library, request.query)
    require_matches(seeds, ALBUM, request.query, "similar")
    candidates = tracks_by_album(library, request.among)
    require_matches(candidates, ALBUM, request.among, "similar --from")
    scores = nearest_albums(session, seeds, candidates, request.count)
    albums = {album_id: library.get_album(album_id) for album_id in scores}
    return [GroupRow(scores[album_id], "", album) for album_id, album in albums.items() if album is not None]


def similar_artists(session: SearchSession, request: SearchRequest) -> list[GroupRow]:
    """Return the artists closest to those of the tracks that match, best first."""
    library = session.sidecar.library
    matches = tracks_by_artist(library, request.query)
    require_matches(matches, ARTIST, request.query, "similar")
    # All their tracks, not only what matches.
    artists = tracks_by_artist(library, ())
    seeds = {name: artists.get(name, tracks) for name, tracks in matches.items()}
    candidates = tracks_by_artist(library, request.among) if request.among else artists
    require_matches(candidates, ARTIST, request.among, "similar --from")
    scores = nearest_artists(session, seeds, candidates, request.count)
    return [GroupRow(score, name) for name, score in scores.items()]
