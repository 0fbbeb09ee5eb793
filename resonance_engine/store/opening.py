"""Open the store at a path, or at the address of a database that several machines share."""

from __future__ import annotations

from pathlib import Path

from resonance_engine.store.store import Store


def open_store(place: Path | str) -> Store:
    """Return the store in a file, or the one at an address such as postgresql+psycopg://user@host/database.

    Raises StoreError for an address of another kind, and where the packages for it are not installed.
    """
    if isinstance(place, Path):
        return Store(place)
    from resonance_engine.store.postgresql.address import Address, require_packages

    address = Address.parse(place)
    with require_packages():
        from resonance_engine.store.postgresql.database import ServerDatabase
    return Store(ServerDatabase(address))


def is_address(text: str) -> bool:
    """Whether a text is meant to be the address of a database rather than the path of a file."""
    return "://" in text
