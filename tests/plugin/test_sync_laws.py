"""Whatever happened to a library: after an analysis, the sidecar says what one says that is made from nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from beets import plugins
from beets.exceptions import UserError
from beets.logging import getLogger
from beets.test.helper import ImportHelper
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from beetsplug.resonance.commands.analyze import run_update
from beetsplug.resonance.commands.check import prune
from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.models import FOLDER, MODEL_FILE, Models
from beetsplug.resonance.library.sidecar import Sidecar, file_state
from beetsplug.resonance.library.sync import plan_library
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.index.check import index_problem
from resonance_engine.store.recovery.check import check_store, incomplete_recordings
from tests.plugin.fake_runtime import FakeRuntime, FakeRuntimePlugin
from tests.plugin.file_library import write_sounds
from tests.plugin.sidecar_contents import RebuiltSidecar, sidecar_contents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item

    from resonance_engine.store import TrackRow

LOG = getLogger("beets.history")
SOUNDS = 8
MODELS = ("default", "own")
# Without shrinking, which takes minutes here: what failed is printed as it was.
SETTINGS = settings(suppress_health_check=list(HealthCheck), print_blob=True, phases=[Phase.generate])


class Home(FakeRuntimePlugin, ImportHelper):
    """A library with the plugin, as every test of the plugin has it."""

    db_on_disk: ClassVar[bool] = True


class LibraryHistory(RuleBasedStateMachine):
    """A user's years with a library, in short."""

    sources: ClassVar[list[Path]]

    @initialize()
    def begin(self) -> None:
        self.home = Home()
        self.runtime = self.home.runtime = FakeRuntime(Path(tempfile.mkdtemp()))
        self.home.setup_beets()
        self.home.config["threaded"] = False
        self.lib = self.home.lib
        self.folder = self.home.temp_path
        self.music = self.home.lib_path
        self.music.mkdir(exist_ok=True)
        self.serial = 0
        for name in MODELS[1:]:
            model = Sidecar(self.lib).path.with_name(FOLDER) / name / MODEL_FILE
            model.parent.mkdir(parents=True)
            model.touch()

    def teardown(self) -> None:
        if hasattr(self, "home"):
            try:
                self.compared()
            finally:
                shutil.rmtree(self.runtime.shipped.parents[1])
                self.home.unload_plugins()
                self.home.teardown_beets()

    # What a user does.

    @rule(chosen=st.lists(st.integers(0, SOUNDS - 1), min_size=1, max_size=3), single=st.booleans(), move=st.booleans())
    def add(self, chosen: list[int], single: bool, move: bool) -> None:
        self.imported(chosen, singletons=single, copy=not move, move=move)

    @rule(chosen=st.lists(st.integers(0, SOUNDS - 1), min_size=1, max_size=2))
    def add_behind_our_back(self, chosen: list[int]) -> None:
        with self.without_plugin():
            self.imported(chosen)

    @rule(chosen=st.lists(st.integers(0, SOUNDS - 1), min_size=2, max_size=3), patience=st.integers(0, 2))
    def add_and_be_killed(self, chosen: list[int], patience: int) -> None:
        with self.killed(patience), suppress(KeyboardInterrupt, SystemExit):
            self.imported(chosen)

    @rule()
    def import_again(self) -> None:
        self.home.setup_importer(self.music, autotag=False, copy=False).run()
        self.end()

    @precondition(lambda self: self.items())
    @rule(at=st.integers(0, 99), delete=st.booleans(), last=st.booleans(), noticed=st.booleans())
    def remove(self, at: int, delete: bool, last: bool, noticed: bool) -> None:
        """The last one, whose number beets gives to the next, more often than others."""
        with self.without_plugin(not noticed):
            self.item(-1 if last else at).remove(delete=delete)
            self.end()

    @precondition(lambda self: self.items())
    @rule(at=st.integers(0, 99), noticed=st.booleans())
    def write_tags(self, at: int, noticed: bool) -> None:
        with self.without_plugin(not noticed):
            item = self.item(at)
            item.comments = f"heard {self.next()} times"
            item.try_write()
            item.store()
            self.end()

    @precondition(lambda self: self.items())
    @rule(at=st.integers(0, 99), noticed=st.booleans())
    def rename(self, at: int, noticed: bool) -> None:
        with self.without_plugin(not noticed):
            item = self.item(at)
            item.title = f"renamed {self.next()}"
            item.move()
            item.store()
            self.end()

    @precondition(lambda self: self.items())
    @rule(at=st.integers(0, 99), sound=st.integers(0, SOUNDS - 1))
    def replace_the_music(self, at: int, sound: int) -> None:
        path = os.fsdecode(self.item(at).path)
        shutil.copyfile(self.sources[sound], path)
        later = 2_000_000_000 + self.next()  # the clock of a file system may stand still between two steps
        os.utime(path, (later, later))

    @precondition(lambda self: self.items())
    @rule(at=st.integers(0, 99))
    def date_back(self, at: int) -> None:
        """As a plugin that writes when music was really added."""
        item = self.item(at)
        item.added = 1000.0 + self.next()
        item.store()

    @rule()
    def query(self) -> None:
        """Index files are made, and brought up to date."""
        with closing(Sidecar(self.lib, None, self.runtime)) as sidecar:
            if sidecar.model is not None:
                search = SearchSession(sidecar, sidecar.model)
                search.facet("rhythm")

    @rule()
    def drop_what_nobody_needs(self) -> None:
        with closing(Sidecar(self.lib, None, self.runtime)) as sidecar:
            if self.items():
                with suppress(UserError):
                    prune(sidecar, False)

    @rule(patience=st.integers(0, 4))
    def analyze_and_be_killed(self, patience: int) -> None:
        with self.killed(patience), suppress(KeyboardInterrupt, SystemExit):
            self.analyze()

    @rule(name=st.sampled_from(MODELS))
    def choose_a_model(self, name: str) -> None:
        with closing(Sidecar(self.lib, None, self.runtime)) as sidecar:
            if sidecar.exists:
                Models(sidecar).choose(name)

    @precondition(lambda self: self.items())
    @rule()
    def analyze_while_the_disk_is_away(self) -> None:
        # An import that was killed left its files elsewhere, where they are analysed.
        elsewhere = {item.id for item in self.items() if self.music not in item.filepath.parents}
        before = {item_id: row for item_id, row in self.tracks().items() if item_id not in elsewhere}
        away = self.music.rename(self.folder / "away")
        try:
            with suppress(UserError):  # "no track has its file", unless an import was killed whose files are elsewhere
                self.analyze()
            with closing(Sidecar(self.lib, None, self.runtime)) as sidecar, suppress(UserError):
                prune(sidecar, False)
        finally:
            away.rename(self.music)
        assert before.items() <= self.tracks().items()

    @rule()
    def compared(self) -> None:
        """Analyse, and compare with a sidecar that is made from nothing."""
        self.analyze()
        heard = len(self.runtime.embedded)
        self.analyze()
        assert len(self.runtime.embedded) == heard, "the second time there is nothing to do"
        if not self.items():
            rows = self.rows()
            assert rows is None or (rows[0], rows[2]) == ({}, {})
            return
        with (
            closing(Sidecar(self.lib, None, self.runtime)) as sidecar,
            closing(RebuiltSidecar(self.lib, None, self.runtime)) as rebuilt,
        ):
            rebuilt.folder = self.folder / f"rebuilt {self.next()}"
            rebuilt.folder.mkdir()
            (rebuilt.folder / FOLDER).symlink_to(Models(sidecar).folder)
            self.listened(rebuilt, Models(sidecar).wanted)
            assert sidecar_contents(sidecar) == sidecar_contents(rebuilt)
            self.assert_sound(sidecar)
        shutil.rmtree(rebuilt.folder)

    # How it is done.

    def imported(self, chosen: list[int], **options: Any) -> None:
        inbox = self.folder / "import" / f"album {self.next()}"
        inbox.mkdir(parents=True)
        for sound in chosen:
            shutil.copy(self.sources[sound], inbox / f"{self.next()}.flac")
        self.home.setup_importer(inbox, autotag=False, **options).run()
        self.end()

    def end(self) -> None:
        """What `beet` does when a command is done; another command is another process."""
        plugins.send("cli_exit", lib=self.lib)
        self.home.unload_plugins()
        self.home.load_plugins()

    @contextmanager
    def without_plugin(self, without: bool = True) -> Iterator[None]:
        if without:
            self.home.unload_plugins()
        try:
            yield
        finally:
            self.home.unload_plugins()
            self.home.load_plugins()

    @contextmanager
    def killed(self, patience: int) -> Iterator[None]:
        """The process ends after so many files, without a chance to tidy up."""
        self.runtime.surprise, self.runtime.patience = KeyboardInterrupt(), len(self.runtime.embedded) + patience
        try:
            yield
        finally:
            self.runtime.surprise = None
            self.runtime.open.clear()
            self.home.unload_plugins()
            self.home.load_plugins()

    def analyze(self) -> None:
        with closing(Sidecar(self.lib, None, self.runtime)) as sidecar:
            if self.items() or sidecar.exists:
                self.listened(sidecar, Models(sidecar).wanted)

    def listened(self, sidecar: Sidecar, name: str) -> None:
        with open_ingest(Models(sidecar), name) as ingest:
            run_update(sidecar, ingest, [], None, LOG)

    def items(self) -> list[Item]:
        return list(self.lib.items())

    def item(self, at: int) -> Item:
        items = self.items()
        return items[at % len(items)]

    def next(self) -> int:
        self.serial += 1
        return self.serial

    def rows(self) -> Any:
        with closing(Sidecar(self.lib, None, self.runtime)) as sidecar:
            if not sidecar.exists:
                return None
            store = sidecar.store
            return store.tracks.all(sidecar.id), store.maintenance.orphans(), store.failures.all(sidecar.id)

    def tracks(self) -> dict[int, TrackRow]:
        rows = self.rows()
        return {} if rows is None else rows[0]

    def assert_sound(self, sidecar: Sidecar) -> None:
        """What `check` looks at, and that no file is listened to once more than its state asks for."""
        model, store = sidecar.model, sidecar.store
        assert model is not None
        assert (check_store(store, model.id), incomplete_recordings(store, model.id)) == ([], {})
        for kind in model.widths():
            assert index_problem(store, model.id, sidecar.path.parent, kind) is None
        assert plan_library(sidecar, model.id).analysed == len(self.items())
        tracks = store.tracks.all(sidecar.id)
        for item in self.items():
            assert item.id is not None
            assert (tracks[item.id].size, tracks[item.id].mtime_ns) == file_state(item.path)


@pytest.fixture(autouse=True)
def _sources(tmp_path_factory: pytest.TempPathFactory) -> None:
    LibraryHistory.sources = write_sounds(tmp_path_factory.mktemp("sources"), SOUNDS)


# A run that is broken off, as by a kill, closes nothing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_short_history() -> None:
    run_state_machine_as_test(LibraryHistory, settings=settings(SETTINGS, max_examples=5, stateful_step_count=10))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_history() -> None:
    run_state_machine_as_test(LibraryHistory, settings=settings(SETTINGS, max_examples=200, stateful_step_count=30))
