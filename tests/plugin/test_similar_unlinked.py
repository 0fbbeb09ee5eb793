"""What is in the store but not in the library, or comes into it meanwhile, changes nothing that is found."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from beets import config

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import SearchSession, open_session
from resonance_engine.errors import StoreError
from resonance_engine.store import EMBEDDING, Embedding, TrackRow
from tests.embeddings import key, unit_vectors
from tests.plugin.synthetic_library import MODEL, SyntheticLibrary
from tests.plugin.synthetic_tracks import SOUNDS, WIDTH
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGERS = 200


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[SyntheticLibrary]:
    """The library of `sounding`, alone in its folder."""
    config.clear()
    config.read(user=False)
    made = SyntheticLibrary.create(tmp_path)
    yield made
    made.close()
    config.clear()


def strangers(towards: int, library: SyntheticLibrary) -> dict[bytes, Embedding]:
    """Recordings near a track, which would make it look like one that is near to everything."""
    noise = unit_vectors(STRANGERS, WIDTH, 7)
    near = library.plan.vectors[towards - 1] + 0.3 * noise
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    facets = {name: each[towards - 1].astype(np.float32) for name, each in library.plan.facets.items()}
    return {key(5000 + number): Embedding(vector, facets) for number, vector in enumerate(near)}


@pytest.mark.parametrize("wish", [{}, {"like": "rhythm"}, {"hubness": "none"}])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["orphans", "another library's"])
def test_what_is_not_in_the_library_does_not_count(
    crowded: SyntheticLibrary, wish: dict[str, str], elsewhere: bool
) -> None:
    def listed() -> list[tuple[int | None, float]]:
        found = crowded.find("id:9", **wish)
        return [(hit.item_id, pytest.approx(hit.score, abs=1e-9)) for hit in found.hits]

    alone = listed()
    with closing(Sidecar(crowded.lib)) as sidecar:
        added = strangers(9, crowded)
        sidecar.store.vectors.put_many(MODEL.id, added)
        if elsewhere:
            rows = [TrackRow(number, 1.0, 1, 1, each) for number, each in enumerate(added, 1)]
            sidecar.store.tracks.link_many(sidecar.store.libraries.get_or_create("other.db"), rows)
        assert len(sidecar.store.vectors.unlinked_embeddings(sidecar.id, MODEL.id)) == STRANGERS
        assert sidecar.store.vectors.count(MODEL.id) == SOUNDS + 1 + STRANGERS
    assert listed() == alone


def test_what_comes_and_goes_meanwhile_is_seen_by_the_next_query(crowded: SyntheticLibrary) -> None:
    wish = SearchRequest(query=("id:1..9",), count=5)
    with closing(Sidecar(crowded.lib, Settings())) as sidecar, closing(Sidecar(crowded.lib)) as other:
        with open_session(sidecar) as search:
            before = [hit.id for hit in Finder(search, wish, "similar").find().hits]
            vector = crowded.embedding(30)
            other.store.vectors.put(key(7000), MODEL.id, vector)
            other.store.tracks.link(other.id, TrackRow(5, 1005.0, 1, 1, key(7000)))  # a seed sounds otherwise now
            other.store.tracks.unlink(other.id, [1, 2, 3])
            assert [hit.id for hit in Finder(search, wish, "similar").find().hits] == before
        with open_session(sidecar) as search:
            assert len(Finder(search, wish, "similar").find().seeds.ids) == 6


def test_a_damaged_vector_is_said_whoever_it_belongs_to(crowded: SyntheticLibrary) -> None:
    with closing(Sidecar(crowded.lib)) as sidecar:
        SearchSession(sidecar, MODEL)  # makes the index file
        nothing = np.full(WIDTH, np.nan, "<f2").tobytes()
    damage = "UPDATE vector SET data = ?, generation = generation + 1 WHERE content_key = ? AND kind = ?"
    change_rows(sidecar.path, damage, nothing, key(40), EMBEDDING)
    change_rows(sidecar.path, "UPDATE state SET value = CAST(value + 1 AS TEXT) WHERE key = 'generation'")
    with pytest.raises(StoreError, match="check --repair"):
        crowded.find("id:9")
