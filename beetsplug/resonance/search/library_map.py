"""The map of a library: points and clusters of its recordings, as arrays in the sidecar, and new ones among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from beets.dbcore.pathutils import expand_path_from_db
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.library.items import select_rows
from resonance_engine.projection.clusters import (
    Clusters,
    compute_centroids,
    join_names,
    name_by_metadata,
    name_by_tags,
    name_by_words,
)
from resonance_engine.search.text.shown_tags import thresholded_tags
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.store import Store

    Vectors = NDArray[np.float32]

PREFIX = "map"  # of the names of its arrays, which a model's id and one of these words follow
KEYS, POINTS, CENTROIDS, NAMES = "keys", "points", "centroids", "names"
SIZE = "-size"  # behind one of them: how many tracks it was computed of
PARTS = (KEYS, POINTS, CENTROIDS, NAMES, f"{POINTS}{SIZE}", f"{CENTROIDS}{SIZE}")
SMALL = 100  # tracks whose map is computed anew when the library has twice as many
KEY_BYTES = 16
SELECT = "SELECT id, title, artist, album, genres, year, length, path FROM items WHERE id IN"
GENRES = Item._type("genres")  # reads them from their column
LISTED = "`beet resonance map --clusters` lists them"


class LibraryMap:
    """The map of the library that a session has open, in the model in use.

    `ids` are the vectors that are linked to the library, ascending. What is computed is kept in `fresh`, to be stored
    by `save` when the session has ended. `placed` is the number of vectors that were placed after the map was made.
    """

    def __init__(self, session: SearchSession) -> None:
        self.session = session
        self.ids: list[int] = sorted(session.index.ids.tolist())
        self.vectors: Vectors = session.index.vectors(self.ids)
        self.fresh: dict[str, NDArray[Any]] = {}
        self.placed = 0
        names = [array_name(session.model.id, part) for part in PARTS]
        self._stored = session.store.arrays.get(session.sidecar.id, names)

    def points(self, anew: bool, advance: Callable[[int], object]) -> Vectors:
        """Return the points (n, 2) of the vectors; those of earlier maps stay as they are, unless `anew`.

        ImportError where the layout has to be computed without the extra `viz`.
        """
        from resonance_engine.projection.layout import compute_layout
        from resonance_engine.projection.placement import place_vectors

        content_keys = self.session.store.vectors.content_keys(self.ids)
        keys = np.array([np.frombuffer(content_keys[each], np.uint8) for each in self.ids], np.uint8)
        old_keys, old_points = self._read(KEYS), self._read(POINTS)
        anew = anew or self.is_outgrown(POINTS, SMALL)
        places = {} if anew else {bytes(key): place for place, key in enumerate(old_keys)}
        known = np.array([places.get(content_keys[each], -1) for each in self.ids])
        is_new = known < 0
        if is_new.all():
            points = compute_layout(self.vectors, advance)
            self._keep({KEYS: keys, POINTS: points, f"{POINTS}{SIZE}": np.array([len(keys)])})
            return points
        points = np.empty((len(self.ids), 2), np.float32)
        points[~is_new] = old_points[known[~is_new]]
        if is_new.any():
            points[is_new] = place_vectors(self.vectors[is_new], self.vectors[~is_new], points[~is_new])
            # What left the library keeps its place, for it may come back.
            self._keep(
                {
                    KEYS: np.concatenate([old_keys, keys[is_new]]),
                    POINTS: np.concatenate([old_points, points[is_new]]),
                }
            )
        self.placed = int(is_new.sum())
        return points

    def clusters(self, anew: bool) -> Clusters:
        """Return the clusters of the library, which are computed and named where there are none yet, or `anew`."""
        anew = anew or self.is_outgrown(CENTROIDS, SMALL)
        if not anew and (known := self.stored_clusters()) is not None:
            return known
        centroids = compute_centroids(self.vectors)
        names = self._name_clusters(Clusters(centroids, []).assign(self.vectors), len(centroids))
        self._keep({CENTROIDS: centroids, NAMES: np.array(names), f"{CENTROIDS}{SIZE}": np.array([len(self.ids)])})
        return Clusters(centroids, names)

    def is_outgrown(self, part: str, most: float = math.inf) -> bool:
        """Return whether the library has twice the tracks or more that points or centroids were computed of.

        With `most`, only where these were fewer than so many: few tracks make no map that is worth keeping.
        """
        size = self.size_of(part)
        return 0 < size < most and len(self.ids) >= 2 * size

    def size_of(self, part: str) -> int:
        """Return how many tracks the points or centroids were computed of, 0 where there are none."""
        name = array_name(self.session.model.id, f"{part}{SIZE}")
        stored = self.fresh.get(name, self._stored.get(name))
        return int(stored[0]) if stored is not None and stored.shape == (1,) else 0

    def stored_clusters(self) -> Clusters | None:
        """Return the clusters as they were computed; None where that was not done with the model in use."""
        centroids, names = self._read(CENTROIDS), self._read(NAMES).tolist()
        return Clusters(centroids, names) if len(names) else None

    def _name_clusters(self, clusters: NDArray[np.intp], count: int) -> list[str]:
        """Return a name for each of `count` clusters.

        By the genres, artists and albums that tell it from others, then by tags of the model that were measured to be
        right; of a model without such tags by all of them; of one without tags by genres, however weakly they tell.
        """
        items = load_items(self.session, self.ids)
        known = [items.get(each) for each in self.ids]
        columns = [[getattr(item, name) if item else "" for item in known] for name in ("genre", "artist", "album")]
        own = name_by_metadata(clusters, count, *columns)
        tags = self._name_by_tags(clusters, count) or name_by_words(clusters, count, columns[0])
        return join_names([list(dict.fromkeys([*one, *other])) for one, other in zip(own, tags, strict=True)])

    def _name_by_tags(self, clusters: NDArray[np.intp], count: int) -> list[list[str]]:
        """Return for each of `count` clusters the tags of the model that tell it from others; empty without tags."""
        store, model = self.session.store, self.session.model
        names = thresholded_tags(model.tags) or model.tags
        tagged, probabilities = store.tags.matrix(model.id, names)
        places = {each: place for place, each in enumerate(tagged.tolist())}
        rows = np.array([places.get(each, -1) for each in self.ids])
        if not names or not (rows >= 0).any():
            return []
        return name_by_tags(clusters[rows >= 0], count, probabilities[rows[rows >= 0]], names)

    def _read(self, part: str) -> NDArray[Any]:
        empty = np.empty((0, KEY_BYTES) if part == KEYS else (0, 2), np.uint8 if part == KEYS else np.float32)
        return self._stored.get(array_name(self.session.model.id, part), empty)

    def _keep(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.fresh |= {array_name(self.session.model.id, part): array for part, array in arrays.items()}

    def save(self) -> None:
        """Store what was computed, and drop the maps of models that are gone."""
        store, library = self.session.store, self.session.sidecar.id
        if self.fresh:
            store.arrays.put(library, self.fresh)
            store.arrays.delete(library, list_outdated(store, library))


def array_name(model_id: str, part: str) -> str:
    return f"{PREFIX} {model_id} {part}"


def list_outdated(store: Store, library: int) -> list[str]:
    """Return the names of the arrays of maps whose models the store does not have."""
    models = {model.id for model in store.models.all()}
    split = [(name, name.split(" ")) for name in store.arrays.names(library)]
    return [name for name, words in split if words[0] == PREFIX and len(words) == 3 and words[1] not in models]


class MapItem(NamedTuple):
    """What a map shows of an item, whose path is absolute; `genre` is the first of several, `seconds` its length.

    `copies` are other items with the same recording.
    """

    title: str
    artist: str
    album: str
    genre: str
    year: int
    seconds: float
    path: bytes
    copies: int


def load_items(session: SearchSession, ids: Sequence[int], among: set[int] | None = None) -> dict[int, MapItem]:
    """Return an item of the library for each vector that has one, of those with the ids `among` where given."""
    chosen: dict[int, int] = {}
    copies: dict[int, int] = {}
    for vector_id, item_ids in session.current_items(ids).items():
        allowed = sorted(item_ids if among is None else among.intersection(item_ids))
        if allowed:
            chosen[allowed[0]], copies[allowed[0]] = vector_id, len(allowed) - 1
    # Rows, for whole items would take a gigabyte where there are a hundred thousand.
    items = {}
    for row in select_rows(session.sidecar.library, SELECT, chosen):
        genres = GENRES.from_sql(row["genres"])
        items[chosen[row["id"]]] = MapItem(
            row["title"] or "",
            row["artist"] or "",
            row["album"] or "",
            genres[0] if genres else "",
            row["year"] or 0,
            row["length"] or 0.0,
            expand_path_from_db(bytes(row["path"])),
            copies[row["id"]],
        )
    return items


def items_of_cluster(session: SearchSession, name: str, command: str) -> set[int]:
    """Return the ids of the library's items in the cluster of a name, or of a word that only its name has.

    UserError where there is none of that name, or there are no clusters yet.
    """
    library_map = LibraryMap(session)
    clusters = library_map.stored_clusters()
    if clusters is None:
        raise UserError(
            f"{command}: --cluster needs the clusters of the library; `beet resonance map --clusters` makes and "
            "lists them"
        )
    place = find_cluster(name, clusters.names, command)
    assigned = clusters.assign(library_map.vectors)
    inside = [each for each, cluster in zip(library_map.ids, assigned.tolist(), strict=True) if cluster == place]
    return {item_id for item_ids in session.current_items(inside).values() for item_id in item_ids}


def find_cluster(name: str, names: Sequence[str], command: str) -> int:
    """Return the place among `names` of a cluster's name, in any case, or of the only one with that word in it."""
    wanted, known = name.strip().casefold(), [each.casefold() for each in names]
    if wanted in known:
        return known.index(wanted)
    partial = [place for place, each in enumerate(known) if wanted in each.split(", ")]
    if len(partial) == 1:
        return partial[0]
    near = [repr(names[place]) for place in partial]
    hint = f"did you mean {' or '.join(near)}?" if near else suggest(name, names, LISTED)
    raise UserError(f"{command}: there is no cluster {name!r}; {hint}")
