"""The tables of the sidecar, schema version 2: loads SQLAlchemy, so it is imported by what writes alone.

A recording is known by its content key (16 bytes of its audio, see `audio.content_key`), a track by its
library and the library's id for it. Nothing but `track` ties recordings to libraries.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

METADATA = MetaData()
LARGE = BigInteger().with_variant(Integer, "sqlite")  # bytes, nanoseconds: SQLite has one type for all integers


LIBRARY = Table(
    "library",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("uuid", String, nullable=False, unique=True),
    Column("name", String, nullable=False, unique=True),
    comment="A collection of items with ids of its own.",
)
MODEL = Table(
    "model",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("modalities", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("tags", String, nullable=False, server_default="[]"),
    Index("model_in_use", "active", unique=True, sqlite_where=text("active"), postgresql_where=text("active")),
    comment="A model that has vectors here; at most one is active. Modalities and tags are JSON.",
)
TRACK = Table(
    "track",
    METADATA,
    Column("library_id", ForeignKey("library.id", ondelete="CASCADE"), primary_key=True),
    Column("item_id", Integer, primary_key=True),
    Column("added", Double, nullable=False),
    Column("size", LARGE, nullable=False),
    Column("mtime_ns", LARGE, nullable=False),
    Column("content_key", LargeBinary, nullable=False),
    # Covers all queries of tracks by their recordings.
    Index("track_contents", "content_key", "library_id", "item_id"),
    comment="Which recording an item of a library holds.",
)
VECTOR = Table(
    "vector",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("content_key", LargeBinary, nullable=False),
    Column("model_id", ForeignKey("model.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("generation", LARGE, nullable=False),
    Column("gate", Double),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("content_key", "model_id", "kind"),
    Index("vector_changes", "model_id", "kind", "generation"),
    # Small and in the order of `track_contents` and `tag`: what joins all embeddings with them runs along.
    Index("vector_embeddings", "model_id", "content_key", sqlite_where=text("kind = 'embedding'")),
    sqlite_autoincrement=True,
    comment="One vector of a recording; an embedding's id is its id in the index and is never used again.",
)
WINDOW = Table(
    "window",
    METADATA,
    Column("content_key", LargeBinary, primary_key=True),
    Column("model_id", ForeignKey("model.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("start", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
    comment="The embedding of one stretch of a recording.",
)
TAG = Table(
    "tag",
    METADATA,
    Column("content_key", LargeBinary, primary_key=True),
    Column("model_id", ForeignKey("model.id", ondelete="CASCADE"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    comment="The probabilities of a model's tags in a recording, in the order of the model's names.",
)
REMOVED = Table(
    "removed",
    METADATA,
    Column("vector_id", Integer, primary_key=True),
    Column("model_id", String, nullable=False),
    Column("generation", LARGE, nullable=False),
    Index("removed_changes", "model_id", "generation"),
    comment="A tombstone: an embedding that was deleted, so that an older index can drop it too.",
)
ANALYSIS = Table(
    "analysis",
    METADATA,
    Column("content_key", LargeBinary, primary_key=True),
    Column("extractor_version", String, nullable=False),
    Column("attributes", String, nullable=False),
    comment="Attributes of a recording (tempo, key, energy, brightness) as JSON.",
)
FAILURE = Table(
    "failure",
    METADATA,
    Column("library_id", ForeignKey("library.id", ondelete="CASCADE"), primary_key=True),
    Column("path", LargeBinary, primary_key=True),
    Column("size", LARGE, nullable=False),
    Column("mtime_ns", LARGE, nullable=False),
    Column("reason", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_tried", Double, nullable=False),
    comment="A file that could not be analysed, and the state that it was in.",
)
STATE = Table(
    "state",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
    comment="Single facts about the store, as JSON.",
)
