"""A map as one HTML page: its style, script and data are inline, and a strict policy keeps out all else.

The data come from tags, which are hostile: they are JSON of ASCII alone in a block that no browser runs, without any
character that HTML gives a meaning to, and the script sets them as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.search.text.scoring import logits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]

EXTENT = 65_535  # of the coordinates in the page, as in its script
STEPS = 254  # of a colour scale
TAG_BYTES = 3_000_000  # of a page that tags may take
LEAST_TAG = 0.1  # probability that a tag reaches on some track, or the page leaves it out
TAILS = (2.0, 98.0)  # percentiles at the ends of a colour scale
# In JSON these characters stand in strings alone, where an escape means the same.
ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\x7f"}
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
CLUSTER = "cluster"


@dataclass(frozen=True)
class MappedTracks:
    """Tracks of a map (n): `points` (n, 2), titles, paths of files, seconds, and what colours them.

    `words` has a word for each track by name, "" for none; `numbers` a number, NaN for none; `tags` (n, names) are
    probabilities of `tag_names`, all NaN for a track without. `lines` are places of tracks, by the name of a playlist.
    """

    points: Numbers
    titles: Sequence[str]
    paths: Sequence[bytes]
    seconds: Sequence[float]
    words: Mapping[str, Sequence[str]]
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    tag_names: Sequence[str] = ()
    tags: Numbers = field(default_factory=lambda: np.empty((0, 0), np.float32))
    lines: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.titles)


def format_page(tracks: MappedTracks, summary: str) -> str:
    """Return the page of a map; `summary` is a line about it."""
    folder = files(__package__)
    template, style, script = (
        folder.joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    parts = {
        "@POLICY@": POLICY.format(script=hash_source(script), style=hash_source(style)),
        "@STYLE@": style,
        "@SCRIPT@": script,
        "@DATA@": format_data({**page_data(tracks), "summary": summary}),
    }
    # The data come last, so that nothing in them is taken for a mark of the template.
    for mark, text in parts.items():
        before, _, after = template.partition(mark)
        template = f"{before}{text}{after}"
    return template


def hash_source(text: str) -> str:
    """Return what allows one inline script or style in a Content-Security-Policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def format_data(data: Mapping[str, Any]) -> str:
    """Return JSON of ASCII alone, and without `<`, `>` and `&`, for a block of an HTML page."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def page_data(tracks: MappedTracks) -> dict[str, Any]:
    """Return what the script of the page reads."""
    folders, names = zip(*map(os.path.split, tracks.paths), strict=True) if len(tracks) else ((), ())
    folder_words, folder_codes = encode_words([os.fsdecode(os.path.join(each, b"")) for each in folders])  # noqa: PTH118 - bytes
    words = {name: encode_words(column) for name, column in tracks.words.items()}
    x, y = scale_points(tracks.points).T.tolist()
    modes = [(name if name == CLUSTER else f"word:{name}", name) for name, (known, _) in words.items() if any(known)]
    shown = {name: column for name, column in tracks.numbers.items() if np.isfinite(column).any()}
    return {
        "x": x,
        "y": y,
        "title": list(tracks.titles),
        "seconds": [round(seconds) for seconds in tracks.seconds],
        "folders": folder_words,
        "folder": folder_codes,
        "file": [os.fsdecode(name) for name in names],
        "words": {name: known for name, (known, _) in words.items()},
        "codes": {name: codes for name, (_, codes) in words.items()},
        "modes": [*modes, *((f"number:{name}", name) for name in shown)],
        "numbers": {name: encode_numbers(column) for name, column in shown.items()},
        "tags": {name: encode_numbers(column, is_share=True) for name, column in choose_tags(tracks)},
        "lines": [{"name": name, "tracks": list(places)} for name, places in tracks.lines.items()],
        "centres": central_tracks(tracks.points, tracks.words.get(CLUSTER, ())),
    }


def scale_points(points: Numbers) -> NDArray[np.int64]:
    """Return points in a square of whole numbers, 0 to EXTENT, with their proportions and in its middle."""
    if not len(points):
        return np.empty((0, 2), np.int64)
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) or 1.0
    places: NDArray[np.int64] = np.rint((points - (low + high) / 2) / side * EXTENT + EXTENT / 2).astype(np.int64)
    return places.clip(0, EXTENT)


def encode_words(words: Iterable[str]) -> tuple[list[str], list[int]]:
    """Return the different words in the order of their first appearance, and the place of each word among them."""
    places: dict[str, int] = {}
    codes = [places.setdefault(word, len(places)) for word in words]
    return list(places), codes


def encode_numbers(values: Numbers, is_share: bool = False) -> dict[str, Any]:
    """Return numbers as base64 of a byte each, 0 for NaN, 1 to 255 between the ends of the scale, and the ends.

    Shares, 0 to 1, are spread by their log odds.
    """
    known = np.isfinite(values)
    scale = logits(np.where(known, values, 0.5)) if is_share else np.where(known, values, 0.0).astype(np.float64)
    low, high = np.percentile(scale[known], TAILS)
    steps = (scale - low) / ((high - low) or 1.0) * STEPS
    packed = np.where(known, 1 + np.clip(np.rint(steps), 0, STEPS), 0).astype(np.uint8)
    ends = [1 / (1 + np.exp(-end)) if is_share else end for end in (low, high)]
    return {
        "packed": base64.b64encode(packed.tobytes()).decode(),
        "low": float(f"{ends[0]:.4g}"),
        "high": float(f"{ends[1]:.4g}"),
    }


def choose_tags(tracks: MappedTracks) -> list[tuple[str, Numbers]]:
    """Return the tags that the page can colour by, in alphabetical order: those that some track has, as many as fit.

    Those that go furthest on many tracks come before others.
    """
    known = np.isfinite(tracks.tags[:, 0]) if len(tracks.tag_names) else np.zeros(0, bool)
    if not known.any():
        return []
    # A column at a time, for copies of all would fill the memory.
    heights = {}
    for place in range(len(tracks.tag_names)):
        column = tracks.tags[known, place].astype(np.float32)
        if column.max() >= LEAST_TAG:
            heights[place] = float(np.percentile(column, TAILS[1]))
    order = sorted(heights, key=lambda place: -heights[place])
    chosen = order[: max(1, TAG_BYTES // len(tracks))]
    return [
        (tracks.tag_names[place], tracks.tags[:, place].astype(np.float32))
        for place in sorted(chosen, key=tracks.tag_names.__getitem__)
    ]


def central_tracks(points: Numbers, words: Sequence[str]) -> list[int]:
    """Return for each different word the track nearest to the median point of those that have it, by frequency."""
    codes = np.array(encode_words(words)[1], np.intp)
    sizes = np.bincount(codes)
    centres = []
    for code in np.argsort(-sizes, kind="stable").tolist():
        places = np.flatnonzero(codes == code)
        inside = points[places]
        centres.append(int(places[np.argmin(((inside - np.median(inside, axis=0)) ** 2).sum(axis=1))]))
    return centres
