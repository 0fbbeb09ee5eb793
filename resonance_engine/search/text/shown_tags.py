"""Tags of recordings that are sure enough to be shown, by the thresholds of `tag_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.text.scoring import logits
from resonance_engine.search.text.tag_names import display_name, has_audioset
from resonance_engine.search.text.tag_table import TAG_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MOST_SHOWN = 5
TAG_SHARE = 0.5  # without thresholds: of the likeliest tag's probability; less likely tags are left out
MOST_UNSURE = 3


def thresholded_tags(tags: Sequence[str]) -> list[str]:
    """Return those of a model's tags that have a threshold; empty for a model without AudioSet's classes."""
    return [tag for tag in tags if tag in TAG_TABLE] if has_audioset(tags) else []


def sure_tags(probabilities: NDArray[np.float32], tags: Sequence[str]) -> list[list[str]]:
    """Return the short names of the tags of n recordings, at most MOST_SHOWN each, the surest first.

    From the probabilities (n, tags) of tags with a threshold. The surest is furthest above its threshold, in log odds.
    A class is not shown beside a narrower one: no "guitar" beside "acoustic guitar".
    """
    thresholds = np.array([TAG_TABLE[tag].threshold for tag in tags], np.float32)
    margins = logits(probabilities) - logits(thresholds)
    shown = []
    for row in margins:
        given = [tags[place] for place in np.argsort(-row, kind="stable") if row[place] >= 0]
        wider = {parent for tag in given for parent in TAG_TABLE[tag].parents}
        names = dict.fromkeys(display_name(tag) for tag in given if tag not in wider)
        shown.append(list(names)[:MOST_SHOWN])
    return shown


def likeliest_tags(probabilities: Mapping[str, float]) -> list[str]:
    """Return the likeliest tags, at most three, that are at least half as likely as the first: "rock", "80s"."""
    likeliest = sorted(probabilities, key=lambda name: -probabilities[name])[:MOST_UNSURE]
    return [name for name in likeliest if probabilities[name] >= TAG_SHARE * probabilities[likeliest[0]]]
