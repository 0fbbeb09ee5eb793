"""A library's data that may not be written: what only looks works as for their owner."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resonance_engine.store.writer  # loaded now: a stranger may not read where it lies
from beetsplug.resonance.commands.analyze import print_plan
from beetsplug.resonance.commands.models import list_models
from beetsplug.resonance.commands.status import status
from beetsplug.resonance.library.sidecar import NO_LIBRARY, Sidecar
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.errors import StoreError
from tests.plugin.file_library import FileLibrary, write_sounds
from tests.strangers import as_stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

assert resonance_engine.store.writer
TRACKS = 4


@pytest.fixture
def library() -> Iterator[FileLibrary]:
    folder = Path(tempfile.mkdtemp(prefix="resonance-test-"))
    folder.chmod(0o755)
    made = FileLibrary(folder)
    for number, source in enumerate(write_sounds(folder / "sounds", TRACKS)):
        made.add(source, f"{number}.flac")
    made.analyze()
    item = made.lib.get_item(1)
    assert item is not None
    item.remove()
    yield made
    made.close()
    shutil.rmtree(folder)


def find_nearest(library: FileLibrary) -> list[str]:
    def act(sidecar: Sidecar) -> None:
        assert sidecar.model is not None
        search = SearchSession(sidecar, sidecar.model)
        print(len(search.index), [len(search.facet(facet)) for facet in sidecar.model.modalities])  # noqa: T201

    return library.output_of(act)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda library: library.output_of(status), id="status"),
        pytest.param(lambda library: library.check(), id="check"),
        pytest.param(lambda library: library.prune(pretended=True), id="prune --pretend"),
        pytest.param(lambda library: library.output_of(lambda sidecar: print_plan(sidecar, [], None)), id="--pretend"),
        pytest.param(lambda library: library.output_of(list_models), id="model list"),
        pytest.param(find_nearest, id="similar"),
    ],
)
@pytest.mark.parametrize("others", [False, True])
def test_looking_needs_no_right_to_write(
    library: FileLibrary, act: Callable[[FileLibrary], list[str]], others: bool
) -> None:
    if others:  # of the library itself, the sidecar knows nothing yet
        library.tamper("UPDATE library SET name = 'another'")
    expected = act(library)
    assert expected
    if others:
        library.tamper("DELETE FROM library WHERE name != 'another'")
    for path in library.folder.glob("*.index"):
        path.unlink()
    before = {path.name: path.read_bytes() for path in library.folder.iterdir() if path.is_file()}
    with as_stranger(library.folder):
        assert act(library) == expected
    assert {path.name: path.read_bytes() for path in library.folder.iterdir() if path.is_file()} == before


def test_a_library_of_which_nothing_is_stored(library: FileLibrary) -> None:
    library.tamper("UPDATE library SET name = 'another'")
    with as_stranger(library.folder), library.sidecar() as sidecar:
        assert sidecar.id == NO_LIBRARY
        assert sidecar.coverage().embedded == 0
        with pytest.raises(StoreError, match="can't be opened for writing"):
            sidecar.store.state.set("key", 1)
