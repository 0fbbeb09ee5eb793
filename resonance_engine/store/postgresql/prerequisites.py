"""What the first write of a sidecar needs in a database: pgvector, and the rights to enable it and to make tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.errors import InsufficientPrivilege, UniqueViolation

from resonance_engine.errors import StoreError
from resonance_engine.store.postgresql.connection import SCHEMA

if TYPE_CHECKING:
    import psycopg

LOWEST_PGVECTOR = (0, 7)  # the first with halfvec
STATE = f"""
SELECT default_version, installed_version, rolsuper, trusted, may_create,
    coalesce(has_schema_privilege(to_regnamespace('{SCHEMA}')::oid, 'CREATE'), may_create)
FROM pg_available_extensions AS extension
JOIN pg_available_extension_versions AS offered ON offered.name = extension.name AND version = default_version
JOIN pg_roles ON rolname = current_user
CROSS JOIN has_database_privilege(current_database(), 'CREATE') AS may_create
WHERE extension.name = 'vector'
"""  # noqa: S608 - a constant


def verify_prerequisites(name: str, driver: psycopg.Connection[Any]) -> tuple[bool, str]:
    """Return whether pgvector is enabled in a database, and a sentence where this role as a rule can't do that.

    Some servers let more roles do it than the catalogue tells. Raises StoreError where pgvector is missing or too old,
    and where this role can't make tables.
    """
    row = driver.execute(STATE).fetchone()
    if row is None:
        raise StoreError(
            f"The server of {name} lacks pgvector; install it there (the package postgresql-VERSION-pgvector)."
        )
    available, installed, is_superuser, is_trusted, may_create, may_create_tables = row
    version = installed or available
    if tuple(map(int, version.split(".")[:2])) < LOWEST_PGVECTOR:
        raise StoreError(f"{name} has pgvector {version}, and Resonance needs 0.7 or later; update it there.")
    if not may_create_tables:
        raise StoreError(
            f"You may not make the tables of Resonance in {name}; have its owner grant you CREATE on the database, or "
            "run a command that stores something, such as `beet resonance analyze`."
        ) from InsufficientPrivilege()
    if installed is not None or is_superuser or (is_trusted and may_create):
        return installed is not None, ""
    who = "its owner or a superuser" if is_trusted else "as a rule a superuser alone"
    return False, (
        f"pgvector is not enabled in {name}, which {who} may do; have one run `CREATE EXTENSION vector` there."
    )


def enable_pgvector(name: str, driver: psycopg.Connection[Any]) -> None:
    """Make pgvector available in a database; StoreError where that, or what comes after it, is impossible."""
    is_enabled, obstacle = verify_prerequisites(name, driver)
    if is_enabled:
        return
    try:
        # Not in our schema, where there may be one already: a table has the name of its type.
        driver.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    except UniqueViolation:
        pass  # another process was faster
    except InsufficientPrivilege as error:
        raise (StoreError(obstacle) if obstacle else error) from error
