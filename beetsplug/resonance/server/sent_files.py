"""Files that are sent to the server as seeds: analysed once, for any number of searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beetsplug.resonance.search.file_seeds import FileSeed, analyse_files
from resonance_engine.server.collection import UnknownTrackError
from resonance_engine.server.kept_uploads import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.server.collection import ListQuery

SENT = "the file that was sent"


class SentFile(NamedTuple):
    """The analysis of a file by the model with an id."""

    model: str
    seed: FileSeed


def analyse_sent(session: SearchSession, audio: Path) -> SentFile:
    """Analyse a file with the model of the library; raises AudioError for one that cannot be analysed."""
    (seed,) = analyse_files(session.sidecar, session.model, [audio])
    return SentFile(session.model.id, seed)


def seeds_of(session: SearchSession, query: ListQuery) -> list[FileSeed]:
    """Return the analysed file of a query, if it has one; UnknownTrackError where another model is used since."""
    sent: SentFile | None = query.analysed
    if sent is None:
        return []
    if sent.model != session.model.id:
        raise UnknownTrackError(GONE)
    return [sent.seed]


def hide_paths(notes: Iterable[str], query: ListQuery) -> tuple[str, ...]:
    """Return notes without the path that a file had while it was there."""
    path = query.audio if query.analysed is None else query.analysed.seed.path
    if path is None:
        return tuple(notes)
    return tuple(note.replace(str(path), SENT) for note in notes)
