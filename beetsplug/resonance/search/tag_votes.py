"""The analysed tracks of a library with their genres, as the arrays that neighbours vote in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beets.library import Item

from beetsplug.resonance.library.items import metadata_of, select_rows
from beetsplug.resonance.library.tag_changes import GENRES, written_genres
from beetsplug.resonance.search.groups import all_vector_ids
from resonance_engine.tagging.tracks import build_table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from beets.library import Library
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.search.names import TrackMetadata
    from resonance_engine.tagging.tracks import LabelledTracks


class LibraryTracks(NamedTuple):
    """The n analysed tracks of a library: `item_ids` (n,), ascending, their `metadata`, and the table of them."""

    item_ids: Sequence[int]
    metadata: Sequence[TrackMetadata]
    table: LabelledTracks

    def places(self, item_ids: Collection[int]) -> NDArray[np.int64]:
        """Return the places of those of some items that are analysed, ascending."""
        import numpy as np

        return np.flatnonzero(np.isin(self.item_ids, list(item_ids)))


def load_tracks(session: SearchSession) -> LibraryTracks:
    """Load all analysed tracks of a library; labels are their genres. Raises StoreError for damaged vectors.

    Genres that `tag --write` wrote are none: votes that repeat votes would be taken for evidence.
    The tracks of one album in the library are of one album, whatever their artists.
    """
    library = session.sidecar.library
    vector_ids = all_vector_ids(session)
    metadata = metadata_of(library, vector_ids)
    genres = own_genres(session.sidecar, vector_ids)
    item_ids = sorted(vector_ids.keys() & metadata.keys())
    recordings = [vector_ids[item_id] for item_id in item_ids]
    tracks = [metadata[item_id] for item_id in item_ids]
    albums = album_names(library, item_ids)
    table = build_table(
        session.index.vectors(recordings),
        recordings,
        [track.artist for track in tracks],
        [albums[item_id] or track.album for item_id, track in zip(item_ids, tracks, strict=True)],
        [genres[item_id] for item_id in item_ids],
    )
    return LibraryTracks(item_ids, tracks, table)


def own_genres(sidecar: Sidecar, item_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the genres of items, by id, without building items; none where they are those that were suggested."""
    kind, written = Item._type(GENRES), written_genres(sidecar)
    genres = {}
    for row in select_rows(sidecar.library, "SELECT id, added, genres FROM items WHERE id IN", item_ids):
        values = [str(genre) for genre in kind.from_sql(row["genres"]) or ()]
        is_written = values in written.get((row["id"], row["added"] or 0.0), ())
        genres[row["id"]] = [] if is_written else [genre for genre in values if genre]
    return genres


def album_names(library: Library, item_ids: Collection[int]) -> dict[int, str]:
    """Return a name of the album that each item is on in the library, by id, empty for none."""
    rows = select_rows(library, "SELECT id, album_id FROM items WHERE id IN", item_ids)
    return {row["id"]: "" if row["album_id"] is None else f"album {row['album_id']}" for row in rows}
