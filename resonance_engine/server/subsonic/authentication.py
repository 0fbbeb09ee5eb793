"""Who sends a request of the OpenSubsonic API: by token and salt, by a password, or by an API key.

A server that only this machine reaches needs none of them. Where a proxy passes requests on, other machines reach it
at a local address; then it needs them, too.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from resonance_engine.server.subsonic.errors import (
    CONFLICTING_CREDENTIALS,
    INVALID_KEY,
    PARAMETER_MISSING,
    WRONG_PASSWORD,
    SubsonicError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.server.subsonic.parameters import Parameters

ANYONE = "local"  # the user of a server that needs no password
ENCODED = "enc:"


def authenticate(parameters: Parameters, passwords: Mapping[str, str], is_needed: bool) -> str:
    """Return the user's name; SubsonicError for credentials that are missing, wrong or contradict one another."""
    key, user = parameters.find("apiKey"), parameters.find("u")
    password, token, salt = (parameters.find(name) for name in ("p", "t", "s"))
    if key is not None and not (user is None and password is None and token is None and salt is None):
        raise SubsonicError(CONFLICTING_CREDENTIALS, "Send an API key alone, without user, password and token.")
    if password is not None and not (token is None and salt is None):
        raise SubsonicError(CONFLICTING_CREDENTIALS, "Send a password, or a token and its salt, not both.")
    if not is_needed:
        return user or find_key(key or "", passwords) or ANYONE
    if key is not None:
        name = find_key(key, passwords)
        if name is None:
            raise SubsonicError(INVALID_KEY, "This API key is not valid.")
        return name
    if not user or (password is None and (token is None or salt is None)):
        raise SubsonicError(PARAMETER_MISSING, "Send an API key as apiKey, or u with t and s.")
    own = passwords.get(user, "")
    if password is not None:
        is_right = is_same(decode_password(password), own)
    else:
        is_right = is_same((token or "").lower(), make_token(own, salt or ""))
    if not own or not is_right:
        raise SubsonicError(WRONG_PASSWORD, "Wrong username or password.")
    return user


def find_key(key: str, passwords: Mapping[str, str]) -> str | None:
    """Return the name whose password an API key is, None where there is none; each is compared, in constant time."""
    matches = [name for name, password in passwords.items() if is_same(key, password)]
    return matches[0] if matches else None


def make_token(password: str, salt: str) -> str:
    """Return the token of a password and a salt, as the protocol has it."""
    return hashlib.md5((password + salt).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def decode_password(text: str) -> str:
    """Return a password that may be in hexadecimal digits."""
    if not text.startswith(ENCODED):
        return text
    try:
        return binascii.unhexlify(text.removeprefix(ENCODED)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def is_same(given: str, known: str) -> bool:
    """Whether two texts are equal, compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode("utf-8", "replace"))
