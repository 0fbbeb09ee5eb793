"""The line after an import on tracks that the library has already, and what is read for it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.library.items import select_rows
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search import duplicates
from beetsplug.resonance.search.duplicates import describe_owned
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import StoreError
from tests.engine.search.test_fingerprint import compress, subfingerprints
from tests.plugin.test_duplicates import DuplicatesLibrary
from tests.plugin.test_importer import Imports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from sqlite3 import Row

    from beets.library import Library
    from beets.test._common import DummyIO


class TestFingerprints(DuplicatesLibrary):
    def test_those_of_plausible_pairs_alone_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fingerprint = compress(subfingerprints(300, 1))
        for number in range(20):
            self.add_recording(str(number), number // 2, acoustid_fingerprint=fingerprint)
        one, other = (self.add_recording(name, 20, acoustid_fingerprint=fingerprint) for name in ("one", "other"))
        assert one.id is not None
        read: list[int] = []

        def recorded(library: Library, statement: str, ids: Iterable[int]) -> Iterator[Row]:
            for row in select_rows(library, statement, ids):
                read.extend([row["id"]] if "acoustid_fingerprint" in list(row.keys()) else [])
                yield row

        monkeypatch.setattr(duplicates, "select_rows", recorded)
        with closing(Sidecar(self.lib)) as sidecar, open_session(sidecar) as session:
            assert describe_owned(session, {one.id}).startswith("already in the library: Artist - one")
        assert read == [one.id, other.id]


class TestFirstImport(Imports):
    def test_first_import_opens_no_index(self, monkeypatch: pytest.MonkeyPatch, io: DummyIO) -> None:
        opened: list[object] = []
        monkeypatch.setattr(duplicates, "describe_owned", lambda *found: opened.append(found) or "owned")
        self.songs("one", "two")
        self.run_import()
        assert (opened, "owned" in io.getoutput()) == ([], False)
        self.songs("three", seed=9)
        self.run_import()
        assert len(opened) == 1, "the library held other tracks by then"


class TestImportLine(Imports):
    @pytest.fixture(autouse=True)
    def _imported(self, setup: None, io: DummyIO) -> None:  # noqa: ARG002 - after beets and its output are set up
        self.config["import"]["duplicate_action"] = "keep"
        paths = self.songs("one", "two")
        self.run_import()
        assert "already in the library" not in io.getoutput()
        for path in paths:
            path.unlink()

    def test_import_names_a_track_already_in_the_library(self, io: DummyIO) -> None:
        self.songs("again", "new", seed=0)
        self.run_import()
        lines = [line for line in io.getoutput().splitlines() if "already" in line]
        assert lines == [
            "resonance: 2 tracks already in the library, such as Tag Artist - again (MP3, there as MP3); "
            "see `beet resonance duplicates`"
        ]

    def test_new_music_prints_nothing(self, io: DummyIO) -> None:
        self.songs("three", seed=9)
        self.run_import()
        assert "already in the library" not in io.getoutput()

    def test_one_track(self, io: DummyIO) -> None:
        self.songs("again", seed=0)
        self.run_import()
        [new] = [item.id for item in self.lib.items("title:again")]
        assert (
            "resonance: already in the library: Tag Artist - again (MP3, there as MP3); "
            f"see `beet resonance duplicates id:{new}`" in io.getoutput().splitlines()
        )

    def test_an_interrupt_while_it_is_looked_for_ends_in_silence_and_other_plugins_go_on(
        self, io: DummyIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> str:
            raise KeyboardInterrupt

        monkeypatch.setattr(duplicates, "describe_owned", interrupt)
        self.songs("again", seed=0)
        self.run_import()
        assert "already" not in io.getoutput()

    def test_a_damaged_store_is_no_reason_to_analyse_anew(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> str:
            raise StoreError("The data of a track is damaged; run `beet resonance check --repair`.")

        monkeypatch.setattr(duplicates, "describe_owned", fail)
        self.songs("again", seed=0)
        self.run_import()
        assert (
            "The data of a track is damaged; run `beet resonance check --repair`; "
            "which of the new tracks the library has already is not known" in caplog.text
        )
        assert "left out" not in caplog.text

    def test_a_quiet_import_prints_nothing(self, io: DummyIO) -> None:
        self.songs("again", seed=0)
        self.config["import"]["quiet"] = True
        self.run_import()
        assert "already" not in io.getoutput()
