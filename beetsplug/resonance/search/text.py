"""What `--text` says, understood by the model's tags and what was measured of the library's tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from resonance_engine.search.text.parser import parse_text
from resonance_engine.search.text.ranking import share_below
from resonance_engine.search.text.scoring import fits, measures, softest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.search.text.parser import Unknown

EXAMPLE = "quiet acoustic guitar"
KNOWN = "genres, moods, eras, voices, guitars, and words for tempo, loudness, brightness and key"


@dataclass(frozen=True, eq=False)
class TextScores:
    """How well the recordings of a library fit a text: vector `ids` (n,), ascending, and how well each part of it.

    `parts` are phrases of the text with their `weights`, below zero for what is not wanted; `fits` (parts, n) are in
    standard deviations over the library.
    """

    ids: NDArray[np.int64]
    parts: Sequence[str]
    weights: Sequence[float]
    fits: NDArray[np.float64]

    def scores(self) -> NDArray[np.float64]:
        """How well recordings fit all of it, (n,), in standard deviations of one word."""
        return softest(self.fits, [abs(weight) for weight in self.weights])

    def of(self, vector_id: int) -> dict[str, float]:
        """The share of recordings that fit each part worse than this one; nothing for one without tags."""
        place = int(np.searchsorted(self.ids, vector_id))
        if place == len(self.ids) or self.ids[place] != vector_id:
            return {}
        return {
            part if weight > 0 else f"no {part}": share_below(fit)
            for part, weight, fit in zip(self.parts, self.weights, self.fits[:, place].tolist(), strict=True)
        }


def score_text(search: SearchSession, text: str, command: str) -> TextScores:
    """What a text says of the recordings of the library.

    Raises UserError for words that nothing stands for, and where the tracks were analysed before words were kept.
    """
    store, model = search.sidecar.store, search.model
    asked = parse_text(text, model.tags)
    if asked.unknown:
        raise UserError(f"{command} --text: {unknown(asked.unknown)}")
    if not asked.parts:
        raise UserError(f"{command} --text: {text!r} says nothing of the music; try --text '{EXAMPLE}'")
    ids, probabilities = store.tags.matrix(model.id)
    known, columns = store.analyses.attributes(model.id, asked.attributes) if asked.attributes else (ids[:0], {})
    if not len(ids):
        if not asked.attributes or any(meaning.tags for part in asked.parts for meaning in part.meanings):
            raise UserError(
                f"{command} --text: no track has been described in words yet; run `beet resonance analyze` once more"
            )
        ids, probabilities = known, np.zeros((len(known), len(model.tags)), np.float32)
    return TextScores(
        ids,
        [part.phrase for part in asked.parts],
        [part.weight for part in asked.parts],
        fits(asked, model.tags, probabilities, measures(ids, known, columns)),
    )


def unknown(words: Sequence[Unknown]) -> str:
    """A sentence that names words without a meaning, and known ones like them."""
    near = [f"{each.word!r} ({' or '.join(each.near)}?)" if each.near else repr(each.word) for each in words]
    them = "it" if len(words) == 1 else "them"
    return f"the model has no word for {' and '.join(near)}; take {them} out. It knows {KNOWN}"
