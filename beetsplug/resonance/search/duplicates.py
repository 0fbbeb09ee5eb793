"""Groups of a library's tracks that are one recording, which of them to keep, and what an import brings twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from beetsplug.resonance.library.items import select_items, select_rows
from beetsplug.resonance.library.labels import label_item
from beetsplug.resonance.search.preference import choose_best
from resonance_engine.search.duplicates import AUDIO, TIERS, RecordingMetadata, find_duplicates, group_pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from beets.library import Item, Library

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.search.duplicates import DuplicatePair
    from resonance_engine.store.records import Windows

SELECT = "SELECT id, length, mb_trackid, acoustid_id FROM items WHERE id IN"
SELECT_FINGERPRINTS = "SELECT id, acoustid_fingerprint FROM items WHERE id IN"  # of 3 kB each


class DuplicateIds(NamedTuple):
    """Ids of the items of a group, in ascending order, and the tiers of evidence, the strongest first."""

    item_ids: tuple[int, ...]
    evidence: tuple[str, ...]


class DuplicateGroup(NamedTuple):
    """The items of a group, the one to keep first, why it is the best, and the tiers of evidence."""

    items: Sequence[Item]
    reason: str
    evidence: tuple[str, ...]


def find_duplicate_ids(session: SearchSession, seeds: Collection[int] | None = None) -> list[DuplicateIds]:
    """Return the groups of the analysed items, by their lowest ids; with `seeds`, ids of items, those that hold one.

    With seeds, a group has what is a duplicate of a seed itself. Raises StoreError where the store is damaged.
    """
    vector_ids = session.store.tracks.vector_ids(session.sidecar.id, None, session.model.id)
    items = session.current_items(sorted({*vector_ids.values()} & {*session.index.ids.tolist()}))
    chosen = None
    if seeds is not None:
        wanted = set(seeds)
        chosen = {vector_id for vector_id, item_ids in items.items() if not wanted.isdisjoint(item_ids)}

    def load_windows(content_keys: Collection[bytes]) -> Mapping[bytes, Windows]:
        return session.store.vectors.windows(content_keys, session.model.id)

    def load_fingerprints(vector_ids: Collection[int]) -> Mapping[int, str]:
        owners = {item_id: vector_id for vector_id in vector_ids for item_id in items[vector_id]}
        rows = {row["id"]: row["acoustid_fingerprint"] for row in select_rows(library, SELECT_FINGERPRINTS, owners)}
        # The first of several items that has one, as of their lengths.
        return {owners[each]: rows[each] for each in reversed(owners) if rows.get(each)}

    library = session.sidecar.library
    recordings = load_recordings(session, items)
    pairs = find_duplicates(recordings, session.index, load_windows, load_fingerprints, chosen)
    return join_items(items, pairs, items if chosen is None else chosen)


def join_items(
    items: Mapping[int, Sequence[int]], pairs: Sequence[DuplicatePair], vector_ids: Collection[int]
) -> list[DuplicateIds]:
    """Return the groups of items that have one of the vectors alone, or vectors that pairs join."""
    joined = list(group_pairs(pairs))
    place = {vector_id: number for number, group in enumerate(joined) for vector_id in group}
    tiers: defaultdict[int, set[str]] = defaultdict(set)
    for pair in pairs:
        tiers[place[pair.one]].add(pair.tier)
    joined += [[vector_id] for vector_id in vector_ids if vector_id not in place and len(items[vector_id]) > 1]
    groups = []
    for number, group in enumerate(joined):
        same_audio = {AUDIO} if any(len(items[vector_id]) > 1 for vector_id in group) else set()
        evidence = tuple(tier for tier in TIERS if tier in tiers[number] | same_audio)
        groups.append(DuplicateIds(tuple(sorted(each for vector_id in group for each in items[vector_id])), evidence))
    return sorted(groups)


def load_recordings(session: SearchSession, items: Mapping[int, Sequence[int]]) -> list[RecordingMetadata]:
    """Load the metadata of the recordings with these vectors' ids, each from all of its items."""
    keys = session.store.vectors.content_keys(items)
    rows = {
        row["id"]: row
        for row in select_rows(session.sidecar.library, SELECT, [each for ids in items.values() for each in ids])
    }
    recordings = []
    for vector_id, item_ids in items.items():
        tracks = [rows[each] for each in item_ids if each in rows]
        recordings.append(
            RecordingMetadata(
                vector_id,
                keys[vector_id],
                next((track["length"] for track in tracks if track["length"]), 0.0),
                frozenset(track["mb_trackid"] for track in tracks if track["mb_trackid"]),
                frozenset(track["acoustid_id"] for track in tracks if track["acoustid_id"]),
            )
        )
    return recordings


def load_groups(library: Library, groups: Sequence[DuplicateIds]) -> list[DuplicateGroup]:
    """Load the items of groups, and choose the one to keep of each."""
    items = {item.id: item for item in select_items(library, [each for group in groups for each in group.item_ids])}
    loaded = []
    for group in groups:
        ranked, reason = choose_best([items[each] for each in group.item_ids if each in items])
        loaded += [DuplicateGroup(ranked, reason, group.evidence)] if len(ranked) > 1 else []
    return loaded


def describe_owned(session: SearchSession, imported: Collection[int]) -> str:
    """Return a clause on the new items that are in the library already in another form; empty for none."""
    owned: dict[int, int] = {}
    for group in find_duplicate_ids(session, imported):
        earlier = [each for each in group.item_ids if each not in imported]
        if earlier:
            owned |= {each: earlier[0] for each in group.item_ids if each in imported}
    if not owned:
        return ""
    new, known = min(owned.items())
    items = {item.id: item for item in select_items(session.sidecar.library, {new, known})}
    example = f"{label_item(items[new])} ({items[new].format}, there as {items[known].format})"
    if len(owned) == 1:
        return f"already in the library: {example}; see `beet resonance duplicates id:{new}`"
    return f"{len(owned):,} tracks already in the library, such as {example}; see `beet resonance duplicates`"
