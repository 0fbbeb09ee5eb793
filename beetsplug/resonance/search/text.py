"""Score the recordings of a library by `--text`, with the model's tags and the measured attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from resonance_engine.search.text.parser import parse_text
from resonance_engine.search.text.scoring import fits, measures, share_below, soft_minimum
from resonance_engine.search.text.tag_names import has_audioset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.search.text.parser import UnknownWord

EXAMPLE = "quiet acoustic guitar"
FEW, MANY = (
    "genres, moods, eras, voices, guitars",
    "genres, moods, eras, voices, some sixty instruments, everyday sounds",
)
KNOWN = "and words for tempo, loudness, brightness and key"


@dataclass(frozen=True, eq=False)
class TextScores:
    """How well the recordings of a library fit a text: vector `ids` (n,), ascending, and how well each part of it.

    `parts` are phrases of the text with their `weights`, below zero for what is not wanted; `fits` (parts, n) are in
    standard deviations over the library. `note` names the words of the text that do not count, empty for none.
    """

    ids: NDArray[np.int64]
    parts: Sequence[str]
    weights: Sequence[float]
    fits: NDArray[np.float64]
    note: str = ""

    def overall(self) -> NDArray[np.float64]:
        """Return how well recordings fit all of it, (n,), in standard deviations of one word."""
        return soft_minimum(self.fits, [abs(weight) for weight in self.weights])

    def shares_below(self, vector_id: int) -> dict[str, float]:
        """Return the share of recordings that fit each part worse than this one; none for one without tags."""
        place = int(np.searchsorted(self.ids, vector_id))
        if place == len(self.ids) or self.ids[place] != vector_id:
            return {}
        names = [part if weight > 0 else f"no {part}" for part, weight in zip(self.parts, self.weights, strict=True)]
        return dict(zip(names, share_below(self.fits[:, place]).tolist(), strict=True))


def score_text(session: SearchSession, text: str, command: str) -> TextScores:
    """Score the recordings of the library by a text.

    Words without a meaning are left out, with a note. Raises UserError for a text of which nothing is known, and where
    the tracks were analysed before tags were stored.
    """
    store, model = session.store, session.model
    query = parse_text(text, model.tags)
    if not query.parts:
        if query.unknown:
            vocabulary = f"{MANY if has_audioset(model.tags) else FEW}, {KNOWN}"
            raise UserError(f"{command} --text: {unknown_words(query.unknown)}. It knows {vocabulary}")
        raise UserError(f"{command} --text: {text!r} says nothing of the music; try --text '{EXAMPLE}'")
    ids, probabilities = store.tags.matrix(model.id, query.tags)
    known, columns = store.analyses.attributes(model.id, query.attributes) if query.attributes else (ids[:0], {})
    if not len(ids):
        if not query.attributes or query.tags:
            raise UserError(
                f"{command} --text: no track has been described in words yet; run `beet resonance analyze` once more"
            )
        ids, probabilities = known, np.zeros((len(known), 0), np.float32)
    return TextScores(
        ids,
        [part.phrase for part in query.parts],
        [part.weight for part in query.parts],
        fits(query, query.tags, probabilities, measures(ids, known, columns)),
        ignored_words(query.unknown),
    )


def ignored_words(words: Sequence[UnknownWord]) -> str:
    """Return a note on words that do not count beside known ones; empty for none."""
    if not words:
        return ""
    return f"--text goes by the rest: the model has no word for {name_words(words)}"


def unknown_words(words: Sequence[UnknownWord]) -> str:
    """Return a sentence that names words without a meaning, and known ones like them."""
    them = "it" if len(words) == 1 else "them"
    return f"the model has no word for {name_words(words)}; take {them} out"


def name_words(words: Sequence[UnknownWord]) -> str:
    """Return words without a meaning, each with what comes nearest: "'polka' (accordion or folk?) and 'xyz'"."""
    return " and ".join(
        f"{each.word!r} ({' or '.join(each.near)}?)" if each.near else repr(each.word) for each in words
    )
