"""The tables of the sidecar, schema version 2.

A recording is known by its content key (16 bytes of its audio, see `audio.content_key`), a track by its
library and the library's id for it. Nothing but `track` ties recordings to libraries.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of the mapped classes."""


class LibraryTable(Base):
    """A collection of items with ids of its own."""

    __tablename__ = "library"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)


class ModelTable(Base):
    """A model that has vectors here; at most one is in use. The names of its tags are a JSON list."""

    __tablename__ = "model"
    __table_args__ = (Index("model_in_use", "active", unique=True, sqlite_where=text("active")),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    dimensions: Mapped[int]
    modalities: Mapped[str]
    active: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[str] = mapped_column(server_default="[]")


class TrackTable(Base):
    """Which recording an item of a library holds."""

    __tablename__ = "track"
    # Holds all that is asked of tracks by their recordings.
    __table_args__ = (Index("track_contents", "content_key", "library_id", "item_id"),)

    library_id: Mapped[int] = mapped_column(ForeignKey("library.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True)
    added: Mapped[float]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    content_key: Mapped[bytes] = mapped_column(LargeBinary)


class VectorTable(Base):
    """One vector of a recording; a facet's gate is its weight in the embedding.

    The id of an embedding is its id in the index and is never used again.
    """

    __tablename__ = "vector"
    __table_args__ = (
        UniqueConstraint("content_key", "model_id", "kind"),
        Index("vector_changes", "model_id", "kind", "generation"),
        # Small and in the order of `track_contents` and `tag`: what joins all embeddings with them runs along.
        Index("vector_embeddings", "model_id", "content_key", sqlite_where=text("kind = 'embedding'")),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    content_key: Mapped[bytes] = mapped_column(LargeBinary)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"))
    kind: Mapped[str]
    generation: Mapped[int]
    gate: Mapped[float | None]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class WindowTable(Base):
    """The embedding of one stretch of a recording."""

    __tablename__ = "window"

    content_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[float]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class TagTable(Base):
    """The probabilities of a model's tags in a recording, in the order of the model's names."""

    __tablename__ = "tag"

    content_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RemovedTable(Base):
    """An embedding that is gone, so that an older index can drop it too."""

    __tablename__ = "removed"
    __table_args__ = (Index("removed_changes", "model_id", "generation"),)

    vector_id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[str]
    generation: Mapped[int]


class AnalysisTable(Base):
    """What is said of a recording in words and numbers; attributes are JSON."""

    __tablename__ = "analysis"

    content_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    extractor_version: Mapped[str]
    attributes: Mapped[str]


class FailureTable(Base):
    """A file that could not be analysed, and the state that it was in."""

    __tablename__ = "failure"

    library_id: Mapped[int] = mapped_column(ForeignKey("library.id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    size: Mapped[int]
    mtime_ns: Mapped[int]
    reason: Mapped[str]
    tries: Mapped[int]
    last_tried: Mapped[float]


class StateTable(Base):
    """Single facts about the store, as JSON."""

    __tablename__ = "state"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
