"""Libraries that several stories share; nobody changes them."""

from __future__ import annotations

import pytest

from tests.e2e.home import Home, album, new_home


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A library of six tracks, imported and analysed."""
    folder = tmp_path_factory.mktemp("e2e")
    made = new_home(folder / "home")
    made.beet("import", str(album(folder / "inbox", 6)))
    return made
