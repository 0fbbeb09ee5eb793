"""Addresses of PostgreSQL databases: no message quotes a password, nor gives it away by what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store.opening import open_store
from resonance_engine.store.postgresql.address import Address, hide_passwords
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgresql_server import PostgresServer


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("postgresql+psycopg://anna@host/music", "postgresql://anna@host/music"),
            ("postgresql://anna:secret@host:5433/music", "postgresql://anna@host:5433/music"),
            ("postgres://host/music?password=secret&sslmode=require", "postgresql://host/music"),
            ("postgresql+psycopg://anna:s%2Fe%40cret@/music?host=/run/pg", "postgresql://anna@/run/pg/music"),
            ("postgresql+psycopg://anna@[::1]:5432/music", "postgresql://anna@[::1]:5432/music"),
        ],
    )
    def test_names_have_no_passwords(self, url: str, name: str) -> None:
        address = Address.parse(url)
        assert address.name == name
        assert "cret" not in f"{address!r} {address.name}"
        assert "cret" not in hide_passwords(f"it was {address.location}\n\tor so")

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://anna:secret@host/music",
            "postgresql+psycopg2://anna:secret@host/music",
            "postgresql://anna:secret/x@host/music",
            "postgresql://anna:5/secret@host/music",
            "postgresql://anna:secret#@host/music",
            "postgresql://anna:5#secret@host/music",
            "postgresql://anna:secret?@host/music",
            "postgresql://anna:sec@ret@host/music",
            "postgresql://[secret/music",
            "postgresql://anna:secret@host:port/music",
        ],
    )
    def test_what_cannot_be_read_is_not_quoted(self, url: str) -> None:
        with pytest.raises(StoreError) as caught:
            open_store(url)
        assert "cret" not in str(caught.value)
        assert "postgresql+psycopg://user@host/database" in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["postgresql://anna:secret@host/music?nonsense=1", "postgresql://anna:sec%ZZret@h/x"]
    )
    def test_what_libpq_does_not_know_is_not_quoted(self, url: str) -> None:
        with (
            open_store(url) as store,
            pytest.raises(StoreError, match="a part that PostgreSQL does not know") as caught,
        ):
            store.models.all()
        assert "ret" not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("postgresql://user:user@host", "postgresql://user:***@host"),
        ("as a:%2F[1]:b@host or user@host:5432", "as a:***@host or user@host:5432"),
        ("postgresql://:a@host and ://u-:a@host", "postgresql://:***@host and ://u-:***@host"),
        ("PASSWORD=a'b c password=a\\ b sslpassword='a", "PASSWORD=*** c password=*** sslpassword=***"),
        ("password=s sslmode=s", "password=*** sslmode=s"),
        ("password = s sslpassword\t= 'a b'", "password = *** sslpassword = ***"),
        ("?password=pass&sslpassword=word&x=y", "?password=***&sslpassword=***&x=y"),
        ("password='it\\'s a b'\n\thost='a b'", "password=*** host='a b'"),
        ('"password=a"', '"password=***"'),
        ("permission denied for schema resonance", "permission denied for schema resonance"),
        ('FATAL:  password for user "user"', 'FATAL: password for user "user"'),
    ],
)
def test_a_password_is_hidden_in_addresses_alone(message: str, shown: str) -> None:
    assert hide_passwords(message) == shown


class TestServers:
    """What a server or libpq has to say is the same for each password."""

    PASSWORDS = ("strict", "user", "password", "s", "e", " ", "music", "***", "FATAL", "a b'c\"", "%41", "\\", "größe")

    @pytest.fixture
    def address(self, postgres: PostgresServer) -> Iterator[str]:
        """A database, and a role of it that is let in by a password alone."""
        rules = postgres.folder / "pg_hba.conf"
        before = rules.read_text()
        postgres.server.psql("CREATE ROLE strict LOGIN PASSWORD 'right';")
        rules.write_text(f"local all strict scram-sha-256\n{before}")
        postgres.server.psql("SELECT pg_reload_conf();")
        address = postgres.create_database()
        run_sql(address, "CREATE SCHEMA resonance")
        yield address
        rules.write_text(before)
        postgres.server.psql("SELECT pg_reload_conf();")
        postgres.server.psql("DROP ROLE strict;")

    def message(self, address: str, password: str) -> str:
        with (
            open_store(address.replace("postgres@", f"strict:{quote(password, safe='')}@")) as store,
            pytest.raises(StoreError) as caught,
        ):
            store.libraries.get_or_create("home")
        return str(caught.value)

    @pytest.mark.parametrize("password", PASSWORDS)
    def test_one_that_is_refused(self, address: str, password: str) -> None:
        refusal = 'failed: FATAL: password authentication failed for user "strict"); give the right one in the address'
        assert self.message(address, password) == self.message(address, "wrong")
        assert refusal in self.message(address, password)

    @pytest.mark.parametrize("password", PASSWORDS)
    def test_one_that_is_right(self, address: str, password: str) -> None:
        run_sql(address, f"ALTER ROLE strict PASSWORD $${password}$$".replace("%", "%%"))
        assert "(permission denied for schema resonance); have the right granted" in self.message(address, password)

    @pytest.mark.parametrize("place", ["127.0.0.1:1", ""])
    @pytest.mark.parametrize("password", PASSWORDS)
    def test_one_of_a_server_that_does_not_answer(self, place: str, password: str) -> None:
        address = f"postgresql://postgres@{place}/music{'' if place else '?host=/nowhere'}"
        assert self.message(address, password) == self.message(address, "wrong")
