"""Whatever happened to a store, and while it happens: an opened index is the one that would be made anew."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index import files as index_module
from resonance_engine.index.files import apply_changes, index_path, load_index, open_index
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Store
from tests.embeddings import MODEL, key, stored, track, unit_vectors
from tests.paths import ROOT

if TYPE_CHECKING:
    from resonance_engine.store.records import Matrix

VECTORS = unit_vectors(400)


CONTENTS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), CONTENTS, st.integers(0, 2)),
        st.tuples(st.just("link"), CONTENTS, CONTENTS),
        st.tuples(st.just("unlink"), CONTENTS),
        st.tuples(st.just("prune")),
        st.tuples(st.just("open")),
    ),
    max_size=14,
)


@given(steps=STEPS, rewrite=st.sampled_from([0, 2, 1000]))
@settings(max_examples=25)
def test_an_index_followed_equals_one_made_anew(steps: list[tuple[str, int]], rewrite: int) -> None:
    contents: dict[int, Matrix] = {}
    items: dict[int, int] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        Store(Path(name) / "resonance.db") as store,
        mock.patch.object(index_module, "REWRITE_ROWS", rewrite),
    ):
        store.models.register(MODEL)
        home = store.libraries.get_or_create("home")
        for verb, *rest in steps:
            match verb, rest:
                case "put", [content, vector]:
                    store.vectors.put(key(content), MODEL.id, Embedding(VECTORS[vector]))
                    contents[content] = VECTORS[vector]
                case "link", [item, content]:
                    store.tracks.link(home, track(item, content))
                    items[item] = content
                case "unlink", [item]:
                    store.tracks.unlink(home, [item])
                    items.pop(item, None)
                case "prune", _:
                    store.maintenance.prune()
                    contents = {c: vector for c, vector in contents.items() if c in items.values()}
                case _:
                    open_index(store, MODEL.id, Path(name))

        followed = open_index(store, MODEL.id, Path(name))
        anew = VectorIndex(*store.vectors.matrix(MODEL.id))
        scores, ids = followed.nearest(VECTORS[:3], 10)
        for one, other in zip(anew.nearest(VECTORS[:3], 10), (scores, ids), strict=True):
            np.testing.assert_array_equal(one, other)
        content_of = store.vectors.content_keys(followed.ids)
        assert sorted(content_of.values()) == sorted(map(key, contents))
        for query, row_scores, row in zip(VECTORS[:3], scores, ids, strict=True):
            expected = {key(c): float(stored(vector) @ query) for c, vector in contents.items()}
            found = {content_of[i]: float(score) for i, score in zip(row, row_scores, strict=True)}
            assert found == pytest.approx(expected, abs=1e-6)
            assert list(zip(-row_scores, row, strict=True)) == sorted(zip(-row_scores, row, strict=True))


REWRITER = """
import select, sys
from pathlib import Path
from resonance_engine.index import files as index
from tests.engine.index.test_history import put
from resonance_engine.store import Store
index.REWRITE_ROWS = index.REWRITE_SHARE = 0
with Store(Path(sys.argv[1])) as store:
    content = 100
    while not select.select([sys.stdin], [], [], 0)[0]:
        put(store, range(content, content + 5))
        index.open_index(store, "a1b2", store.path.parent)
        print(content, flush=True)
        content += 5
"""


def put(store: Store, contents: range) -> None:
    store.vectors.put_many(MODEL.id, {key(i): Embedding(VECTORS[i % len(VECTORS)]) for i in contents})


def test_a_reader_beside_a_writer_reads_whole_indexes(tmp_path: Path) -> None:
    path = index_path(tmp_path, MODEL.id)
    with Store(tmp_path / "resonance.db") as store:
        store.models.register(MODEL)
        put(store, range(100))
        open_index(store, MODEL.id, tmp_path)
        with subprocess.Popen(
            [sys.executable, "-c", REWRITER, str(store.path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            process.stdout.readline()
            generations = []
            while len(set(generations)) < 12:
                found = load_index(path, MODEL.id)
                assert found is not None
                index, generation = found
                generations.append(generation)
                with store.read():
                    assert apply_changes(store, MODEL.id, index, generation) is not None
                    ids, vectors = store.vectors.matrix(MODEL.id)
                np.testing.assert_array_equal(index.ids, ids)
                np.testing.assert_array_equal(index.vectors(ids), vectors)
            process.stdin.close()
            assert process.wait() == 0
    assert generations == sorted(generations)
