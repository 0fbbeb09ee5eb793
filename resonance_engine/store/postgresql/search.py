"""The nearest embeddings by the server itself, with filters in the same statement.

The plugin searches its own exact index, a copy of the vectors (`index.files`); this is for other programs, and for
libraries that no machine wants a copy of. docs/shared-libraries.md has the measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from resonance_engine.errors import StoreError
from resonance_engine.store.models import select_model
from resonance_engine.store.postgresql.connection import ServerSnapshot
from resonance_engine.store.records import EMBEDDING, Ids, Matrix, Vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.store.postgresql.database import ServerDatabase

EF_SEARCH = 200  # candidates of a walk through the graph, of which the best are returned
CREATE = """
CREATE INDEX IF NOT EXISTS {name} ON vector USING hnsw ((half::halfvec({width})) halfvec_ip_ops)
WHERE model_id = {model} AND kind = {kind}
"""
OWNER = "SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'vector'::regclass"
NEAREST = """
SELECT vector.id, -(half::halfvec({width}) <#> {query}::halfvec({width})) FROM vector
WHERE model_id = {model} AND kind = {kind} {conditions}
ORDER BY half::halfvec({width}) <#> {query}::halfvec({width}) LIMIT {count}
"""
OF_LIBRARY = """
AND EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key AND library_id = {library})
"""
IN_RANGE = """
AND EXISTS (SELECT 1 FROM analysis WHERE analysis.content_key = vector.content_key
    AND (attributes::jsonb ->> {name})::float8 BETWEEN {low} AND {high})
"""


def create_search_index(database: ServerDatabase, model_id: str) -> None:
    """Let the server search a model's embeddings approximately, by an HNSW graph.

    Raises StoreError for a role that is not the owner of the tables.
    """
    with database.write() as transaction:
        width = select_model(transaction.driver, model_id).dimensions
        driver = _driver(transaction.driver)
        [(owner, is_own)] = driver.execute(OWNER).fetchall()
        if not is_own:
            raise StoreError(
                f"Only {owner}, whose the tables in {database.name} are, may make an index of them; run `beet "
                "resonance sidecar index` with that user in the address."
            )
        name = sql.Identifier(f"vector_nearest_{model_id}")
        driver.execute(sql.SQL(CREATE).format(name=name, width=width, model=model_id, kind=EMBEDDING))


def nearest(
    database: ServerDatabase,
    model_id: str,
    query: Vector,
    count: int,
    library: int | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    exact: bool = False,
) -> tuple[Matrix, Ids]:
    """Return the `count` embeddings with the greatest inner products with a query: scores and ids, best first.

    Of a `library`, those of its tracks alone; `ranges` are the least and the greatest value of attributes, such as
    the tempo. Where the model has no index, or `exact`, all vectors are compared.
    """
    conditions = [sql.SQL(OF_LIBRARY).format(library=library)] if library is not None else []
    for name, (low, high) in (ranges or {}).items():
        conditions.append(sql.SQL(IN_RANGE).format(name=name, low=float(low), high=float(high)))
    with database.read() as snapshot:
        model = select_model(snapshot, model_id)
        if query.shape != (model.dimensions,):
            raise ValueError(f"Expected a query of shape {(model.dimensions,)}, got {query.shape}.")
        statement = sql.SQL(NEAREST).format(
            width=model.dimensions, model=model_id, kind=EMBEDDING, count=count,
            query=HalfVector(query.astype(np.float16)).to_text(), conditions=sql.Composed(conditions),
        )  # fmt: skip
        driver = _driver(snapshot)
        # Filters leave less than `count` of a walk's candidates where it does not go on.
        driver.execute("SET LOCAL hnsw.iterative_scan = strict_order")
        driver.execute(f"SET LOCAL hnsw.ef_search = {max(EF_SEARCH, count)}".encode())
        driver.execute(f"SET LOCAL enable_indexscan = {'off' if exact else 'on'}".encode())
        rows = driver.execute(statement, prepare=False).fetchall()
    ids, scores = zip(*rows, strict=True) if rows else ((), ())
    return np.array(scores, np.float32), np.array(ids, np.int64)


def _driver(snapshot: object) -> Any:
    if not isinstance(snapshot, ServerSnapshot):
        raise StoreError("Only a shared sidecar can search by itself.")
    return snapshot.driver
