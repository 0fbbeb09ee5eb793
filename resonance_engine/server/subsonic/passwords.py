"""Application passwords: made by the server, one for each player, kept in a file for their owner alone, revocable.

A request of the API proves a password by the MD5 sum of it and a salt, so the server has to know the password itself.
It is long and random, and serves for nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError, printable

if TYPE_CHECKING:
    from pathlib import Path

RANDOM_BYTES = 15  # 120 bits, which no guessing at the sums of requests finds
GROUP = 4  # characters between dashes, to be read from one screen and typed on another
LONGEST_NAME = 50
MARKS = frozenset("-_.@")


class PasswordFile:
    """The application passwords in a file, by name; each method reads it anew, so that a change counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """Return the passwords by name; ConfigError where the file is damaged."""
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damage() from error
        if not isinstance(known, dict) or not all(isinstance(each, str) and each for each in known.values()):
            raise self._damage()
        return known

    def add(self, name: str) -> str:
        """Make the password of a name and return it; ConfigError for a name that has one or that is none."""
        if not 0 < len(name) <= LONGEST_NAME or not all(sign.isalnum() or sign in MARKS for sign in name):
            raise ConfigError(f"A name has 1 to {LONGEST_NAME} letters, digits and {' '.join(sorted(MARKS))}.")
        known = self.read()
        if name in known:
            raise ConfigError(f"There is a password for {name!r} already; revoke it, or choose another name.")
        known[name] = make_password()
        self._write(known)
        return known[name]

    def revoke(self, name: str) -> None:
        """Remove the password of a name; ConfigError where it has none."""
        known = self.read()
        if name not in known:
            raise ConfigError(f"There is no password for {name!r}.")
        del known[name]
        self._write(known)

    def _write(self, known: dict[str, str]) -> None:
        """Replace the file in one step by one that only its owner can read."""
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(known, file, indent=1)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ConfigError(f"{printable(self.path)} cannot be written: {error.strerror}.") from error

    def _damage(self) -> ConfigError:
        return ConfigError(f"{printable(self.path)} cannot be read as a file of passwords.")


def make_password() -> str:
    """Return a new password: small letters and digits in groups."""
    text = base64.b32encode(secrets.token_bytes(RANDOM_BYTES)).decode().lower()
    return "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))
