"""Voices of recordings by the tags that the store has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resonance_engine.search.voice import VOCALS, VOICE_TAGS, detect_voices, has_voice_tags

if TYPE_CHECKING:
    from collections.abc import Collection

    from resonance_engine.store import Model, Store


class StoredVoice(NamedTuple):
    """The vocals of a recording, one of VOCALS or "" where unknown, and whether it is spoken."""

    vocals: str
    is_spoken: bool


class StoredVoices:
    """The voices of a model's recordings, by vector id; the tags of each are read once."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store, self._model = store, model
        self._known: dict[int, StoredVoice] = {}

    def load(self, vector_ids: Collection[int]) -> dict[int, StoredVoice]:
        """Return the voices behind vector ids; unknown, and not spoken, without tags that tell voices."""
        new = [each for each in vector_ids if each not in self._known]
        if new:
            # At once: another thread must not take a voice that is not read yet for one that is unknown.
            self._known |= {**dict.fromkeys(new, StoredVoice("", False)), **self._detect(new)}
        return {each: self._known[each] for each in vector_ids}

    def _detect(self, vector_ids: Collection[int]) -> dict[int, StoredVoice]:
        if not has_voice_tags(self._model.tags):
            return {}
        keys = self._store.vectors.content_keys(vector_ids)
        tagged, probabilities = self._store.tags.select(keys.values(), self._model.id, VOICE_TAGS)
        detected = detect_voices(probabilities, VOICE_TAGS)
        pairs = zip(detected.vocals.tolist(), detected.is_spoken.tolist(), strict=True)
        voices = {key: StoredVoice(VOCALS[place], spoken) for key, (place, spoken) in zip(tagged, pairs, strict=True)}
        return {each: voices[key] for each, key in keys.items() if key in voices}

    def spoken(self, vector_ids: Collection[int]) -> set[int]:
        """Return those of some vector ids whose recordings are spoken."""
        return {each for each, voice in self.load(vector_ids).items() if voice.is_spoken}
