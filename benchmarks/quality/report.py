"""From what every system heard to the sections of the report."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality import ablations, musicnn, seeds, tables
from benchmarks.quality.resonance import WHOLE, Resonance
from benchmarks.quality.robustness import recognitions
from benchmarks.quality.scores import HUBS, QUALITY, Scores, scores
from benchmarks.quality.similarity import compared, cosine, mutual_proximity
from resonance_engine.evaluation.statistics import Estimate, estimate_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.kept import Kept
    from benchmarks.quality.listening import Similarity, System
    from benchmarks.quality.robustness import Altered
    from benchmarks.quality.scores import Tracks

Sections = dict[str, tuple[str, Any]]
"""By title: the text, and the same numbers for JSON."""

BEST = f"{musicnn.LABEL}best pooling per column"


def scored(tracks: Tracks, kept: Kept, similarity: Similarity) -> Scores:
    """A way to compare, in every pool; a track that was not heard has NaN for its row and column."""
    found = []
    for places in tracks.pools():
        known, arrays = kept.pool([tracks.paths[place] for place in places])
        full = np.full((len(places), len(places)), np.nan)
        if known:
            full[np.ix_(known, known)] = similarity(arrays)
        found.append(full)
    return scores(tracks, found)


def all_scores(tracks: Tracks, systems: Sequence[System], heard: Mapping[str, Kept]) -> dict[str, Scores]:
    """Every row of the table, by its label."""
    return {
        label: scored(tracks, heard[system.name], similarity)
        for system in systems
        for label, similarity in system.rows().items()
    }


def comparison(tracks: Tracks, found: Mapping[str, Scores], ours: str | None) -> Sections:
    """The table of all systems, and how far ours is ahead of each."""
    rows: dict[str, Mapping[str, Estimate]] = {label: tables.row(tracks, each) for label, each in found.items()}
    poolings = {label: each for label, each in found.items() if label.startswith(musicnn.LABEL)}
    if poolings:
        rows[BEST] = tables.best_row({label: rows[label] for label in poolings})
    sections: Sections = {"Systems": (tables.table(rows, tables.COLUMNS), plain(rows))}
    if ours is not None:
        leads = {label: tables.lead(tracks, found[ours], each) for label, each in found.items() if label != ours}
        if poolings:
            leads[BEST] = tables.lead_on_best(tracks, found[ours], poolings)
        text = tables.table(leads, [*QUALITY, HUBS], f"{ours} less", signed=True)
        sections[f"How far {ours} is ahead"] = (text, plain(leads))
    return sections


def of_resonance(tracks: Tracks, system: Resonance, kept: Kept) -> Sections:
    """Facets, gates, corrected hubs, ways to rank and segment recall of one of our own systems."""
    facets = {name: tables.row(tracks, scored(tracks, kept, each)) for name, each in system.facet_rows().items()}
    gates = np.stack([each.arrays["gates"] for each in kept.heard.values()]).astype(np.float64)
    for number, name in enumerate(system.modalities):
        facets[name]["mean gate"] = Estimate(float(gates[:, number].mean()))
    raw = compared(WHOLE, cosine)

    def corrected(pool: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
        return mutual_proximity(raw(pool))

    proximity = {
        "cosine": tables.row(tracks, scored(tracks, kept, raw)),
        "mutual proximity": tables.row(tracks, scored(tracks, kept, corrected)),
    }
    columns = [*QUALITY, HUBS]
    sections: Sections = {
        f"{system.label}: facets alone": (
            tables.table(facets, ["mean gate", *columns], "facet"),
            plain(facets),
        ),
        f"{system.label}: mutual proximity": (
            tables.table(proximity, [*columns, tables.FOLD_HUBS], "similarity"),
            plain(proximity),
        ),
    }
    for filtered in (False, True):
        ways = {
            way: {name: estimate_mean(values, tracks.soundtracks) for name, values in each.items()}
            for way, each in ablations.ways_to_rank(tracks, kept, filtered).items()
        }
        title = f"{system.label}: ways to rank, same soundtrack{' by other artists' if filtered else ''}"
        sections[title] = (tables.table(ways, ablations.MEASURES, "lists of 20"), plain(ways))
    return sections | of_seeds(tracks, system, kept)


def of_seeds(tracks: Tracks, system: Resonance, kept: Kept) -> Sections:
    """Agreement against the centroid, for several seeds."""
    rows = {
        way: {column: estimate_mean(np.array(each.values), each.soundtracks) for column, each in columns.items()}
        for way, columns in seeds.ways_to_combine(tracks, kept).items()
    }
    columns = list(next(iter(rows.values())))
    text = f"{seeds.MEANS}\n\n{tables.table(rows, columns, 'lists of 10')}"
    return {f"{system.label}: ways to combine seeds": (text, plain(rows))}


def of_segments(tracks: Tracks, systems: Sequence[Resonance], heard: Mapping[str, Kept]) -> Sections:
    rows = {}
    for system in systems:
        values, soundtracks = ablations.segments(tracks, heard[system.name])
        rows[system.label] = {"segment Recall@1": estimate_mean(values, soundtracks)}
    return {"Segments": (f"{ablations.SEGMENTS}\n\n{tables.table(rows, ['segment Recall@1'])}", plain(rows))}


def of_guises(
    tracks: Tracks, altered: Altered, heard: Mapping[str, Kept], pools: Sequence[NDArray[np.intp]]
) -> Sections:
    """Recognition of altered recordings among the originals of the pools."""
    found = recognitions(tracks, heard[altered.resonance.name], heard[altered.name], pools)
    sizes = f"{min(map(len, pools))} to {max(map(len, pools))}" if len(pools) > 1 else str(len(pools[0]))
    title = f"{altered.resonance.label}: altered recordings, each looked for among {sizes} tracks"
    return {title: (tables.recognition_table(found), [asdict(each) for each in found])}


def plain(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, dict[str, dict[str, float]]]:
    """For JSON, which knows no NaN: what is not known is left out."""
    return {
        name: {
            column: {part: value for part, value in asdict(each).items() if not math.isnan(value)}
            for column, each in row.items()
        }
        for name, row in rows.items()
    }
