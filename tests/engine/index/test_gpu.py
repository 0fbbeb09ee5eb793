"""A GPU is used where FAISS has one, once it is worth it; with its errors, the nearest are still the nearest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import pytest

from resonance_engine.index import gpu
from resonance_engine.index.array_scan import ArrayScan
from resonance_engine.index.backends import NumpyScan
from resonance_engine.index.gpu import GPU_AFTER, GpuSearch, find_gpu
from resonance_engine.index.vector_index import VectorIndex
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from resonance_engine.store.records import Matrix

WIDTH = 32
VECTORS = stored(unit_vectors(2500, WIDTH))
IDS = np.arange(2500)


class FakeGpuIndex:
    """FAISS's index on a GPU as its documents have it: no selector, at most 2048 hits, queries as float16."""

    def __init__(self, resources: Any, width: int, options: Any) -> None:
        assert resources is not None
        assert options.useFloat16
        self.index = faiss.IndexFlatIP(width)

    def add(self, vectors: Matrix) -> None:
        self.index.add(vectors)

    def search(self, queries: Matrix, count: int) -> Any:
        assert 0 < count <= 2048
        return self.index.search(stored(queries), count)


def fake_faiss(gpus: int = 1, memory: bool = True) -> Any:
    def resources() -> object:
        if not memory:
            raise RuntimeError("out of memory")
        return object()

    return SimpleNamespace(
        get_num_gpus=lambda: gpus,
        StandardGpuResources=resources,
        GpuIndexFlatConfig=SimpleNamespace,
        GpuIndexFlatIP=FakeGpuIndex,
    )


def answered(count: int) -> ArrayScan:
    """A scan that has answered some queries."""
    scan = ArrayScan(WIDTH)
    index = VectorIndex(IDS, VECTORS, scan)
    index.nearest(VECTORS[:count], 3)
    return scan


def test_the_build_for_cpus_has_none() -> None:
    assert find_gpu() is None
    assert not isinstance(answered(GPU_AFTER)._base.gpu, GpuSearch)


@pytest.mark.parametrize(("fake", "used"), [(fake_faiss(), True), (fake_faiss(gpus=0), False), (faiss, False)])
def test_one_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch, fake: Any, used: bool) -> None:
    monkeypatch.setattr(gpu, "load_faiss", lambda: fake)
    assert isinstance(answered(GPU_AFTER)._base.gpu, GpuSearch) is used


def test_one_that_has_too_little_memory_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "load_faiss", lambda: fake_faiss(memory=False))
    assert not isinstance(answered(GPU_AFTER)._base.gpu, GpuSearch)


def test_a_single_command_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "load_faiss", fake_faiss)
    assert answered(GPU_AFTER - 1)._base.gpu is None


def test_its_hits_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "load_faiss", lambda: fake_faiss())
    scan = answered(GPU_AFTER)
    index = VectorIndex(np.empty(0, np.int64), VECTORS[:0], scan)
    brute = VectorIndex(IDS, VECTORS, NumpyScan(WIDTH))
    queries = unit_vectors(20, WIDTH, seed=4)
    for change in (
        lambda _: None,
        lambda each: each.remove(range(0, 100, 3)),
        lambda each: each.add(IDS[:9], VECTORS[9:18]),
    ):
        change(index)
        change(brute)
        for k in (1, 20, 1500):
            for limits in ({}, {"exclude": [5, 6, 7]}, {"allowed": list(range(0, 2500, 3))}):
                results = [each.nearest(queries, k, **limits) for each in (index, brute)]
                for one, other in zip(*results, strict=True):
                    np.testing.assert_array_equal(one, other)
    assert isinstance(scan._base.gpu, GpuSearch)
