"""Ids, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from resonance_engine.store.records import Ids


def distinct(ids: Ids) -> Ids:
    """The different ones of these ids, ascending.

    As `numpy.unique` has them, which loads the masked arrays first: that takes as long as the search itself.
    """
    ordered: Ids = np.sort(ids)
    new = np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]])
    return np.asarray(ordered[new])
