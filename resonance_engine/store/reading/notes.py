"""Analyses of recordings, files that failed, and single facts about the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.store.reading.view import Reading, read_json, recalled
from resonance_engine.store.records import Analysis, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable


class NoteReading(Reading):
    """Verbs that read what is noted beside the vectors."""

    def analyses(self, content_keys: Iterable[bytes]) -> dict[bytes, Analysis]:
        """What is said of recordings, by content key."""
        statement = "SELECT content_key, extractor_version, attributes FROM analysis WHERE content_key IN"
        with self._view():  # which says what is wrong where they can't be read
            return {
                key: Analysis(version, read_json(attributes, dict))
                for key, version, attributes in self._rows(statement, content_keys)
            }

    def analysed(self, content_keys: Iterable[bytes], extractor_version: str) -> set[bytes]:
        """Those of the recordings that this version of the extractor has spoken of."""
        statement = "SELECT content_key FROM analysis WHERE extractor_version = ? AND content_key IN"
        return {key for (key,) in self._rows(statement, content_keys, extractor_version)}

    def failures(self, library: int) -> dict[bytes, Failure]:
        """The files of a library that could not be analysed, by path."""
        statement = (
            "SELECT path, size, mtime_ns, reason, tries, last_tried FROM failure WHERE library_id = ? ORDER BY path"
        )
        with self._view() as view:
            return {row[0]: Failure(*row) for row in view.driver.execute(statement, (library,))}

    def state(self, key: str, *kinds: type) -> Any:
        """A fact noted about the store, such as "seconds_per_track".

        None when it isn't known, or is of none of the kinds, if any are given: nobody has written that.
        """
        with self._view() as view:
            value = recalled(view.driver, key)
        return value if not kinds or isinstance(value, kinds) else None
