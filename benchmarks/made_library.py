"""A beets library of made-up tracks, analysed in its sidecar as a model would have done: no file is needed."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from beets.library import Album, Item, Library
from numpy.typing import NDArray

from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.store import Embedding, Model, Store, TrackRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Numbers = NDArray[np.float64]

FACETS = ("timbre", "harmony", "rhythm", "semantic")
WIDTH = 512
LATENT = 24  # dimensions in which made-up music differs
GENRES = ("rock", "pop", "jazz", "folk", "metal", "ambient", "classical", "hip hop", "electronic", "soul")
KEYS = ("C major", "A minor", "G major", "E minor", "D major", "B minor", "F major", "D minor")
TRACKS_OF_ALBUM, ALBUMS_OF_ARTIST = 12, 5
BATCH = 2_000
LONG = 0.01  # share of the tracks that play over twenty minutes
FINISHED = "finished"


@dataclass(frozen=True)
class Sounds:
    """What a model says of some tracks: facets by name, (n, 512) each, gates (n, 4), tags (n, 50)."""

    facets: dict[str, Numbers]
    gates: Numbers
    tags: Numbers

    @property
    def embeddings(self) -> Numbers:
        """The gated sums of the facets, of unit length, (n, 512)."""
        return unit(np.einsum("nf,fnd->nd", self.gates, np.stack(list(self.facets.values()))))


def made_library(folder: Path, tracks: int) -> Path:
    """A home of beets in `folder` with a library of so many tracks, made unless it is there already."""
    home = folder / f"{tracks}"
    if not (home / FINISHED).exists():
        home.mkdir(parents=True, exist_ok=True)
        for old in home.glob("*.db*"):
            old.unlink()
        write_configuration(home)
        fill_library(home, tracks)
        fill_sidecar(home, tracks)
        (home / FINISHED).touch()
    return home


def write_configuration(home: Path) -> None:
    settings = {"plugins": ["resonance"], "directory": str(home / "music"), "library": str(home / "library.db")}
    lines = (f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
    (home / "config.yaml").write_text("".join(lines), encoding="utf-8")


def fill_library(home: Path, tracks: int) -> None:
    """Write the items and albums, in a few statements: beets would take minutes to add them."""
    with redirect_stdout(StringIO()):  # where beets tells of the new file's migrations
        library = Library(str(home / "library.db"), str(home / "music"))
    try:
        with redirect_stdout(StringIO()):
            item = Item(path=os.fsencode(home / "music" / "first.mp3"), length=200.0)
            library.add(item)
            album = library.add_album([item])
        with library.transaction() as transaction:
            for model, id_, rows in ((Album, album.id, albums(tracks)), (Item, item.id, items(tracks))):
                table = model._table
                usual = dict(transaction.query(f"SELECT * FROM {table} WHERE id = ?", (id_,))[0])  # noqa: S608 - a constant
                transaction.mutate(f"DELETE FROM {table}")  # noqa: S608 - a constant
                names = ", ".join(usual)
                marks = ", ".join("?" * len(usual))
                values = [tuple((usual | row).values()) for row in rows]
                transaction.mutate_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608 - constants
    finally:
        library._close()  # beets offers no other way
    for leftover in home.glob("*.bak"):
        leftover.unlink()


def albums(tracks: int) -> Iterator[dict[str, Any]]:
    for number in range(1 + (tracks - 1) // TRACKS_OF_ALBUM):
        artist = number // ALBUMS_OF_ARTIST
        yield {
            "id": number + 1,
            "album": f"Album {number + 1} of songs",
            "albumartist": f"Artist {artist + 1}",
            "genres": GENRES[artist % len(GENRES)],
            "year": 1960 + number % 60,
            "added": 1.6e9 + number,
        }


def items(tracks: int) -> Iterator[dict[str, Any]]:
    lengths = np.random.default_rng(1).lognormal(5.4, 0.3, tracks)
    for number, album in enumerate(album for album in albums(tracks) for _ in range(TRACKS_OF_ALBUM)):
        if number == tracks:
            return
        track = number % TRACKS_OF_ALBUM + 1
        path = f"{album['albumartist']}/{album['album']}/{track:02d} Song.mp3"
        yield {
            **{name: album[name] for name in ("album", "albumartist", "genres", "year")},
            "id": number + 1,
            "album_id": album["id"],
            "artist": album["albumartist"],
            "title": f"Song {number + 1}",
            "track": track,
            "length": 1500.0 if number % round(1 / LONG) == round(0.5 / LONG) else float(lengths[number]),
            "path": os.fsencode(path),
            "mb_trackid": hashlib.md5(path.encode(), usedforsecurity=False).hexdigest(),
            "added": added(number),
            "mtime": 1.6e9,
        }


def added(number: int) -> float:
    return 1.6e9 + number


def fill_sidecar(home: Path, tracks: int) -> None:
    """Write what a model would have said of the tracks."""
    tags = shipped_tags()
    model = Model("made", "made", "1", WIDTH, dict.fromkeys(FACETS, WIDTH), tags=tags)
    rng = np.random.default_rng(tracks)
    bases = {name: rng.standard_normal((2 * LATENT, WIDTH)) for name in FACETS}
    words = rng.standard_normal((LATENT, len(tags)))
    kinds = rng.standard_normal((len(GENRES), LATENT))
    with Store(home / "resonance.db") as store:
        store.models.register(model)
        store.models.activate(model.id)
        library = store.libraries.get_or_create("library.db")
        for start in range(0, tracks, BATCH):
            numbers = np.arange(start, min(start + BATCH, tracks))
            latent = latents(kinds, numbers)
            heard = sounds(rng, latent, bases, words)
            with store.write():
                keep(store, model, numbers, heard)
                for number in numbers.tolist():
                    store.analyses.put(content_key(number), "1", attributes(rng))
                rows = [TrackRow(number + 1, added(number), 1, 1, content_key(number)) for number in numbers.tolist()]
                store.tracks.link_many(library, rows)


def keep(store: Store, model: Model, numbers: NDArray[np.int64], heard: Sounds) -> None:
    facets = {name: vectors.astype(np.float32) for name, vectors in heard.facets.items()}
    embeddings = heard.embeddings.astype(np.float32)
    store.vectors.put_many(
        model.id,
        {
            content_key(number): Embedding(
                embeddings[row],
                {name: vectors[row] for name, vectors in facets.items()},
                dict(zip(FACETS, heard.gates[row].tolist(), strict=True)),
                tags=dict(zip(model.tags, heard.tags[row].tolist(), strict=True)),
            )
            for row, number in enumerate(numbers.tolist())
        },
    )


def latents(kinds: Numbers, numbers: NDArray[np.int64]) -> Numbers:
    """Where tracks lie: near their album, which lies near its artist, who lies near a genre, (n, LATENT)."""
    of_albums = numbers // TRACKS_OF_ALBUM
    of_artists = of_albums // ALBUMS_OF_ARTIST
    places = kinds[of_artists % len(kinds)]
    for seed, (level, strength) in enumerate(((of_artists, 0.8), (of_albums, 0.4), (numbers, 0.4))):
        places = places + np.stack([strength * offset(seed, number) for number in level.tolist()])
    return places


def offset(*seed: int) -> Numbers:
    return np.random.default_rng(seed).standard_normal(LATENT)


def sounds(rng: np.random.Generator, latent: Numbers, bases: dict[str, Numbers], words: Numbers) -> Sounds:
    """What is heard of tracks at these places: each facet hears the place and something of its own."""
    facets = {
        name: unit(np.hstack([latent, 0.7 * rng.standard_normal(latent.shape)]) @ basis)
        for name, basis in bases.items()
    }
    gates = rng.dirichlet(np.full(len(FACETS), 20.0), len(latent))
    tags = 1 / (1 + np.exp(3 - latent @ words / LATENT**0.5))
    return Sounds(facets, gates, tags)


def attributes(rng: np.random.Generator) -> dict[str, Any]:
    tempo, energy, brightness = rng.normal((118, -18, 2200), (25, 5, 600)).tolist()
    return {"tempo": max(tempo, 40.0), "key": KEYS[rng.integers(len(KEYS))], "energy": energy, "brightness": brightness}


def content_key(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()


def unit(vectors: Numbers) -> Numbers:
    made: Numbers = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def shipped_tags() -> tuple[str, ...]:
    """The names of the shipped model's tags, from the header of its weights."""
    with SHIPPED.with_name("model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return tuple(json.loads(header["__metadata__"]["resonance"])["tags"])
