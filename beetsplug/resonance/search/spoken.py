"""Spoken recordings among candidates: they come up beside music only if a seed is spoken, or they are requested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.voice import SPEECH, VOICE_TAGS, detect_voices, has_voice_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession, Seeds
    from resonance_engine.store import Model, Store

SPOKEN = "spoken"
FIELD = "res_speech"  # a query on it requests spoken tracks, or none


class SpokenRecordings:
    """Which recordings of a model are spoken, by vector id; the tags of each are read once."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store, self._model = store, model
        self._known: dict[int, bool] = {}

    def among(self, vector_ids: Collection[int]) -> set[int]:
        """Return those of some vector ids whose recordings are spoken; without tags, none is."""
        if new := [each for each in vector_ids if each not in self._known]:
            keys = self._store.vectors.content_keys(new)
            tagged, probabilities = self._store.tags.select(keys.values(), self._model.id, VOICE_TAGS)
            are_spoken = detect_voices(probabilities, VOICE_TAGS).is_spoken.tolist()
            spoken = {key for key, is_spoken in zip(tagged, are_spoken, strict=True) if is_spoken}
            self._known |= {each: keys.get(each) in spoken for each in new}
        return {each for each in vector_ids if self._known[each]}


def unwanted_speech(session: SearchSession, request: SearchRequest, seeds: Seeds) -> SpokenRecordings | None:
    """Return the spoken recordings that a request does not want; None where it wants them, or the model tells none."""
    if not has_voice_tags(session.model.tags):
        return None
    if any(FIELD in word for word in request.among) or requests_speech(request.text, session.model.tags):
        return None
    spoken = SpokenRecordings(session.store, session.model)
    if spoken.among(seeds.stored) or has_speech(seed.profile.tags for seed in seeds.files):
        return None
    return spoken


def requests_speech(text: str | None, tags: Sequence[str]) -> bool:
    """Return whether a phrase of `--text` is about speech, and not against it."""
    if text is None:
        return False
    from resonance_engine.search.text.parser import parse_text

    parts = parse_text(text, tags).parts
    return any(part.weight > 0 and meaning.tags.get(SPEECH, 0) > 0 for part in parts for meaning in part.meanings)


def has_speech(tags: Iterable[Mapping[str, float]]) -> bool:
    """Return whether one of some recordings, of which the probabilities of all tags are given, is spoken."""
    rows = [[probabilities[name] for name in VOICE_TAGS] for probabilities in tags if probabilities]
    return bool(rows) and bool(detect_voices(np.array(rows, np.float32), VOICE_TAGS).is_spoken.any())
