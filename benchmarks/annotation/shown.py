"""Choose the tags that the product shows, with their thresholds, and write them as its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.calibration import NEVER, TagCounts, ThresholdRule, choose_threshold, count_tags
from benchmarks.annotation.labels import read_labels, truth_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.annotation.calibration import Scores
    from benchmarks.annotation.report import Evaluation

LEAST = 0.01  # a probability below which no tag is shown, whatever the annotated tracks allow
FEWEST = 3  # tracks of the development half with a class, from which that half alone gives its threshold
PRECISION = 0.8  # on both halves together, of a tag that is shown
MSD_COUNT = 50  # the first tags of a model are those of the Million Song Dataset
NOT_SHOWN = frozenset(("Music", "Musical instrument", "Noise"))  # true of nearly everything, or of nothing to listen to

# A class's wider ones in the ontology of AudioSet (Gemmeke et al. 2017); and a voice is not instrumental.
PARENTS = {
    parent: children.split("|")
    for parent, children in {
        "Plucked string instrument": "Guitar|Electric guitar|Bass guitar|Acoustic guitar|Banjo|Sitar|Mandolin|Zither"
        "|Ukulele|Harp|Harpsichord|Steel guitar, slide guitar",
        "Guitar": "Electric guitar|Bass guitar|Acoustic guitar|Steel guitar, slide guitar",
        "Keyboard (musical)": "Piano|Electric piano|Organ|Electronic organ|Hammond organ|Synthesizer|Harpsichord",
        "Piano": "Electric piano",
        "Organ": "Electronic organ|Hammond organ",
        "Percussion": "Drum kit|Drum machine|Drum|Snare drum|Bass drum|Timpani|Tabla|Cymbal|Mallet percussion"
        "|Marimba, xylophone|Glockenspiel|Vibraphone|Steelpan|Tubular bells|Gong",
        "Drum": "Drum kit|Snare drum|Bass drum|Timpani|Tabla",
        "Mallet percussion": "Marimba, xylophone|Glockenspiel|Vibraphone|Steelpan",
        "Brass instrument": "French horn|Trumpet|Trombone",
        "Bowed string instrument": "String section|Violin, fiddle|Cello|Double bass|Pizzicato",
        "Wind instrument, woodwind instrument": "Flute|Saxophone|Clarinet",
        "Singing": "Choir|Chant|Mantra|Child singing|Synthetic singing|Rapping|A capella|Opera",
        "Speech": "Narration, monologue|Conversation|Child speech, kid speaking|Speech synthesizer",
        "Rock music": "Heavy metal|Punk rock|Grunge|Progressive rock|Rock and roll|Psychedelic rock",
        "instrumental": "Singing|Choir|Speech",
        "Electronic music": "House music|Techno|Dubstep|Drum and bass|Ambient music|Trance music",
    }.items()
}


class ShownClass(NamedTuple):
    """A class of a tagger, its threshold, whether the development half alone gave it, and counts of the other half."""

    name: str
    threshold: float
    is_held_out: bool
    report: TagCounts


def choose_shown(evaluation: Evaluation) -> list[ShownClass]:
    """Choose the classes that are shown and their thresholds, in the order of their names.

    The threshold is that of the rule on the development half, or on all tracks for a class of which that half has fewer
    than FEWEST, at least LEAST, and from there half-way (in log odds) to the next lower score. A class is shown if its
    tags are right in PRECISION of the tracks of both halves; the Million Song Dataset's tags only if there are FEWEST
    right ones in the report half.
    """
    truth = combined_truth(evaluation)
    halves = {half: evaluation.rows(half) for half in ("development", "report")}
    shown = []
    for column, name in enumerate(evaluation.classes):
        scores, known = evaluation.pooled[:, column], truth[:, column]
        if name in NOT_SHOWN or not (known == 1).any():
            continue
        rows = halves["development"]
        is_held_out = np.count_nonzero(known[rows] == 1) >= FEWEST
        rows = rows if is_held_out else np.arange(len(scores))
        threshold = widened_threshold(scores[rows], known[rows])
        given = scores >= threshold
        both, report = (count_tags(given[at, None], known[at, None])[0] for at in (slice(None), halves["report"]))
        proven = column >= MSD_COUNT or (is_held_out and report.hits >= FEWEST)
        if threshold < NEVER and both.precision >= PRECISION and proven:
            shown.append(ShownClass(name, threshold, bool(is_held_out), report))
    return sorted(shown)


def widened_threshold(scores: Scores, truth: Scores, rule: ThresholdRule | None = None) -> float:
    """Return the threshold of the rule from LEAST on, moved half-way to the next lower score; NEVER for none.

    Half-way is in log odds, so a threshold of 1, whose odds are infinite, stays.
    """
    known = np.isfinite(truth) & (scores >= LEAST)
    low = np.isfinite(truth) & (truth == 0) & ~known
    # Tracks below LEAST count as those without the class that the rule's share of false positives is of.
    padded = np.append(scores[known], np.full(np.count_nonzero(low), -1.0)).astype(np.float32)
    absent = np.append(truth[known], np.zeros(np.count_nonzero(low))).astype(np.float32)
    threshold = choose_threshold(padded, absent, rule or ThresholdRule())
    if threshold == NEVER or threshold < 0:
        return NEVER
    if threshold == 1:
        return 1.0
    lower = max(LEAST, scores[np.isfinite(truth) & (scores < threshold)].max(initial=LEAST))
    odds = np.sqrt(threshold / (1 - threshold) * lower / (1 - lower))
    return round(float(odds / (1 + odds)), 4)


def combined_truth(evaluation: Evaluation) -> Scores:
    """Return what is known of each track and class, (tracks, classes): by AudioSet's labels, and those of the MSD."""
    classes = evaluation.classes
    truths = [truth_matrix(evaluation.annotations, classes, read_labels(each)) for each in ("msd", "audioset")]
    return np.concatenate([truths[0][:, :MSD_COUNT], truths[1][:, MSD_COUNT:]], axis=1)


def format_module(shown: Sequence[ShownClass]) -> str:
    """Format the product's table of shown tags, a Python module."""
    lines = [
        '"""Tags that are shown: the probability from which they are, and wider classes not shown beside them.',
        "",
        "Written by `python -m benchmarks.annotation table`: thresholds are chosen on annotated recordings, and only",
        'classes of which those know something have one.\n"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import NamedTuple",
        "",
        "",
        "class TagThreshold(NamedTuple):",
        '    """The probability from which a tag is shown, and the tags that it makes superfluous."""',
        "",
        "    threshold: float",
        "    parents: tuple[str, ...] = ()",
        "",
        "",
        "TAG_TABLE = {",
    ]
    names = {each.name for each in shown}
    for row in shown:
        parents = [parent for parent, children in PARENTS.items() if row.name in children and parent in names]
        quoted = ", ".join(f'"{parent}"' for parent in parents) + ("," if len(parents) == 1 else "")
        value = f"{row.threshold:g}, ({quoted})" if parents else f"{row.threshold:g}"
        lines.append(f'    "{row.name}": TagThreshold({value}),')
    return "\n".join([*lines, "}", ""])
