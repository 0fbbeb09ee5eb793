"""Models that several test modules share: made once, for an export takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tiny_networks import Exported


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """A tiny network of each fusion with its weights file and its export, the second one for batches of three."""
    from tests.tiny_networks import export

    folder = tmp_path_factory.mktemp("exported")
    return {fusion: export(folder, fusion, batch) for fusion, batch in (("gated_add", None), ("gated_concat", 3))}
