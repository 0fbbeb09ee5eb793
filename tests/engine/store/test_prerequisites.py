"""What a server and a role need before the first write: pgvector, the right to enable it, and that to make tables."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store.errors import is_unwritable
from resonance_engine.store.opening import open_store
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.store import Store
    from tests.postgresql_server import PostgresServer

ONLY_A_SUPERUSER = (
    "^pgvector is not enabled in .*, which as a rule a superuser alone may do; have one run `CREATE EXTENSION vector`"
)
ITS_OWNER = (
    "^pgvector is not enabled in .*, which its owner or a superuser may do; have one run `CREATE EXTENSION vector`"
)
NO_TABLES = "You may not make the tables .* grant you CREATE on the database, or run a command that stores"


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    """A database of a role `owner`, who is no superuser."""
    address = postgres.create_database()
    postgres.grant(address, "owner")
    run_sql(address, f"ALTER DATABASE {name_of(address)} OWNER TO owner")
    return address.replace("postgres@", "owner@")


def name_of(address: str) -> str:
    return address.rpartition("?")[0].rpartition("/")[2]


def as_superuser(address: str) -> str:
    return address.replace("owner@", "postgres@")


def assert_obstacle(store: Store, reason: str) -> None:
    """Nothing is made by looking for the reason, which whatever stores something has, too."""
    with closing(store):
        assert not store.database.exists
        with pytest.raises(StoreError, match=reason) as caught:
            store.libraries.get_or_create("home")
        assert is_unwritable(caught.value) is ("lacks" not in reason)
        assert store.database.obstacle == str(caught.value)


@contextmanager
def trusted_pgvector(postgres: PostgresServer, address: str) -> Iterator[None]:
    """For the time of a `with`, a database has pgvector as packages that mark it as trusted install it."""
    shared = Path(run_sql(postgres.address("postgres"), "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")[0][0])
    with TemporaryDirectory(prefix="pg-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        installed = Path(folder) / "extension"
        installed.mkdir()
        for path in (shared / "extension").glob("vector*"):
            (installed / path.name).write_bytes(path.read_bytes())
        with (installed / "vector.control").open("a") as control:
            control.write("trusted = true\n")
        run_sql(as_superuser(address), f"ALTER DATABASE {name_of(address)} SET extension_control_path = '{folder}'")
        yield


def test_a_server_without_pgvector(address: str) -> None:
    run_sql(as_superuser(address), f"ALTER DATABASE {name_of(address)} SET extension_control_path = '/nowhere'")
    assert_obstacle(open_store(address), "lacks pgvector; install it there")


def test_where_pgvector_is_not_trusted_only_a_superuser_enables_it(postgres: PostgresServer, address: str) -> None:
    assert_obstacle(open_store(address), ONLY_A_SUPERUSER)
    assert_obstacle(open_store(postgres.grant(as_superuser(address), "guest")), NO_TABLES)
    with open_store(as_superuser(address)) as store:
        assert store.database.obstacle == ""


def test_where_it_is_trusted_the_owner_does(postgres: PostgresServer, address: str) -> None:
    guest = postgres.grant(as_superuser(address), "guest")
    run_sql(address, "CREATE SCHEMA resonance")
    run_sql(address, "GRANT ALL ON SCHEMA resonance TO guest")
    with trusted_pgvector(postgres, address), open_store(address) as store:
        assert_obstacle(open_store(guest), ITS_OWNER)
        assert store.database.obstacle == ""
        store.libraries.get_or_create("home")
        assert store.database.obstacle == ""


def test_a_role_that_may_not_make_tables(postgres: PostgresServer, address: str) -> None:
    run_sql(as_superuser(address), "CREATE EXTENSION vector")
    guest = postgres.grant(as_superuser(address), "guest")
    assert_obstacle(open_store(guest), NO_TABLES)
    run_sql(address, "CREATE SCHEMA resonance")
    run_sql(address, "GRANT USAGE ON SCHEMA resonance TO guest")
    assert_obstacle(open_store(guest), NO_TABLES)
    run_sql(address, "GRANT ALL ON SCHEMA resonance TO guest")
    with open_store(guest) as store:
        assert store.database.obstacle == ""
