"""What tests need of the optional packages."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_viz = pytest.mark.skipif(find_spec("openTSNE") is None, reason="needs openTSNE, of the extra viz")
