"""The last table of the demo: how often neighbours share the seed's style, beside simpler means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo.baselines import mfcc_statistics, standardised
from demo.evaluate import chance_share, described, style_share
from demo.untrained import UntrainedNetwork
from resonance_engine.audio.windows import content_key
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.evaluate import Describe, Vectors
    from demo.workplace import Track

FIRST = 5
# A large library is judged by a sample of it, since the baselines must decode every track again.
SAMPLE = 400


@dataclass(frozen=True)
class Row:
    """A way to tell what sounds alike, and the mean share of the seed's style among the first five."""

    name: str
    share: float


def labelled(tracks: Sequence[Track]) -> list[Track]:
    """The tracks to judge by: those with a genre, at most a sample of 400; none if most have none."""
    known = [track for track in tracks if track.genre]
    if 2 * len(known) < len(tracks) or len(known) <= FIRST:
        return []
    chosen = np.random.default_rng(0).permutation(len(known))[:SAMPLE]
    return [known[index] for index in sorted(chosen)]


def compared(tracks: Sequence[Track], sidecar: Path, processes: int = 2) -> list[Row]:
    """Each way's share over the same tracks: those that the sidecar has an embedding of; none if too few."""
    embedded = _from_sidecar(tracks, sidecar)
    describers: dict[str, Describe] = {
        "MFCC statistics": mfcc_statistics,
        "The network, untrained": UntrainedNetwork(SHIPPED.parent),
    }
    spec = Encoder(SHIPPED).manifest.spec
    readable, vectors = described([track.path for track, _ in embedded], describers, spec, processes)
    genres = [embedded[index][0].genre for index in readable]
    if len(genres) <= FIRST:
        return []
    vectors["MFCC statistics"] = standardised(vectors["MFCC statistics"])
    drawn = np.random.default_rng(0).standard_normal((len(genres), 512), dtype=np.float32)
    ways = {
        "Resonance": np.stack([embedded[index][1] for index in readable]),
        **vectors,
        "Random vectors": drawn,
    }
    rows = [Row(name, style_share(way, genres, FIRST)) for name, way in ways.items()]
    return [*rows, Row("By lot, on average", chance_share(genres))]


def table(rows: Sequence[Row]) -> str:
    """The rows as text, a bar of up to 40 characters each."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"  {row.name:{width}}  {row.share:4.2f}  {'#' * round(40 * row.share)}" for row in rows)


def _from_sidecar(tracks: Sequence[Track], sidecar: Path) -> list[tuple[Track, Vectors]]:
    keyed = []
    for track in tracks:
        try:
            keyed.append((track, content_key(track.path)))
        except AudioError:
            continue
    with Store(sidecar) as store:
        model = store.models.active()
        known = store.vectors.get([key for _, key in keyed], model.id) if model else {}
    return [(track, known[key]) for track, key in keyed if key in known]
