"""A catalog that was damaged, or made by somebody to do damage, is read or refused in a sentence."""

from __future__ import annotations

import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resonance_engine.catalog_files import EMBEDDINGS, INDEX, META, Catalog, CatalogEntry, read_catalog, write_catalog
from resonance_engine.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

COUNT, WIDTH = 5, 8
IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def vectors() -> NDArray[np.float32]:
    made = np.random.default_rng(0).standard_normal((COUNT, WIDTH)).astype(np.float32)
    unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    entries = [
        CatalogEntry(number + 1, f"/m/{number}.flac", "Can", f"Song {number}", {"tempo": 90.0})
        for number in range(COUNT)
    ]
    folder = tmp_path / "catalog"
    folder.mkdir()
    write_catalog(folder, entries, vectors(), {"id": "0" * 16})
    return folder


def outcome(folder: Path) -> Catalog | None:
    """The catalog, which then can be used; None where it is refused in one sentence."""
    try:
        catalog = read_catalog(folder)
    except CatalogError as error:
        said = str(error)
        assert len(said.splitlines()) == 1
        assert "resonance index" in said
        said.encode()
        return None
    for entry in catalog.entries.values():
        entry.label.encode()
        os.fsencode(entry.path)
    if len(catalog.entries):
        scores, ids = catalog.index.nearest(np.eye(1, catalog.index.dimensions, dtype=np.float32), 3)
        assert np.isfinite(scores).all()
        assert set(ids.ravel().tolist()) <= set(catalog.entries)
    return catalog


def test_the_intact_one_is_read(folder: Path) -> None:
    catalog = outcome(folder)
    assert catalog is not None
    assert len(catalog.entries) == COUNT


@given(st.data())
@settings(IN_ONE_FOLDER, max_examples=60)
def test_any_value_in_the_place_of_another(folder: Path, data: st.DataObject) -> None:
    shutil.copy(folder / META, folder / "kept")
    meta = json.loads((folder / META).read_bytes())
    places: list[tuple[Any, Any]] = [(meta, name) for name in meta] + [(meta["tracks"], 0), (meta["model"], "id")]
    places += [(meta["tracks"][0], name) for name in meta["tracks"][0]]
    holder, name = data.draw(st.sampled_from(places))
    holder[name] = data.draw(JSON)
    (folder / META).write_text(json.dumps(meta))
    try:
        outcome(folder)
    finally:
        shutil.move(folder / "kept", folder / META)


@given(st.data())
@settings(IN_ONE_FOLDER, max_examples=100)
def test_any_damage_to_any_file(folder: Path, data: st.DataObject) -> None:
    """FAISS's own file is left out: a catalog whose index is damaged is asked of its embeddings."""
    name = data.draw(st.sampled_from([META, EMBEDDINGS]))
    (folder / INDEX).unlink(missing_ok=True)
    whole = (folder / name).read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(at, len(whole)))
    instead = data.draw(st.binary(max_size=8))
    (folder / name).write_bytes(whole[:at] + instead + whole[end:])
    try:
        outcome(folder)
    finally:
        (folder / name).write_bytes(whole)


def saved(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(description: str, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": description, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


NAN = np.full((COUNT, WIDTH), np.nan, np.float32)
MATRICES: dict[str, Callable[[], bytes]] = {
    "float64": lambda: saved(vectors().astype(np.float64)),
    "too few": lambda: saved(vectors()[1:]),
    "flat": lambda: saved(vectors().ravel()),
    "a number": lambda: saved(np.float32(1.0).reshape(())),
    "texts": lambda: saved(np.full((COUNT, WIDTH), "x")),
    "nan": lambda: saved(NAN),
    "infinity": lambda: saved(NAN * 0 + np.inf),
    "a thousand terabytes": lambda: header("<f4", (COUNT, 10**14)) + bytes(100),
    "too wide to count": lambda: header("<f4", (COUNT, 2**62)) + bytes(100),
    "less than none": lambda: header("<f4", (COUNT, -8)) + bytes(100),
    "by column": lambda: saved(np.asfortranarray(vectors())),
    "objects": lambda: header("|O", (COUNT, WIDTH)) + b"cposix\nsystem\n(S'true'\ntR.",
    "a zip": lambda: b"PK\x05\x06" + bytes(18),
    "cut": lambda: saved(vectors())[:-40],
    "empty": bytes,
}


@pytest.mark.parametrize("kind", MATRICES)
def test_embeddings_that_are_none(folder: Path, kind: str) -> None:
    (folder / INDEX).unlink()
    (folder / EMBEDDINGS).write_bytes(MATRICES[kind]())
    assert outcome(folder) is None


def test_vectors_of_an_index_that_are_no_numbers(folder: Path) -> None:
    entries = [*read_catalog(folder).entries.values()]
    write_catalog(folder, entries, NAN, {"id": "0" * 16})
    assert outcome(folder) is None
