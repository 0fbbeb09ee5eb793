"""beet similar -a and --artists: albums and artists that sound like those that match a query."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.commands.output import SetRow
from beetsplug.resonance.search.albums import nearest_albums, tracks_by_album
from beetsplug.resonance.search.artists import nearest_artists, tracks_by_artist

if TYPE_CHECKING:
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession


def similar_albums(search: SearchSession, wish: SearchRequest) -> list[SetRow]:
    """The albums closest to those that match, best first."""
    library = search.sidecar.library
    seeds = tracks_by_album(library, wish.query)
    if not seeds:
        words = shlex.join(wish.query)
        raise UserError(f"similar: no album matches {words}; try `beet ls -a {words}`")
    candidates = tracks_by_album(library, wish.among)
    if not candidates:
        words = shlex.join(wish.among)
        raise UserError(f"similar --from: no album matches {words}; try `beet ls -a {words}`")
    found = nearest_albums(search, seeds, candidates, wish.count)
    albums = {each: library.get_album(each) for each in found}
    return [SetRow(score, "", albums[each]) for each, score in found.items() if albums[each] is not None]


def similar_artists(search: SearchSession, wish: SearchRequest) -> list[SetRow]:
    """The artists closest to those of the tracks that match, best first."""
    library = search.sidecar.library
    named = tracks_by_artist(library, wish.query)
    if not named:
        words = shlex.join(wish.query)
        raise UserError(f"similar: no artist's track matches {words}; try `beet ls {words}`")
    # All that they play, not only what matches.
    everybody = tracks_by_artist(library, ())
    seeds = {name: everybody.get(name, tracks) for name, tracks in named.items()}
    candidates = tracks_by_artist(library, wish.among) if wish.among else everybody
    if not candidates:
        words = shlex.join(wish.among)
        raise UserError(f"similar --from: no artist's track matches {words}; try `beet ls {words}`")
    found = nearest_artists(search, seeds, candidates, wish.count)
    return [SetRow(score, name) for name, score in found.items()]
