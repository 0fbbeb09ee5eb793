"""Addresses of PostgreSQL databases: no message quotes a password."""

from __future__ import annotations

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store.opening import open_store
from resonance_engine.store.postgresql.address import Address


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
        if "cret" in url:
            secret = "s/e@cret" if "%2F" in url else "secret"
            assert address.hide(f"it was {secret}\n\tor so") == "it was *** or so"

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
