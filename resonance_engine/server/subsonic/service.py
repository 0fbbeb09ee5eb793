"""What the methods of the OpenSubsonic API answer from, and errors of the collection as the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from resonance_engine.errors import ConfigError, ResonanceError
from resonance_engine.server.collection import UnknownTrackError
from resonance_engine.server.request_log import LOG
from resonance_engine.server.subsonic.authentication import authenticate
from resonance_engine.server.subsonic.errors import GENERIC, NO_DATA, SubsonicError

if TYPE_CHECKING:
    from resonance_engine.server.browsing import Browser
    from resonance_engine.server.collection import Collection
    from resonance_engine.server.subsonic.parameters import Parameters
    from resonance_engine.server.subsonic.passwords import PasswordFile


@dataclass(frozen=True)
class Service:
    """The collection, how it is browsed, and the passwords of those who may."""

    collection: Collection
    browser: Browser
    passwords: PasswordFile

    def authenticate(self, parameters: Parameters, is_needed: bool) -> str:
        """Return the name of a request's user; SubsonicError where it has not the right credentials."""
        try:
            passwords = self.passwords.read()
        except ConfigError as error:
            LOG.warning("%s", error)
            raise SubsonicError(GENERIC, "The server's passwords cannot be read.") from error
        return authenticate(parameters, passwords, is_needed)


@dataclass(frozen=True)
class Call:
    """A request of the API: its parameters, and the user who sent it."""

    service: Service
    parameters: Parameters
    user: str

    @property
    def collection(self) -> Collection:
        return self.service.collection

    @property
    def browser(self) -> Browser:
        return self.service.browser


def to_subsonic(error: Exception) -> SubsonicError:
    """Return the error of the API that stands for another one."""
    if isinstance(error, SubsonicError):
        return error
    if isinstance(error, HTTPException):
        return SubsonicError(GENERIC, str(error.detail))
    if isinstance(error, UnknownTrackError):
        return SubsonicError(NO_DATA, str(error))
    assert isinstance(error, ResonanceError), "the others are mistakes"
    return SubsonicError(GENERIC, str(error))
