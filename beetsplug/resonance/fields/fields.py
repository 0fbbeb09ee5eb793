"""What this plugin adds to beets' fields: `$similarity`, `$res_bpm` and the like, computed and never stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore import types
from beets.dbcore.query import FieldQuery, NumericQuery, SubstringQuery
from beets.exceptions import UserError
from beets.library import Album, Item

from beetsplug.resonance.fields.analysis_cache import AnalysisCache, attributes, tags
from beetsplug.resonance.fields.queries import AttributeQuery, SimilarityQuery, SimilarityScores, SimilarQuery
from beetsplug.resonance.fields.similar import Neighbours, SimilarResolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings


class Measure(types.NullFloat):
    """A number that may be unknown, which prints as nothing."""

    def format(self, value: float | None) -> str:
        return "" if value is None else super().format(value)


class Field(NamedTuple):
    """How a field prints, beets' query for such a value, and the attribute of an analysis that it says."""

    kind: types.Type[Any, Any]
    query: type[FieldQuery[Any]]
    attribute: str | None = None


FIELDS = {
    "res_bpm": Field(Measure(1), NumericQuery, "tempo"),
    "res_key": Field(types.STRING, SubstringQuery, "key"),
    "res_energy": Field(Measure(1), NumericQuery, "energy"),
    "res_brightness": Field(Measure(0), NumericQuery, "brightness"),
    "res_tags": Field(types.STRING, SubstringQuery),
}
SIMILARITY = Measure(4)
# Shares of the similarity to the seeds of `similar:`, for the facets of the models that come with the program.
FACETS = {"res_timbre": "timbre", "res_harmony": "harmony", "res_rhythm": "rhythm", "res_semantic": "semantic"}
SHARE = Measure(2)


class Fields:
    """Types, queries and values of the fields, as beets asks a plugin for them."""

    def __init__(self, settings: Callable[[], Settings], log: BeetsLogger) -> None:
        self.log = log
        self.neighbourhood = SimilarResolver(settings, log)
        self.attributes, self.tags = AnalysisCache(attributes), AnalysisCache(tags)
        self.said: set[str] = set()
        self.tracks = tracks = SimilarityScores()
        albums = SimilarityScores()
        self.item_types = {
            "similarity": SIMILARITY,
            **{name: field.kind for name, field in FIELDS.items()},
            **dict.fromkeys(FACETS, SHARE),
        }
        self.album_types = {"similarity": SIMILARITY}
        self.item_queries = {
            "similar": partial(SimilarQuery, Item, self.neighbourhood.tracks, tracks, log),
            "similarity": partial(SimilarityQuery, Item, tracks, tracks.by_id),
            **{name: partial(AttributeQuery, field.query, self.values) for name, field in FIELDS.items()},
            **dict.fromkeys(FACETS, partial(SimilarityQuery, Item, tracks, self.shares)),
        }
        self.album_queries = {
            "similar": partial(SimilarQuery, Album, self.neighbourhood.albums, albums, log),
            "similarity": partial(SimilarityQuery, Album, albums, albums.by_id),
        }
        self.item_getters: dict[str, Callable[[Item], object]] = {
            "similarity": tracks.of,
            **{name: partial(self.value, name) for name in FIELDS},
            **{name: partial(self.share, name) for name in FACETS},
        }
        self.album_getters: dict[str, Callable[[Album], object]] = {"similarity": albums.of}

    def open(self, lib: Library) -> None:
        """A run of beets begins."""
        self.neighbourhood.open(lib)
        self.forget()

    def forget(self) -> None:
        """What was heard is to be read anew, as after an import."""
        self.attributes.forget()
        self.tags.forget()

    def value(self, name: str, item: Item) -> Any:
        """What a field says of an item; None where nothing is known."""
        return self.told(lambda: said(name, (self.attributes if FIELDS[name].attribute else self.tags).of(item)))

    def share(self, name: str, item: Item) -> Any:
        """A facet's share in what `similar:` found an item by; None where it found none, or compares no such facet."""
        found = self.tracks.holding(item)
        if not isinstance(found, Neighbours) or item.id is None:
            return None
        return self.told(lambda: found.shares.get(item.id or 0, {}).get(FACETS[name]))

    def told(self, ask: Callable[[], Any]) -> Any:
        """What the store says; None where it cannot be read, for path formats ask while an import runs."""
        from resonance_engine.errors import ResonanceError

        try:
            return ask()
        except ResonanceError as error:
            if str(error) not in self.said:
                self.said.add(str(error))
                self.log.warning("{}", error)
            return None

    def shares(self, name: str) -> dict[int, float]:
        """A facet's share in all that `similar:` found, by item id."""
        lists = [each for each in reversed(self.tracks.lists) if isinstance(each, Neighbours)]
        return {
            item_id: shares[FACETS[name]]
            for found in lists
            for item_id, shares in (self.told(partial(getattr, found, "shares")) or {}).items()
            if FACETS[name] in shares
        }

    def values(self, name: str) -> dict[int, Any]:
        """What a field says of all items of the library, by id; raises UserError where the store cannot be read."""
        from resonance_engine.errors import ResonanceError

        library = self.neighbourhood.library
        if library is None:
            return {}
        try:
            sounds = (self.attributes if FIELDS[name].attribute else self.tags).all(library)
        except ResonanceError as error:
            raise UserError(str(error)) from error
        return {item_id: said(name, sound) for item_id, sound in sounds.items()}


def said(name: str, sound: Any) -> Any:
    """A field's part of what is said of a recording."""
    attribute = FIELDS[name].attribute
    return sound if attribute is None or sound is None else sound.get(attribute)
