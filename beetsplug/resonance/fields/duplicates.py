"""The query `res_duplicates:1`: items that are in the library more than once; `res_duplicates:0`: the others."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import FieldQuery, InvalidQueryArgumentValueError
from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from beets.dbcore import Model
    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings

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


def duplicate_ids(library: Library | None, settings: Settings) -> set[int]:
    """Return the ids of the items that are in groups of duplicates; raises UserError where the store is damaged."""
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.duplicates import find_duplicate_ids
    from beetsplug.resonance.search.session import open_session
    from resonance_engine.errors import ResonanceError

    if library is None:
        return set()
    try:
        with closing(Sidecar(library, settings)) as sidecar:
            if not sidecar.coverage().embedded:
                return set()
            with open_session(sidecar) as session:
                return {item_id for group in find_duplicate_ids(session) for item_id in group.item_ids}
    except ResonanceError as error:
        raise UserError(str(error)) from error
