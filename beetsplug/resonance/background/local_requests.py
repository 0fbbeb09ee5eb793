"""Requests to pause or stop the background while its database does not answer, in a file beside the library.

They count as soon as the database answers again, and are stored with the next change of the requests.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.files import write_bytes
from resonance_engine.records import parse_record

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar

FILE_NAME = "resonance-requests-"


@dataclass(frozen=True)
class LocalRequest:
    """`paused` as in the requests; `stopped` is when the last stop was requested, in seconds since the epoch."""

    paused: bool = False
    stopped: float = 0.0


class LocalRequests:
    """The file with the requests for one library."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> LocalRequest:
        """Return what is requested, nothing where there is no file or none that is understood."""
        try:
            return parse_record(LocalRequest, json.loads(self.path.read_bytes()), "requests", ignore_unknown=True)
        except (OSError, ValueError):
            return LocalRequest()

    def pause(self) -> None:
        self._write(replace(self.read(), paused=True))

    def stop(self) -> None:
        self._write(replace(self.read(), stopped=time.time()))

    def clear(self) -> None:
        """Drop what is stored by now."""
        with suppress(OSError):
            self.path.unlink()

    def _write(self, request: LocalRequest) -> None:
        write_bytes(self.path, json.dumps(asdict(request)).encode())


def local_requests_of(sidecar: Sidecar) -> LocalRequests | None:
    """Return the file for the library of a shared sidecar; a sidecar in a file is where the library is."""
    if not sidecar.settings.sidecar:
        return None
    name = Path(sidecar.library.path).name
    return LocalRequests(sidecar.folder / f"{FILE_NAME}{name}.json")
