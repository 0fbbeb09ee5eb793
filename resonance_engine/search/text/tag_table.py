"""Tags that are shown: the probability from which they are, and wider classes not shown beside them.

Written by `python -m benchmarks.annotation table`: thresholds are chosen on annotated recordings, and only
classes of which those know something have one.
"""

from __future__ import annotations

from typing import NamedTuple


class TagThreshold(NamedTuple):
    """The probability from which a tag is shown, and the tags that it makes superfluous."""

    threshold: float
    parents: tuple[str, ...] = ()


TAG_TABLE = {
    "Accordion": TagThreshold(0.0201),
    "Bagpipes": TagThreshold(0.0277),
    "Banjo": TagThreshold(0.0754, ("Plucked string instrument",)),
    "Bass guitar": TagThreshold(0.0349, ("Plucked string instrument", "Guitar")),
    "Bowed string instrument": TagThreshold(0.0174),
    "Cello": TagThreshold(0.163, ("Bowed string instrument",)),
    "Choir": TagThreshold(0.0115, ("Singing", "instrumental")),
    "Clarinet": TagThreshold(0.1053),
    "Classical music": TagThreshold(0.0115),
    "Drum": TagThreshold(0.0732, ("Percussion",)),
    "Drum kit": TagThreshold(0.094, ("Percussion", "Drum")),
    "Electric guitar": TagThreshold(0.0255, ("Plucked string instrument", "Guitar")),
    "Electric piano": TagThreshold(0.2392),
    "Flute": TagThreshold(0.3284),
    "French horn": TagThreshold(0.0588),
    "Glockenspiel": TagThreshold(0.0234, ("Percussion", "Mallet percussion")),
    "Guitar": TagThreshold(0.0175, ("Plucked string instrument",)),
    "Harmonica": TagThreshold(0.0682),
    "Harp": TagThreshold(0.0379, ("Plucked string instrument",)),
    "Harpsichord": TagThreshold(0.1565, ("Plucked string instrument",)),
    "Heavy metal": TagThreshold(0.0125, ("Rock music",)),
    "Mallet percussion": TagThreshold(0.0138, ("Percussion",)),
    "Marimba, xylophone": TagThreshold(0.0657, ("Percussion", "Mallet percussion")),
    "Orchestra": TagThreshold(0.0125),
    "Organ": TagThreshold(0.0754),
    "Percussion": TagThreshold(0.0277),
    "Plucked string instrument": TagThreshold(0.0187),
    "Rain": TagThreshold(0.0296),
    "Rock music": TagThreshold(0.0124),
    "Saxophone": TagThreshold(0.0861),
    "Singing": TagThreshold(0.0117, ("instrumental",)),
    "Sitar": TagThreshold(0.0204, ("Plucked string instrument",)),
    "Speech": TagThreshold(0.4458, ("instrumental",)),
    "Trombone": TagThreshold(0.0826),
    "Trumpet": TagThreshold(0.2633),
    "Vibraphone": TagThreshold(0.0221, ("Percussion", "Mallet percussion")),
    "Violin, fiddle": TagThreshold(0.2066, ("Bowed string instrument",)),
    "instrumental": TagThreshold(0.1479),
}
