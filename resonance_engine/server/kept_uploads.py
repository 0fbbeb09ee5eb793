"""Files that were sent and analysed, kept in memory for a while, so that a search by one can be changed without it."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from resonance_engine.server.collection import UnknownTrackError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_KEPT = 32
KEPT_SECONDS = 1_800.0  # since the last search by it
GONE = "This file is not kept any longer; send it again."


class KeptUploads:
    """What a collection made of up to `most` files, by ids that nobody can guess; the file itself is not kept.

    One is dropped `seconds` after its last use, and the one that was not used for longest where there are too many.
    """

    def __init__(
        self, most: int = MOST_KEPT, seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self._kept: dict[str, tuple[float, Any]] = {}  # the one that was used last is the last
        self._turn = threading.Lock()

    def put(self, analysed: Any) -> str:
        """Keep what a collection made of a file, and return its id."""
        upload = secrets.token_urlsafe(24)
        with self._turn:
            self._drop_old()
            while len(self._kept) >= self.most:
                del self._kept[next(iter(self._kept))]
            self._kept[upload] = self.clock(), analysed
        return upload

    def get(self, upload: str) -> Any:
        """Return what is kept under an id; UnknownTrackError where nothing is."""
        with self._turn:
            self._drop_old()
            if upload not in self._kept:
                raise UnknownTrackError(GONE)
            _, analysed = self._kept.pop(upload)
            self._kept[upload] = self.clock(), analysed
            return analysed

    def _drop_old(self) -> None:
        oldest = self.clock() - self.seconds
        for upload in [upload for upload, (used, _) in self._kept.items() if used < oldest]:
            del self._kept[upload]
