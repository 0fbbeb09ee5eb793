"""beet resonance vectors export, import: analyses to a file, and from one that another machine has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import exclusive_analysis
from beetsplug.resonance.commands.common import format_size, require_searchable
from beetsplug.resonance.library.exchange import import_recordings
from beetsplug.resonance.library.items import matching_ids, no_match
from beetsplug.resonance.library.sidecar import format_tracks
from beetsplug.resonance.library.track_rows import current_rows
from resonance_engine.console import progress_bar
from resonance_engine.errors import format_count, printable
from resonance_engine.exchange.layout import SUFFIX
from resonance_engine.exchange.reader import VECTOR_FILE, is_vector_file, open_vectors
from resonance_engine.exchange.writer import export_store
from resonance_engine.files import expand_home, verify_target

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.exchange import ImportResult
    from beetsplug.resonance.library.sidecar import Sidecar

VERIFY_SECONDS = 0.001  # that a recording takes


def export_vectors(sidecar: Sidecar, words: list[str], log: BeetsLogger) -> None:
    """Write all that is stored of the library's recordings, or of matching tracks, with the model in use."""
    if not words:
        raise UserError(
            "resonance: vectors export takes a file to write, for example `beet resonance vectors export library.npz`"
        )
    path, query = expand_home(words[0]), words[1:]
    verify_target(path, "vectors export", (SUFFIX,), is_vector_file, VECTOR_FILE)
    item_ids = matching_ids(sidecar.library, query)
    if not item_ids:
        raise no_match(sidecar.library, "resonance", query)
    require_searchable(sidecar, log)
    model = sidecar.model
    assert model is not None, "something is analysed"
    keys = sorted({track.content_key for track in current_rows(sidecar, sidecar.rows_by_id(item_ids)).values()})
    count = export_store(sidecar.store, model, keys, path)
    if not count:
        raise UserError("resonance: none of these tracks is analysed completely; run `beet resonance analyze`")
    left = f", {len(keys) - count:,} not analysed completely were left out" if count < len(keys) else ""
    size = format_size(path.stat().st_size)
    ui.print_(f"{format_count(count, 'recording')} by {model.name} {model.version} in {printable(path)}, {size}{left}")


def import_vectors(sidecar: Sidecar, file: str, log: BeetsLogger) -> None:
    """Check a file as a whole, store what it has of the library's recordings, and print what came of that."""
    with open_vectors(expand_home(file)) as vectors:
        with progress_bar(vectors.count, VERIFY_SECONDS, leave=False) as bar:
            vectors.verify(bar.update)
        with exclusive_analysis(sidecar, whole=False, log=log):
            result = import_recordings(sidecar, vectors, log)
    for line in describe_import(result):
        ui.print_(line)
    active = sidecar.model
    if active is not None and active.id != vectors.model.id:
        ui.print_(f"{active.name} {active.version} is searched with until `beet resonance analyze` has run")


def describe_import(result: ImportResult) -> list[str]:
    """Return what came of an import: a line on the library's tracks, and one on the rest of the file, if any."""
    parts = [f"{format_tracks(result.stored)} imported"]
    counts = ((result.known, "analysed before"), (result.failed, "failed"), (result.missing, "without a file"))
    parts += [f"{count:,} {what}" for count, what in counts if count]
    parts += [f"dense windows of {format_tracks(result.passages)}"] if result.passages else []
    parts += [f"{result.absent:,} not in the file: `beet resonance analyze` analyses them"] if result.absent else []
    lines = [", ".join(parts)]
    if result.strange:
        are, were = ("is", "was") if result.strange == 1 else ("are", "were")
        # Of what could not be read now or earlier, nobody knows whether the file has it.
        unread = " that could be read" if result.missing or result.failed else ""
        lines.append(
            f"{format_count(result.strange, 'recording')} of the file {are} of none of these tracks{unread}, and "
            f"{were} not stored"
        )
    return lines
