"""Voices of candidates: whether a list may hold them by their vocals, and spoken ones, which are no music.

Spoken recordings come up beside music only if a seed is spoken, or they are requested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.search.voice import SPEECH, VOCALS, VOICE_TAGS, detect_voices, has_voice_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession, Seeds
    from beetsplug.resonance.search.stored_voices import StoredVoice, StoredVoices

SPOKEN, OTHER_VOCALS, UNKNOWN_VOCALS = "spoken", "vocals", "no vocals known"
FIELD = "res_speech"  # a query on it requests spoken tracks, or none
ALLOWED = {"none": VOCALS[:1], "sung": VOCALS[1:], "throughout": VOCALS[2:]}  # by the value of --vocals


class VoiceFilter(NamedTuple):
    """Rejects candidates that are spoken, unless `allows_spoken`, and others than `vocals` allows; None allows any."""

    voices: StoredVoices
    allows_spoken: bool
    vocals: str | None = None

    def rejections(self, vector_ids: Collection[int]) -> dict[int, str]:
        """Return why recordings are rejected, by vector id: "spoken", "vocals", or that these are unknown."""
        if self.allows_spoken and self.vocals is None:
            return {}
        reasons = {each: self._rejection(voice) for each, voice in self.voices.load(vector_ids).items()}
        return {each: reason for each, reason in reasons.items() if reason}

    def _rejection(self, voice: StoredVoice) -> str:
        if voice.is_spoken and not self.allows_spoken:
            return SPOKEN
        if self.vocals is None or voice.vocals in ALLOWED[self.vocals]:
            return ""
        return OTHER_VOCALS if voice.vocals else UNKNOWN_VOCALS


def voice_filter(session: SearchSession, request: SearchRequest, seeds: Seeds) -> VoiceFilter:
    """Return the filter of a request: spoken recordings pass where a seed is one, or a text or query is on speech."""
    voices, tags = session.voices, session.model.tags
    is_requested = any(FIELD in word for word in request.among) or requests_speech(request.text, tags)
    allows_spoken = (
        is_requested
        or not has_voice_tags(tags)
        or bool(voices.spoken(seeds.stored))
        or has_speech(seed.profile.tags for seed in seeds.files)
    )
    return VoiceFilter(voices, allows_spoken, request.vocals)


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
