"""Models that several test modules share: made once, for an export takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tiny_networks import Exported


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """A tiny network of each fusion with its weights file and its export.

    The second is for batches of three only, the third has residual backbones.
    """
    from tests.tiny_networks import export

    folder = tmp_path_factory.mktemp("exported")
    return {
        "gated_add": export(folder, "gated_add", None),
        "gated_concat": export(folder, "gated_concat", 3),
        "cross_attention": export(folder, "cross_attention", None, "residual"),
    }
