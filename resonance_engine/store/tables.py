"""The tables of the sidecar, schema version 3: loads SQLAlchemy, so it is imported by what writes alone.

A recording is known by its content key (16 bytes of its audio, see `audio.content_key`), a track by its
library and the library's id for it. Nothing but `track` ties recordings to libraries.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # bytes, nanoseconds: SQLite has one type for all integers


LIBRARY = sa.Table(
    "library",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.String, nullable=False, unique=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    comment="A collection of items with ids of its own.",
)
MODEL = sa.Table(
    "model",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("dimensions", sa.Integer, nullable=False),
    sa.Column("modalities", sa.String, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("tags", sa.String, nullable=False, server_default="[]"),
    sa.Index("model_in_use", "active", unique=True, sqlite_where=sa.text("active"), postgresql_where=sa.text("active")),
    comment="A model that has vectors here; at most one is active. Modalities and tags are JSON.",
)
TRACK = sa.Table(
    "track",
    METADATA,
    sa.Column("library_id", sa.ForeignKey("library.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("item_id", sa.Integer, primary_key=True),
    sa.Column("added", sa.Double, nullable=False),
    sa.Column("size", LARGE, nullable=False),
    sa.Column("mtime_ns", LARGE, nullable=False),
    sa.Column("content_key", sa.LargeBinary, nullable=False),
    # Covers all queries of tracks by their recordings.
    sa.Index("track_contents", "content_key", "library_id", "item_id"),
    comment="Which recording an item of a library holds.",
)
VECTOR = sa.Table(
    "vector",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("content_key", sa.LargeBinary, nullable=False),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("generation", LARGE, nullable=False),
    sa.Column("gate", sa.Double),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("content_key", "model_id", "kind"),
    sa.Index("vector_changes", "model_id", "kind", "generation"),
    # Small and in the order of `track_contents` and `tag`: what joins all embeddings with them runs along.
    sa.Index("vector_embeddings", "model_id", "content_key", sqlite_where=sa.text("kind = 'embedding'")),
    sqlite_autoincrement=True,
    comment="One vector of a recording; an embedding's id is its id in the index and is never used again.",
)
WINDOW = sa.Table(
    "window",
    METADATA,
    sa.Column("content_key", sa.LargeBinary, primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("start", sa.Double, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    comment="The embedding of one stretch of a recording.",
)
TAG = sa.Table(
    "tag",
    METADATA,
    sa.Column("content_key", sa.LargeBinary, primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    comment="The probabilities of a model's tags in a recording, in the order of the model's names.",
)
PASSAGE = sa.Table(
    "passage",
    METADATA,
    sa.Column("content_key", sa.LargeBinary, primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True),
    # Before the numbers, which SQLite stores as integers where they are whole: else a row of `window` looks the same.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("hop", sa.Double, nullable=False),
    sa.Column("length", sa.Double, nullable=False),
    comment="The embeddings of a recording's dense windows, float16 in order of time; hop and length in seconds.",
)
REMOVED = sa.Table(
    "removed",
    METADATA,
    sa.Column("vector_id", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.String, nullable=False),
    sa.Column("generation", LARGE, nullable=False),
    sa.Index("removed_changes", "model_id", "generation"),
    comment="A tombstone: an embedding that was deleted, so that an older index can drop it too.",
)
ANALYSIS = sa.Table(
    "analysis",
    METADATA,
    sa.Column("content_key", sa.LargeBinary, primary_key=True),
    sa.Column("extractor_version", sa.String, nullable=False),
    sa.Column("attributes", sa.String, nullable=False),
    comment="Attributes of a recording (tempo, key, energy, brightness) as JSON.",
)
FAILURE = sa.Table(
    "failure",
    METADATA,
    sa.Column("library_id", sa.ForeignKey("library.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("path", sa.LargeBinary, primary_key=True),
    sa.Column("size", LARGE, nullable=False),
    sa.Column("mtime_ns", LARGE, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("last_tried", sa.Double, nullable=False),
    comment="A file that could not be analysed, and the state that it was in.",
)
ARRAY = sa.Table(
    "array",
    METADATA,
    sa.Column("library_id", sa.ForeignKey("library.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    comment="Named arrays of a library, such as the coordinates of a map, in NumPy's .npy format.",
)
STATE = sa.Table(
    "state",
    METADATA,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
    comment="Single facts about the store, as JSON.",
)
