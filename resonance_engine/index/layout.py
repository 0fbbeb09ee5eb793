"""Segments as sections of a file, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.index.candidates import FloatSearch, RoundedSearch, RoundedVectors
from resonance_engine.index.inverted_lists import ListSearch
from resonance_engine.index.methods import FLOAT32, INT8, IVF, METHODS, IndexMethod
from resonance_engine.index.sections import DamagedIndexError
from resonance_engine.index.segment import Segment
from resonance_engine.index.statistics import VectorMoments
from resonance_engine.index.vector_rows import VectorRows, row_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.index.candidates import CandidateSearch

    Arrays = Mapping[str, NDArray[Any]]


def segment_sections(segment: Segment, method: IndexMethod) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the sections of a segment from which nothing was removed."""
    vectors, search = segment.vectors.halves, segment.search
    header: dict[str, Any] = {"method": asdict(method)}
    arrays: dict[str, NDArray[Any]] = {"ids": segment.ids, "row_sums": row_sums(vectors)}
    if isinstance(search, (RoundedSearch, ListSearch)):
        rounded = search.rounded
        header |= {"scale": rounded.scale, "residual": rounded.residual, "longest": rounded.longest}
        arrays |= {"bounds": rounded.bounds, "code_sums": rounded.checksums(), "codes": rounded.codes}
    if isinstance(search, ListSearch) and segment.order is not None and segment.places is not None:
        arrays |= {"centroids": search.centroids, "order": segment.order, "places": segment.places}
    return header, {**arrays, "vectors": vectors}


def moment_section(moments: VectorMoments) -> NDArray[np.float64]:
    """Return the sums of moments as a section (d + 1, d)."""
    return np.concatenate([moments.total[None], moments.moment])


def read_segment(header: Mapping[str, Any], arrays: Arrays) -> tuple[Segment, IndexMethod]:
    """Return the segment in sections whose checksums are right; DamagedIndexError where they do not fit each other."""
    method = IndexMethod(**header["method"])
    ids, halves = arrays["ids"], arrays["vectors"]
    count, width = halves.shape
    expected: dict[str, tuple[int, ...]] = {"ids": (count,), "row_sums": (count,)}
    if method.name in (INT8, IVF):
        expected |= {"codes": (count, width), "code_sums": (len(arrays["bounds"]) - 1,)}
    if method.name == IVF:
        expected |= {"order": (count,), "places": (count,), "centroids": (len(arrays["bounds"]) - 1, width)}
    if method.name not in METHODS or any(arrays[name].shape != shape for name, shape in expected.items()):
        raise DamagedIndexError("its parts do not fit each other")
    vectors = VectorRows(halves, arrays["row_sums"])
    search: CandidateSearch
    if method.name not in (INT8, IVF):
        search = FloatSearch(vectors, method.name == FLOAT32)
        return Segment(ids, vectors, search, search), method
    bounds = arrays["bounds"]
    if bounds[0] != 0 or bounds[-1] != count or (np.diff(bounds) < 0).any():
        raise DamagedIndexError("its lists do not fit its vectors")
    rounded = RoundedVectors(
        arrays["codes"], header["scale"], header["residual"], header["longest"], bounds, arrays["code_sums"]
    )
    if method.name == INT8:
        search = RoundedSearch(rounded)
        return Segment(ids, vectors, search, search), method
    lists = ListSearch(rounded, arrays["centroids"], max(method.probes, 1))
    return Segment(ids, vectors, lists, lists.exhaustive, arrays["order"], arrays["places"]), method


def read_moments(section: NDArray[np.float64], count: int, width: int) -> VectorMoments:
    """Return the moments in a section."""
    if section.shape != (width + 1, width):
        raise DamagedIndexError("its moments are of another width")
    return VectorMoments(count, section[0].copy(), section[1:].copy())
