"""The server's own search: it agrees with a look at all vectors, and keeps to filters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Store
from resonance_engine.store.opening import open_store
from resonance_engine.store.postgresql.database import ServerDatabase
from resonance_engine.store.postgresql.search import create_search_index, nearest
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import ROOT
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.store.records import Ids
    from tests.postgresql_server import PostgresServer

COUNT = 400
VECTORS = unit_vectors(COUNT, seed=2)
NEIGHBOURS = 20


@pytest.fixture(scope="module")
def address(postgres: PostgresServer) -> str:
    """Recordings of which every second one is in the library; the tempo of number n is n beats a minute."""
    address = postgres.create_database()
    with open_store(address) as store:
        store.models.register(MODEL)
        with store.write():
            store.vectors.put_many(MODEL.id, {key(n): Embedding(VECTORS[n]) for n in range(COUNT)})
            home = store.libraries.get_or_create("home")
            store.tracks.link_many(home, [track(n, n) for n in range(0, COUNT, 2)])
            for n in range(COUNT):
                store.analyses.put(key(n), "1", {"tempo": n})
        assert isinstance(store.database, ServerDatabase)
    return address


@pytest.fixture(params=["graph", "exact"])
def exact(request: pytest.FixtureRequest, address: str) -> bool:
    with open_store(address) as store:
        create_search_index(server_of(store), MODEL.id)
    return bool(request.param == "exact")


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with open_store(address) as store:
        yield store


def server_of(store: Store) -> ServerDatabase:
    assert isinstance(store.database, ServerDatabase)
    return store.database


def expected(store: Store, query: int, allowed: Ids | None = None) -> list[int]:
    ids, vectors = store.vectors.matrix(MODEL.id)
    _, found = VectorIndex(ids, vectors).nearest(VECTORS[query][None], NEIGHBOURS, allowed=allowed)
    nearest_ids: list[int] = found[0].tolist()
    return nearest_ids


def test_it_agrees_with_the_index_of_this_machine(store: Store, exact: bool) -> None:
    recalled = []
    for query in range(0, COUNT, 10):
        scores, ids = nearest(server_of(store), MODEL.id, VECTORS[query], NEIGHBOURS, exact=exact)
        recalled.append(len({*ids.tolist()} & {*expected(store, query)}) / NEIGHBOURS)
        assert (np.diff(scores) <= 0).all()
        vectors = store.vectors.get(store.vectors.content_keys(ids).values(), MODEL.id)
        keys = store.vectors.content_keys(ids)
        np.testing.assert_allclose(scores, [vectors[keys[each]] @ VECTORS[query] for each in ids.tolist()], atol=2e-3)
    assert np.mean(recalled) >= 0.99


def test_filters_keep_to_a_library_and_to_ranges(store: Store, exact: bool) -> None:
    home = store.libraries.get_or_create("home")
    owners = {int.from_bytes(owner, "big"): each for each, owner in store.vectors.content_keys(range(1, 9999)).items()}
    linked = np.array([owners[n] for n in range(0, COUNT, 2)])
    slow = np.array([owners[n] for n in range(60, 121)])
    both = np.intersect1d(linked, slow)
    for allowed, library, ranges in (
        (linked, home, None),
        (slow, None, {"tempo": (60, 120)}),
        (both, home, {"tempo": (60, 120)}),
    ):
        _, ids = nearest(server_of(store), MODEL.id, VECTORS[7], NEIGHBOURS, library, ranges, exact)
        assert {*ids.tolist()} <= {*allowed.tolist()}
        assert len({*ids.tolist()} & {*expected(store, 7, allowed)}) >= NEIGHBOURS - 1
    _, none = nearest(server_of(store), MODEL.id, VECTORS[7], NEIGHBOURS, home, {"tempo": (1e6, 1e7)}, exact)
    assert none.tolist() == []


def test_the_graph_is_used_and_follows_changes(store: Store, exact: bool) -> None:
    create_search_index(server_of(store), MODEL.id)
    vector = unit_vectors(1, seed=77)[0]
    store.vectors.put(key(9000), MODEL.id, Embedding(vector))
    [(mine, _), *_] = store.vectors.content_keys(nearest(server_of(store), MODEL.id, vector, 1, exact=exact)[1]).items()
    assert store.vectors.content_keys([mine]) == {mine: key(9000)}
    store.maintenance.prune()
    assert mine not in nearest(server_of(store), MODEL.id, vector, 5, exact=exact)[1]
    # Of what was pruned, the fixture's own recordings outside the library were a part.
    with store.write():
        store.vectors.put_many(MODEL.id, {key(n): Embedding(VECTORS[n]) for n in range(COUNT)})
        for n in range(COUNT):
            store.analyses.put(key(n), "1", {"tempo": n})


def test_the_documented_statement_works(address: str) -> None:
    """Beside the pages: what a reader copies from there."""
    page = (ROOT / "docs" / "shared-libraries.md").read_text(encoding="utf-8")
    [statement] = re.findall(r"```sql\n(SELECT.*?)```", page, re.DOTALL)
    rows = run_sql(
        address, statement.replace("512", "8").replace("WHERE active", "").replace("item_id = 1", "item_id = 2")
    )
    assert len(rows) == 10
    assert rows[0][0] == 2
    assert rows[0][1] == pytest.approx(1, abs=1e-3)


def test_only_the_owner_of_the_tables_makes_an_index(postgres: PostgresServer, address: str) -> None:
    rights = ("USAGE ON SCHEMA resonance", "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA resonance")
    guest = postgres.grant(address, "guest", *rights)
    reason = (
        "^Only postgres, whose the tables in .* are, may make an index of them; run .*with that user in the address"
    )
    with open_store(guest) as store, pytest.raises(StoreError, match=reason):
        create_search_index(server_of(store), MODEL.id)
    postgres.server.psql("GRANT postgres TO guest;")
    try:
        with open_store(guest) as store:
            create_search_index(server_of(store), MODEL.id)
    finally:
        postgres.server.psql("REVOKE postgres FROM guest;")


def test_queries_of_another_width_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"Expected a query of shape \(8,\), got \(7,\)"):
        nearest(server_of(store), MODEL.id, VECTORS[0][:7], 3)
