"""Create a beets library of synthetic tracks with embeddings in its sidecar; no audio file is needed."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from beets.library import Album, Item, Library
from numpy.typing import NDArray

from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.store import Embedding, Model, Store, TrackRow, Windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Numbers = NDArray[np.float64]

FACETS = ("timbre", "harmony", "rhythm", "semantic", "instrumentation")
WIDTH = 512
LATENT = 24  # dimensions of the synthetic music's variation
GENRES = ("rock", "pop", "jazz", "folk", "metal", "ambient", "classical", "hip hop", "electronic", "soul")
KEYS = ("C major", "A minor", "G major", "E minor", "D major", "B minor", "F major", "D minor")
TRACKS_OF_ALBUM, ALBUMS_OF_ARTIST = 12, 5
BATCH = 2_000
STARTS = (30.0, 90.0, 150.0)  # of the windows of a track, in seconds
NOISE_OF_WINDOWS = 0.48
LONG = 0.01  # share of the tracks that play over twenty minutes
FINISHED = "finished-2"  # with the version of what is written


def create_library(folder: Path, tracks: int) -> Path:
    """Create a beets home below `folder` with a library of so many tracks, unless it exists; return its path."""
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
    """Write items and albums in a few statements; beets would take minutes to add them."""
    with redirect_stdout(StringIO()):  # beets prints the new file's migrations
        library = Library(str(home / "library.db"), str(home / "music"))
    try:
        with redirect_stdout(StringIO()):
            item = Item(path=os.fsencode(home / "music" / "first.mp3"), length=200.0)
            library.add(item)
            album = library.add_album([item])
        with library.transaction() as transaction:
            for model, id_, rows in ((Album, album.id, album_rows(tracks)), (Item, item.id, item_rows(tracks))):
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


def album_rows(tracks: int) -> Iterator[dict[str, Any]]:
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


def item_rows(tracks: int) -> Iterator[dict[str, Any]]:
    lengths = np.random.default_rng(1).lognormal(5.4, 0.3, tracks)
    for number, album in enumerate(album for album in album_rows(tracks) for _ in range(TRACKS_OF_ALBUM)):
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
            "added": 1.6e9 + number,
            "mtime": 1.6e9,
        }


def fill_sidecar(home: Path, tracks: int) -> None:
    """Write embeddings, attributes and track rows to the sidecar."""
    tags = read_tag_names()
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
            tracks_embeddings = draw_embeddings(rng, latent_positions(kinds, numbers), bases, words, tags)
            keys = {number: content_key(number) for number in numbers.tolist()}
            with store.write():
                store.vectors.put_many(model.id, dict(zip(keys.values(), tracks_embeddings, strict=True)))
                for key in keys.values():
                    store.analyses.put(key, "1", draw_attributes(rng))
                rows = [TrackRow(number + 1, 1.6e9 + number, 1, 1, key) for number, key in keys.items()]
                store.tracks.link_many(library, rows)


def latent_positions(kinds: Numbers, numbers: NDArray[np.int64]) -> Numbers:
    """Return positions (n, LATENT): near the album's, which is near the artist's, which is near the genre's."""
    of_albums = numbers // TRACKS_OF_ALBUM
    of_artists = of_albums // ALBUMS_OF_ARTIST
    places = kinds[of_artists % len(kinds)]
    for seed, (level, strength) in enumerate(((of_artists, 0.8), (of_albums, 0.4), (numbers, 0.4))):
        places = places + np.stack([strength * draw_offset(seed, number) for number in level.tolist()])
    return places


def draw_offset(*seed: int) -> Numbers:
    return np.random.default_rng(seed).standard_normal(LATENT)


def draw_embeddings(
    rng: np.random.Generator, latent: Numbers, bases: dict[str, Numbers], words: Numbers, tags: tuple[str, ...]
) -> list[Embedding]:
    """Draw embeddings of tracks at these positions: each facet maps the position and noise of its own."""
    facets = {
        name: normalise(np.hstack([latent, 0.7 * rng.standard_normal(latent.shape)]) @ basis).astype(np.float32)
        for name, basis in bases.items()
    }
    gates = rng.dirichlet(np.full(len(FACETS), 20.0), len(latent))
    likely = 1 / (1 + np.exp(3 - latent @ words / LATENT**0.5))
    vectors = normalise(np.einsum("nf,fnd->nd", gates, np.stack(list(facets.values())))).astype(np.float32)
    windows = draw_windows(rng.spawn(1)[0], vectors)
    return [
        Embedding(
            vectors[row],
            {name: facet[row] for name, facet in facets.items()},
            dict(zip(FACETS, gates[row].tolist(), strict=True)),
            Windows(STARTS, windows[row]),
            tags=dict(zip(tags, likely[row].tolist(), strict=True)),
        )
        for row in range(len(latent))
    ]


def draw_windows(rng: np.random.Generator, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Draw embeddings (n, windows, d) of tracks' windows, at a cosine of about 0.9 to the track's (n, d)."""
    noise = rng.standard_normal((len(vectors), len(STARTS), WIDTH))
    return normalise(vectors[:, None] + NOISE_OF_WINDOWS / WIDTH**0.5 * noise).astype(np.float32)


def draw_attributes(rng: np.random.Generator) -> dict[str, Any]:
    tempo, energy, brightness = rng.normal((118, -18, 2200), (25, 5, 600)).tolist()
    return {"tempo": max(tempo, 40.0), "key": KEYS[rng.integers(len(KEYS))], "energy": energy, "brightness": brightness}


def content_key(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()


def normalise(vectors: Numbers) -> Numbers:
    unit: Numbers = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def read_tag_names() -> tuple[str, ...]:
    """Read the names of the shipped model's tags."""
    return OnnxBackend(SHIPPED).manifest.tags
