"""The learned taste of a library's listener: kept in the sidecar, loaded for a search, taught by lists and answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.items import select_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession, Seeds
    from resonance_engine.search.ranking import CandidatePool, Query, Ranking
    from resonance_engine.store import Model
    from resonance_engine.taste.features import PairFeatures, PrincipalAxes
    from resonance_engine.taste.taste import Taste

    Array = NDArray[np.float64]

STATE_KEY = "taste"  # with the library's id behind it
ARRAYS = ("taste-axes", "taste-mean")
OF_LISTS = "-of-lists"  # behind the names of what lists taught
SAMPLE = 20_000  # recordings at most
LEAST = 3


class TasteMaterial(NamedTuple):
    """Recordings of a library by position: their vector ids, and the features of pairs of them, with the axes."""

    ids: list[int]
    features: PairFeatures
    axes: PrincipalAxes


def load_material(session: SearchSession, needed: Collection[int] = ()) -> TasteMaterial:
    """Load the recordings of a library and measure their features; of very many, those `needed`, and others at random.

    `needed` are vector ids.
    """
    from resonance_engine.search.facets import gate_shares
    from resonance_engine.taste.features import PairFeatures, PrincipalAxes

    facets = {name: session.facet(name) for name in session.model.modalities}
    ids = session.index.ids
    for index in facets.values():
        ids = ids[index.has(ids)]
    if not facets:
        raise UserError(f"resonance: a taste weighs facets, and the model {session.model.name} has none")
    if len(ids) < LEAST:
        raise UserError(f"resonance: a taste takes at least three analysed tracks with facets, not {len(ids)}")
    if len(ids) > SAMPLE:
        chance = np.random.default_rng(0).random(len(ids))
        chance[np.isin(ids, list(needed))] = -1.0
        ids = np.sort(ids[np.argsort(chance, kind="stable")[:SAMPLE]])
    vectors = session.index.vectors(ids)
    axes = PrincipalAxes.fit(vectors)
    keys = session.store.vectors.content_keys(ids[:1].tolist())  # the gates of a model hardly differ between tracks
    [gates] = session.store.vectors.gates(keys.values(), session.model.id).values() or [{}]
    shares = gate_shares({name: gates.get(name, 0.0) for name in facets})
    features = PairFeatures.create(
        {name: index.vectors(ids) for name, index in facets.items()},
        shares,
        years_of(session, ids.tolist()),
        axes.project(vectors),
    )
    return TasteMaterial(ids.tolist(), features, axes)


def years_of(session: SearchSession, vector_ids: Sequence[int]) -> Array:
    """Return the years of the recordings behind vectors, NaN where unknown."""
    items = session.store.tracks.by_vector(session.sidecar.id, vector_ids)
    owners = {row.item_id: vector_id for vector_id, rows in items.items() for row in rows}
    years: dict[int, int] = {}
    for row in select_rows(session.sidecar.library, "SELECT id, year FROM items WHERE id IN", owners):
        if row["year"]:
            years.setdefault(owners[row["id"]], row["year"])
    return np.array([years.get(vector_id, np.nan) for vector_id in vector_ids], np.float64)


def taste_ranker(
    taste: Taste, session: SearchSession, seeds: Seeds, ready: Query, ranking: Ranking
) -> Callable[[int], CandidatePool]:
    """Return what ranks candidates in any number by a taste; the years of seeds outside the library are unknown."""
    from resonance_engine.taste.taste import rank_by_taste

    years = partial(years_of, session)
    of_files = np.full(len(seeds.vectors) - len(seeds.stored), np.nan)
    of_seeds = (seeds.vectors, np.concatenate([years(seeds.stored), of_files]))
    return partial(rank_by_taste, taste, of_seeds, years, ready, ranking)


def load_taste(sidecar: Sidecar, model: Model, command: str) -> Taste:
    """Return the taste that was learned with a model; UserError where there is none."""
    from resonance_engine.taste.features import PrincipalAxes
    from resonance_engine.taste.taste import Taste

    row = read_row(sidecar)
    if row is None:
        raise UserError(
            f"{command}: --taste takes what `beet resonance teach` or `train --from-playlists` learned, and neither has"
        )
    arrays = sidecar.store.arrays.get(sidecar.id, ARRAYS)
    if row["model"] != model.id or len(arrays) < len(ARRAYS):
        raise UserError(f"{command}: --taste was learned with another model; run `beet resonance teach` once more")
    numbers = {name: np.array(row[name], np.float64) for name in ("weights", "mean", "deviation")}
    axes = PrincipalAxes(*(np.asarray(arrays[name], np.float32) for name in reversed(ARRAYS)))
    return Taste(tuple(row["facets"]), **numbers, axes=axes)


def read_row(sidecar: Sidecar, suffix: str = "") -> dict[str, Any] | None:
    """Return what the sidecar knows of a taste; None for nothing, and for what another version wrote."""
    row = sidecar.store.state.get(f"{STATE_KEY}{suffix}:{sidecar.id}", dict) if sidecar.exists else None
    return row if row and {"model", "facets", "weights", "mean", "deviation"} <= row.keys() else None


def save_taste(
    sidecar: Sidecar, model: Model, material: TasteMaterial, weights: Array, is_of_lists: bool = False
) -> None:
    """Keep weights as the taste; those of lists also for when answers are taken back, and for these to begin from."""
    features = material.features
    arrays = dict(zip(ARRAYS, (material.axes.projection, material.axes.mean), strict=True))
    row = {
        "model": model.id,
        "facets": list(features.facets),
        "weights": weights.tolist(),
        "mean": features.mean.tolist(),
        "deviation": features.deviation.tolist(),
    }
    with sidecar.store.write():
        sidecar.store.arrays.put(sidecar.id, arrays)
        sidecar.store.state.set(f"{STATE_KEY}:{sidecar.id}", row)
        if is_of_lists:
            sidecar.store.arrays.put(sidecar.id, {f"{name}{OF_LISTS}": array for name, array in arrays.items()})
            sidecar.store.state.set(f"{STATE_KEY}{OF_LISTS}:{sidecar.id}", row)


def restore_taste(sidecar: Sidecar) -> bool:
    """Put the taste of the lists back, or drop the taste where lists taught none; return which it was."""
    row = read_row(sidecar, OF_LISTS)
    arrays = sidecar.store.arrays.get(sidecar.id, [f"{name}{OF_LISTS}" for name in ARRAYS])
    with sidecar.store.write():
        sidecar.store.state.set(f"{STATE_KEY}:{sidecar.id}", row)
        if row is not None:
            sidecar.store.arrays.put(sidecar.id, {name.removesuffix(OF_LISTS): each for name, each in arrays.items()})
    return row is not None


def weights_of_lists(sidecar: Sidecar, model: Model, features: PairFeatures) -> Array | None:
    """Return the weights (p,) that lists taught with a model, if they did.

    Those of facets and era, in units of their similarities; axes are others when the library has changed, and weigh 0.
    """
    row, count = read_row(sidecar, OF_LISTS), len(features.facets) + 1
    if row is None or row["model"] != model.id or row["facets"] != list(features.facets):
        return None
    known, deviation = (np.array(row[name], np.float64)[:count] for name in ("weights", "deviation"))
    weights = np.zeros(len(features.base))
    weights[:count] = known / deviation * features.deviation[:count]
    return weights
