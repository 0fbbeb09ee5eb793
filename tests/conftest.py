"""What all test modules start from, and models that several share: an export takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.tiny_networks import Exported

# The suite runs beside other work, whose load would fail a law for its duration.
settings.register_profile("resonance", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("resonance")


@pytest.fixture(scope="module", autouse=True)
def _beets_defaults() -> None:
    """beets has its own settings, whatever the module before left of them."""
    from beets import config

    if not config.sources:
        config.read(user=False)


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
