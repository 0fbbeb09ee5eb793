"""Words about music: `wanted` reads a text such as "upbeat pop, no vocals", `scores` says how recordings fit it."""

from resonance_engine.words.fit import combined, fits, measures, scores, softest
from resonance_engine.words.reading import Meaning, Part, Unknown, Wanted, vocabulary, wanted

__all__ = [
    "Meaning",
    "Part",
    "Unknown",
    "Wanted",
    "combined",
    "fits",
    "measures",
    "scores",
    "softest",
    "vocabulary",
    "wanted",
]
