"""beet resonance outliers: tracks whose tags disagree with how they sound, each with its evidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui

from beetsplug.resonance.background.process_lock import is_analysing
from beetsplug.resonance.commands.common import choose_colours
from beetsplug.resonance.commands.similar import track_record
from beetsplug.resonance.commands.tag import check_options_of_output
from beetsplug.resonance.library.items import matching_ids, no_match, select_items, select_rows
from beetsplug.resonance.library.labels import describe_entry, label_title
from beetsplug.resonance.library.sidecar import require_coverage
from resonance_engine.errors import neutralise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from optparse import Values

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.tag_votes import LibraryTracks
    from resonance_engine.tagging.outliers import AlbumOutlier, LabelOutlier, RecordingOutlier

SELECT = "SELECT id, album, title, path FROM items WHERE id IN"


class Outlier(NamedTuple):
    """A track that disagrees: the kind (genre, album, recording), its strength, 0 to 1, and the evidence in words."""

    item_id: int
    kind: str
    strength: float
    evidence: str
    other_id: int | None = None

    @property
    def concerned(self) -> set[int]:
        """The ids of the items one of which may be wrong: of one recording's two tracks either."""
        return {self.item_id, self.other_id or self.item_id} if self.kind == "recording" else {self.item_id}


def outliers(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Print the outliers among the tracks that match, the strongest first."""
    check_options_of_output("outliers", opts)
    require_coverage(sidecar, log, is_analysing(sidecar))
    matching = matching_ids(sidecar.library, query)
    if not matching:
        raise no_match(sidecar.library, "resonance", query)
    findings = [each for each in find_outliers(sidecar) if not matching.isdisjoint(each.concerned)]
    needed = {each.item_id for each in findings}
    items = {item.id: item for item in select_items(sidecar.library, needed) if item.id is not None}
    findings = [each for each in findings if each.item_id in items]
    if opts.json:
        ui.print_(json.dumps([finding_record(each, items[each.item_id]) for each in findings], indent=1))
    elif not findings:
        ui.print_("no track's tags disagree with how it sounds")
    else:
        print_findings(findings, items, opts.format)


def find_outliers(sidecar: Sidecar) -> list[Outlier]:
    """Return the outliers of the whole library, the strongest first."""
    from beetsplug.resonance.search.session import open_session
    from beetsplug.resonance.search.tag_votes import load_tracks
    from resonance_engine.tagging.outliers import album_outliers, label_outliers, recording_outliers
    from resonance_engine.tagging.vote import VoteSettings

    with open_session(sidecar) as session:
        tracks = load_tracks(session)
    recordings = [track.recording for track in tracks.metadata]
    seconds = [track.seconds for track in tracks.metadata]
    findings = [
        *by_genre(tracks, label_outliers(tracks.table, VoteSettings())),
        *by_album(tracks, sidecar.library, album_outliers(tracks.table)),
        *by_recording(tracks, recording_outliers(tracks.table, recordings, seconds)),
    ]
    return sorted(findings, key=lambda each: (-each.strength, each.item_id, each.kind))


def by_genre(tracks: LibraryTracks, rows: Iterable[LabelOutlier]) -> Iterator[Outlier]:
    for row in rows:
        evidence = (
            f"tagged {', '.join(row.own)}, as {row.own_carriers} of its {row.neighbours} neighbours by other artists; "
            f"{row.other_carriers} are {row.other}"
        )
        yield Outlier(tracks.item_ids[row.place], "genre", row.strength, evidence)


def by_album(tracks: LibraryTracks, library: Library, rows: Sequence[AlbumOutlier]) -> Iterator[Outlier]:
    nearest = [tracks.item_ids[row.nearest] for row in rows]
    others = {row["id"]: row for row in select_rows(library, SELECT, nearest)}
    for row, other_id in zip(rows, nearest, strict=True):
        other = others[other_id]
        evidence = (
            f"similarity {row.own_cosine:.2f} to the nearest three of its album, "
            f"{row.other_cosine:.2f} to those of {other['album'] or ''!r}, "
            f"where {label_title(other['title'] or '', bytes(other['path']))!r} is nearest"
        )
        yield Outlier(tracks.item_ids[row.place], "album", row.strength, evidence, other_id)


def by_recording(tracks: LibraryTracks, rows: Iterable[RecordingOutlier]) -> Iterator[Outlier]:
    for row in rows:
        other = tracks.metadata[row.other]
        evidence = (
            f"the MusicBrainz recording of {other.title!r}, but {row.seconds_apart:.0f} s apart in length, "
            f"similarity {row.cosine:.2f}"
        )
        yield Outlier(tracks.item_ids[row.place], "recording", row.strength, evidence, tracks.item_ids[row.other])


def print_findings(findings: Iterable[Outlier], items: Mapping[int, Item], template: str | None) -> None:
    """Print strength, kind and track, and the evidence below; with a template that alone, a track a line."""
    colour = choose_colours()
    for finding in findings:
        item, strength = items[finding.item_id], f"{finding.strength:.2f}"
        if template is not None:
            # In memory: they are never stored.
            item["strength"], item["kind"], item["evidence"] = strength, finding.kind, finding.evidence
            ui.print_(describe_entry(item, template))
            continue
        ui.print_(f"{colour('text_highlight_minor', strength)}  {finding.kind:<9}  {describe_entry(item)}")
        ui.print_(f"{' ' * 6}{colour('text_faint', neutralise(finding.evidence))}")


def finding_record(finding: Outlier, item: Item) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "strength": round(finding.strength, 4),
        "kind": finding.kind,
        "evidence": finding.evidence,
        "other": finding.other_id,
        **track_record(item),
    }
