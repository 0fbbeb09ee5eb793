"""What recordings are called, kept: the probabilities of a model's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.codec import encode
from resonance_engine.store.models import TagTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.store.database import Transaction
    from resonance_engine.store.records import Embedding, Model


def put_tags(transaction: Transaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    """Keep the tags that are given and have been verified."""
    values = [
        {
            "content_key": key,
            "model_id": model.id,
            "data": encode(np.array([embedding.tags[name] for name in model.tags], np.float32)),
        }
        for key, embedding in embeddings.items()
        if embedding.tags
    ]
    if values:
        row = insert(TagTable)
        given = {"data": row.excluded.data}
        upsert = row.on_conflict_do_update(index_elements=["content_key", "model_id"], set_=given)
        transaction.connection.execute(upsert, values)
