"""Addresses of PostgreSQL databases, and how they are named without their passwords."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from resonance_engine.errors import StoreError, neutralise

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")
EXAMPLE = "postgresql+psycopg://user@host/database"
# In `user:PASSWORD@`, `//:PASSWORD@`, `password=PASSWORD` and `sslpassword = 'PASSWORD'`.
QUOTED = re.compile(
    r"""((?:[^\s:/@]|//):)[^\s@/]+(?=@)"""
    r"""|(password\s*=\s*)(?:'(?:\\.|[^'\\])*'?|(?:\\.|[^\s&"'\\])(?:\\.|[^\s&"\\])*)""",
    re.IGNORECASE,
)


@dataclass(frozen=True, repr=False)
class Address:
    """The address of a database: `location` as libpq takes it, `name` as messages have it, without a password."""

    location: str
    name: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL such as postgresql+psycopg://user@host/database; raises StoreError, without quoting it."""
        scheme = SCHEME.match(url)
        if scheme is None:
            raise StoreError(f"The address of a shared sidecar begins as in {EXAMPLE}; this one does not.")
        rest = url[scheme.end() :]
        try:
            parts = urlsplit(f"postgresql://{rest}")
            query = parse_qs(parts.query, strict_parsing=bool(parts.query))
            _ = parts.port  # which is parsed when it is read
            # With one of /?#@ in a password, part of it would pass for something else, and be shown.
            if parts.fragment or "@" in parts.path or "@" in parts.netloc.rpartition("@")[0]:
                raise ValueError
        except ValueError:
            raise StoreError(
                f"The address of the shared sidecar cannot be read; write it as {EXAMPLE}, with %40 for an @ in a "
                "password, %2F for a slash and %3A for a colon."
            ) from None
        user = f"{parts.username}@" if parts.username else ""
        place = parts.netloc.rpartition("@")[2] or next(iter(query.get("host", ())), "")
        name = f"postgresql://{user}{place}{parts.path}"
        return cls(f"postgresql://{rest}", neutralise(name))

    def __repr__(self) -> str:
        return f"Address({self.name})"


def hide_passwords(message: str) -> str:
    """Return a message of libpq in one line, without the passwords in addresses that it may quote.

    No server puts one anywhere else, and other words than those would give away that they are one.
    """
    return neutralise(" ".join(QUOTED.sub(r"\1\2***", message).split()))


@contextmanager
def require_packages() -> Iterator[None]:
    """Raise StoreError for an import that fails inside."""
    try:
        yield
    except ImportError as error:
        raise StoreError(
            f"A shared sidecar needs psycopg and pgvector ({error}): "
            "`pip install '.[scale]'` in a checkout of Resonance."
        ) from error
