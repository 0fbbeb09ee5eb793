"""Errors of the OpenSubsonic API: each has one of its codes, and a sentence."""

from __future__ import annotations

from resonance_engine.errors import ResonanceError

GENERIC = 0
PARAMETER_MISSING = 10
WRONG_PASSWORD = 40
CONFLICTING_CREDENTIALS = 43
INVALID_KEY = 44
NOT_AUTHORIZED = 50
NO_DATA = 70


class SubsonicError(ResonanceError):
    """A request that the API answers with an error, by its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
