"""The query `res_duplicates:1`: items that are in the library more than once; `res_duplicates:0`: the others."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore.query import FieldQuery, InvalidQueryArgumentValueError
from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from beets.dbcore import Model
    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Sidecar

# In which tags may change: a server that runs for days shall notice that, and a search takes seconds.
FRESH_SECONDS = 60.0
VALUES = {**dict.fromkeys(("1", "true", "yes"), True), **dict.fromkeys(("0", "false", "no"), False)}


class DuplicatesQuery(FieldQuery[str]):
    """Items of which `resolve` returns the id, or for 0 all others; it raises UserError where it cannot."""

    def __init__(
        self, resolve: Callable[[], Collection[int]], log: BeetsLogger, field_name: str, pattern: str, fast: bool = True
    ) -> None:
        super().__init__(field_name, pattern, fast)
        if pattern.lower() not in VALUES:
            raise InvalidQueryArgumentValueError(pattern, "1 or 0", f"write for example {field_name}:1")
        self.resolve, self.log, self.is_wanted = resolve, log, VALUES[pattern.lower()]
        self.ids: Collection[int] | None = None

    def clause(self) -> tuple[str, Sequence[Any]]:
        self.ids = self.resolve()
        return f"items.id {'' if self.is_wanted else 'NOT '}IN ({', '.join(map(str, self.ids))})", ()

    def match(self, obj: Model) -> bool:
        """Whether an object is meant; beets calls it for each item where another part of the query is slow."""
        if self.ids is None:
            try:
                self.ids = self.resolve()
            except UserError as error:  # an import may evaluate the query, and must go on
                self.log.warning("{}", error)
                self.ids = ()
        return (obj.id in self.ids) is self.is_wanted


class CachedIds(NamedTuple):
    """Ids of items in groups of duplicates, the state of the library and the store for which they hold, and when."""

    ids: frozenset[int]
    state: tuple[object, ...]
    since: float


class DuplicatesResolver:
    """Finds the items that are in groups of duplicates; all queries of one library share what was found.

    The library is searched again when other tracks are analysed, and after `FRESH_SECONDS`.
    """

    def __init__(self, settings: Callable[[], Settings], find_library: Callable[[], Library | None]) -> None:
        self.settings, self.find_library = settings, find_library
        self.clear()

    def clear(self) -> None:
        """Forget what was found."""
        self._cached: CachedIds | None = None  # replaced as a whole, for several threads may read it

    def resolve(self) -> Collection[int]:
        """Return the ids of the items; raises UserError where the store is damaged."""
        from beetsplug.resonance.library.sidecar import Sidecar
        from resonance_engine.errors import ResonanceError

        library = self.find_library()
        if library is None:
            return ()
        try:
            with closing(Sidecar(library, self.settings())) as sidecar:
                return self._find(library, sidecar)
        except ResonanceError as error:
            raise UserError(str(error)) from error

    def _find(self, library: Library, sidecar: Sidecar) -> Collection[int]:
        from beetsplug.resonance.search.duplicates import find_duplicate_ids
        from beetsplug.resonance.search.session import open_session

        model, embedded = sidecar.model, sidecar.coverage().embedded
        if model is None or not embedded:
            return ()
        cached, state = self._cached, (library.path, model.id, sidecar.store.generation, embedded)
        if cached is None or cached.state != state or time.monotonic() - cached.since > FRESH_SECONDS:
            with open_session(sidecar) as session:
                ids = frozenset(item_id for group in find_duplicate_ids(session) for item_id in group.item_ids)
            cached = self._cached = CachedIds(ids, state, time.monotonic())
        return cached.ids
