"""The points of the map as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.search.library_map import POINTS
from resonance_engine.server.collection import MapPoints, UnavailableError

if TYPE_CHECKING:
    from beetsplug.resonance.search.library_map import LibraryMap

NO_MAP = "There is no map yet; run `beet resonance map -o map.html`."


def read_points(library_map: LibraryMap) -> MapPoints:
    """Return the points of the tracks that the library has; those that are new are placed, and nothing is stored.

    UnavailableError where there is no map.
    """
    if not library_map.size_of(POINTS):
        raise UnavailableError(NO_MAP)
    points = library_map.points(anew=False, advance=lambda _: None)
    clusters = library_map.clusters(anew=False)
    assigned = clusters.assign(library_map.vectors).tolist()
    items = library_map.session.current_items(library_map.ids)
    rows = [(items[each][0], place) for place, each in enumerate(library_map.ids) if items.get(each)]
    return MapPoints(
        tuple(item_id for item_id, _ in rows),
        tuple(round(float(points[place, 0]), 4) for _, place in rows),
        tuple(round(float(points[place, 1]), 4) for _, place in rows),
        tuple(assigned[place] for _, place in rows),
        tuple(clusters.names),
    )
