"""Singing and speech in recordings, by the probabilities of a model's tags.

Limits are chosen on the development half of annotated recordings and measured on the other (`benchmarks.annotation`).
The probabilities are means over a recording, so they grow with the share of it in which a voice is audible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    Probabilities = NDArray[np.float32]
    Mask = NDArray[np.bool_]

VOCALS = ("none", "some", "throughout")
SPEECH, MUSIC = "Speech", "Music"
SUNG = (
    "Singing", "Choir", "Chant", "Mantra", "Child singing", "Synthetic singing", "Rapping", "Humming", "Vocal music",
    "A capella", "Yodeling", "Opera", "Lullaby",
)  # fmt: skip
VOCALISTS = ("female vocalists", "male vocalists", "female vocalist")
VOICE_TAGS = (SPEECH, MUSIC, *SUNG, *VOCALISTS)  # a model without one of them tells nothing of voices

# In the product: some of the equally good limits that `benchmarks.annotation shown` finds on the development half.
# Lowest sum of SUNG, highest of VOCALISTS, and speech in music: for "some", and for "throughout".
SOME = (0.015, 0.15, 0.1)
THROUGHOUT = (0.05, 0.15, 0.25)
IN_MUSIC = 0.01  # probability of music from which what counts as speech may be rap or a song
SPOKEN, WITHOUT_MUSIC, WITHOUT_SONG = 0.5, 0.005, 0.01  # speech of a spoken recording; below these music and singing


@dataclass(frozen=True, eq=False)
class Voices:
    """Voices of n recordings: `speech` (n,), 0 to 1, places in VOCALS (n,), and which are spoken, without music (n,).

    `speech` estimates the share of a recording in which words are spoken: the mean probability of speech. Its mean
    absolute error is 0.10; speech below music as loud as itself counts for half, and sung words count, too.
    """

    speech: Probabilities
    vocals: NDArray[np.intp]
    is_spoken: Mask


def has_voice_tags(tags: Collection[str]) -> bool:
    """Return whether a model's tags tell voices."""
    return set(VOICE_TAGS).issubset(tags)


def detect_voices(probabilities: Probabilities, names: Sequence[str]) -> Voices:
    """Detect the voices of recordings by the probabilities (n, names) of tags, which have to include VOICE_TAGS.

    Vocals are sung where classes of singing, musicnn's vocalists, or speech in music are likely enough; words over
    music cannot be told from rap by these, and count as vocals. A spoken recording has speech, hardly music, no song.
    """
    evidence, speech, music = vocal_evidence(probabilities, names)
    vocals = (evidence >= SOME).any(axis=1).astype(np.intp) + (evidence >= THROUGHOUT).any(axis=1)
    is_spoken: Mask = (speech >= SPOKEN) & (music < WITHOUT_MUSIC) & (evidence[:, 0] < WITHOUT_SONG)
    return Voices(speech, np.where(is_spoken, 0, vocals), is_spoken)


def vocal_evidence(
    probabilities: Probabilities, names: Sequence[str]
) -> tuple[Probabilities, Probabilities, Probabilities]:
    """Return what limits of vocals are for, (n, 3): singing, vocalists, speech in music; and speech and music (n,)."""
    places = {name: place for place, name in enumerate(names)}
    sung = probabilities[:, [places[name] for name in SUNG]].sum(axis=1)
    vocalists = probabilities[:, [places[name] for name in VOCALISTS]].max(axis=1)
    speech, music = probabilities[:, places[SPEECH]], probabilities[:, places[MUSIC]]
    in_music = np.where(music >= IN_MUSIC, speech, 0).astype(np.float32)
    return np.stack([sung, vocalists, in_music], axis=1), speech, music
