"""A library of 63 items without a single file, of which is known how each sounds, and so what a search has to find."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from beets import config
from beets.exceptions import UserError
from beets.library import Item, Library
from beets.logging import getLogger

from beetsplug.resonance.commands import similar
from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.errors import AudioError
from resonance_engine.store import Analysis, Embedding, Model, TrackRow
from resonance_engine.worker.worker import FileAnalysis, ModelDescription
from tests.embeddings import key, unit_vectors
from tests.plugin.synthetic_tracks import FACETS, OF_AN_ARTIST, SOUNDS, STALE, TAGS, TWIN, WIDTH, make_tracks, tags_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.search.finder import SearchResult

    Array = NDArray[np.float64]

MODEL = Model("planned", "planned", "1", WIDTH, dict.fromkeys(FACETS, WIDTH), tags=TAGS)


class SyntheticLibrary:
    """The library, and how its tracks sound: `plan`; `model` gives their tags, see `tag_row`.

    `heard` are paths of files that somebody listened to, with their passages.
    """

    model = MODEL

    def __init__(self, folder: Path) -> None:
        self.plan = make_tracks()
        self.folder = folder
        self.lib = Library(str(folder / "library.db"), "/music")
        self.heard: list[tuple[Path, Any]] = []
        self.runtime = SyntheticRuntime(self)

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Write both databases."""
        made = cls(folder)
        with made.lib.transaction():
            for number in range(1, STALE + 1):
                made.lib.add(Item(**tags_of(number)))
                item = made.lib.get_item(number)
                assert item is not None
                item.added = 1000.0 + number
                if number % 2 == 0:
                    item["play_count"] = "many" if number == 4 else number * 7 % 11
                item.store()
            for first in range(1, SOUNDS, OF_AN_ARTIST):
                ids = list(range(first, first + OF_AN_ARTIST))
                for tracks in [ids] if first > SOUNDS - OF_AN_ARTIST else [ids[:3], ids[3:]]:
                    made.lib.add_album([item for each in tracks if (item := made.lib.get_item(each))])
        sidecar = Sidecar(made.lib)
        made.fill(sidecar)
        sidecar.close()
        return made

    def close(self) -> None:
        self.lib._close()  # beets offers no other way

    def fill(self, sidecar: Sidecar) -> None:
        """Put into the store what a model would have heard."""
        plan, store = self.plan, sidecar.store
        with store.write():
            store.models.register(self.model)
            store.models.activate(self.model.id)
            for number in range(1, SOUNDS + 1):
                store.vectors.put(key(number), self.model.id, self.embedding(number))
                store.analyses.put(key(number), "1", self.attributes(number))
            rows = {number: number for number in range(1, SOUNDS + 1)} | {TWIN: 5, STALE: SOUNDS + 1}
            store.vectors.put(key(SOUNDS + 1), self.model.id, Embedding(unit_vectors(1, WIDTH, 99)[0]))
            added = {number: 1000.0 + number for number in rows} | {STALE: 1.0}
            store.tracks.link_many(
                sidecar.id, [TrackRow(each, added[each], 1, 1, key(sound)) for each, sound in rows.items()]
            )
        assert {self.pair(each) for each in np.argwhere(np.triu(plan.cosines > 0.94, 1)).tolist()} == {
            frozenset(each) for each in ((1, 13), (1, 14), (13, 14))
        }

    @staticmethod
    def pair(rows: Sequence[int]) -> frozenset[int]:
        return frozenset(row + 1 for row in rows)

    def embedding(self, number: int) -> Embedding:
        row = number - 1
        return Embedding(
            self.plan.vectors[row].astype(np.float32),
            {name: each[row].astype(np.float32) for name, each in self.plan.facets.items()},
            dict(zip(FACETS, self.plan.gates[row].tolist(), strict=True)),
            tags=self.tag_row(number),
        )

    def tag_row(self, number: int) -> dict[str, float]:
        """The probabilities of the tags of a track."""
        return dict(zip(TAGS, self.plan.tags[number - 1].tolist(), strict=True))

    def attributes(self, number: int) -> dict[str, Any]:
        row = number - 1
        return {"tempo": self.plan.tempo[row], "key": self.plan.key[row], "energy": -30.0 + row % 25}

    # What a search answers.

    @contextmanager
    def search(self, settings: Settings | None = None) -> Iterator[SearchSession]:
        sidecar = Sidecar(self.lib, settings, self.runtime)
        try:
            yield SearchSession(sidecar, self.model)
        finally:
            sidecar.close()

    def find(
        self, query: str = "", settings: Settings | None = None, today: date | None = None, **wish: Any
    ) -> SearchResult:
        """What `Finder.find` answers; ten tracks unless asked otherwise."""
        with self.search(settings) as search:
            request = SearchRequest(**{"query": tuple(query.split()), "count": 10, **wish})
            return Finder(search, request, "similar", today).find()

    def ids(self, query: str = "", settings: Settings | None = None, **wish: Any) -> list[int]:
        return [each.item_id for each in self.find(query, settings, **wish).hits]

    def beet(self, *arguments: str, settings: Settings | None = None) -> CommandNotes:
        """What `beet similar` prints and says beside it."""
        said = CommandNotes()
        made = similar.command(lambda lib: Sidecar(lib, settings, self.runtime), said.log())
        forms = {name: config[name].get() for name in ("format_item", "format_album")}
        options, rest = made.parse_args(list(arguments))
        try:
            # As beets itself opens its library; other tests leave their own music folder behind.
            with said.listening(), self.lib.music_dir_context():
                made.func(self.lib, options, rest)
        finally:
            for name, form in forms.items():
                config[name].set(form)
        return said

    def refused(self, *arguments: str, settings: Settings | None = None) -> str:
        """The sentence with which `beet similar` ends."""
        try:
            self.beet(*arguments, settings=settings)
        except UserError as error:
            return str(error)
        raise AssertionError("it was not refused")

    def near(self, *seeds: int) -> Array:
        """Cosines (seeds, 60)."""
        return self.plan.cosines[[seed - 1 for seed in seeds]]

    def set_files(self, sounds: dict[str, int]) -> None:
        """Give files names: each has the library's sound of that number, under a key of its own."""
        self.runtime.sounds = sounds
        self.heard.clear()

    def analyse(self, path: Path, passage: tuple[float, float] | None) -> FileAnalysis | AudioError:
        self.heard.append((path, passage))
        if path.name not in self.runtime.sounds:
            return AudioError(path, "there is no such file")
        number = self.runtime.sounds[path.name]
        # A file is known by its name: 17.mp3 is the library's.
        own = key(int(path.stem)) if path.stem.isdecimal() else key(1000 + number)
        return FileAnalysis(path, own, 0.1, self.embedding(number), Analysis("1", self.attributes(number)))


class SyntheticRuntime(Runtime):
    """Opens a pool that knows the sounds of named files in a library."""

    def __init__(self, library: SyntheticLibrary) -> None:
        self.library = library
        self.sounds: dict[str, int] = {}

    def open_pool(self, model: Path, count: int, timeout: float) -> SyntheticPool:
        del model, count, timeout
        return SyntheticPool(self.library)


class SyntheticPool:
    """Stands for `worker.WorkerPool`."""

    def __init__(self, library: SyntheticLibrary) -> None:
        self.library = library

    def close(self) -> None:
        pass

    def description(self) -> ModelDescription:
        model = self.library.model
        return ModelDescription(model.id, model.name, model.version, WIDTH, FACETS, model.tags)

    def analyse(
        self, paths: Iterable[Path], is_known: object = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        del is_known
        for path in paths:
            yield path, self.library.analyse(path, passage)


@dataclass
class CommandNotes:
    """Notes of a command; what it prints is on standard output."""

    notes: list[str] = field(default_factory=list)

    def log(self) -> Any:
        return getLogger("beets.sounding")

    @contextmanager
    def listening(self) -> Iterator[None]:
        import logging

        class Note(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                notes.append(record.getMessage())

        notes, handler, log = self.notes, Note(), self.log()
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)


class PrintedLine(NamedTuple):
    """A printed line."""

    score: float
    title: str


def parse_lines(printed: str) -> list[PrintedLine]:
    """The scores and titles of a printed list, whose columns have to be aligned."""
    rows = [line for line in printed.splitlines() if not line.startswith("       ")]
    assert len({re.match(r" ?-?\d\.\d{3}  ", line).end() for line in rows}) == 1  # type: ignore[union-attr]  # it has to
    return [PrintedLine(float(line.split()[0]), line.split(" - ", 2)[2]) for line in rows]
