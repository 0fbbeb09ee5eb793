"""beet similar -a and --artists: albums and artists that sound like those that match a query."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.commands.output import GroupRow
from beetsplug.resonance.search.groups import nearest_albums, nearest_artists, tracks_by_album, tracks_by_artist

if TYPE_CHECKING:
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession


def similar_albums(session: SearchSession, request: SearchRequest) -> list[GroupRow]:
    """Return the albums closest to those that match, best first."""
    library = session.sidecar.library
    seeds = tracks_by_album(library, request.query)
    if not seeds:
        words = shlex.join(request.query)
        raise UserError(f"similar: no album matches {words}; try `beet ls -a {words}`")
    candidates = tracks_by_album(library, request.among)
    if not candidates:
        words = shlex.join(request.among)
        raise UserError(f"similar --from: no album matches {words}; try `beet ls -a {words}`")
    scores = nearest_albums(session, seeds, candidates, request.count)
    albums = {album_id: library.get_album(album_id) for album_id in scores}
    return [GroupRow(score, "", album) for score, album in zip(scores.values(), albums.values(), strict=True) if album]


def similar_artists(session: SearchSession, request: SearchRequest) -> list[GroupRow]:
    """Return the artists closest to those of the tracks that match, best first."""
    library = session.sidecar.library
    matches = tracks_by_artist(library, request.query)
    if not matches:
        words = shlex.join(request.query)
        raise UserError(f"similar: no artist's track matches {words}; try `beet ls {words}`")
    # All that they play, not only what matches.
    artists = tracks_by_artist(library, ())
    seeds = {name: artists.get(name, tracks) for name, tracks in matches.items()}
    candidates = tracks_by_artist(library, request.among) if request.among else artists
    if not candidates:
        words = shlex.join(request.among)
        raise UserError(f"similar --from: no artist's track matches {words}; try `beet ls {words}`")
    scores = nearest_artists(session, seeds, candidates, request.count)
    return [GroupRow(score, name) for name, score in scores.items()]
