"""A library whose sidecar is in PostgreSQL: its name there, its indexes here, and who notices what others store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import ADDRESS, BackgroundTask, start_worker
from beetsplug.resonance.commands.check import check
from beetsplug.resonance.commands.shared import copy_sidecar, index_sidecar
from beetsplug.resonance.commands.status import status
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.identity import FILE_NAME, Identity, remember_identity
from beetsplug.resonance.library.sidecar import NO_LIBRARY, Sidecar
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import StoreError
from resonance_engine.store import Store
from tests.plugin.fake_runtime import FakeRuntime
from tests.plugin.synthetic_library import MODEL, SyntheticLibrary
from tests.plugin.synthetic_tracks import SOUNDS, STALE
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgresql_server import PostgresServer


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyntheticLibrary]:
    library = SyntheticLibrary.create(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture
def shared(library: SyntheticLibrary, postgres: PostgresServer) -> Iterator[Sidecar]:
    """The library over a new database that its sidecar was copied to."""
    address = postgres.create_database()
    with closing(Sidecar(library.lib, Settings(), library.runtime)) as sidecar:
        copy_sidecar(sidecar, address)
    with closing(Sidecar(library.lib, Settings(sidecar=address), library.runtime)) as sidecar:
        yield sidecar
    Path(library.folder / FILE_NAME).unlink()


def test_lists_and_fields_are_those_of_the_file(library: SyntheticLibrary, shared: Sidecar) -> None:
    with closing(Sidecar(library.lib, Settings(), library.runtime)) as alone:
        assert shared.coverage() == alone.coverage()
        assert shared.store.tracks.all(shared.id) == alone.store.tracks.all(alone.id)
        with open_session(alone) as one, open_session(shared) as other:
            assert one.index.ids.tolist() == other.index.ids.tolist()
            query = one.index.vectors(one.index.ids[:5])
            for mine, yours in zip(one.index.nearest(query, 10), other.index.nearest(query, 10), strict=True):
                assert mine.tolist() == yours.tolist()


def test_indexes_are_kept_apart_by_the_identity_of_the_sidecar(
    library: SyntheticLibrary, shared: Sidecar, postgres: PostgresServer
) -> None:
    with open_session(shared):
        pass
    other = Sidecar(library.lib, Settings(sidecar=postgres.create_database()), library.runtime)
    with closing(other):
        folders = {sidecar.index_folder for sidecar in (shared, other)}
        assert len(folders) == 2
        assert all(folder.parent == library.folder for folder in folders)
        assert [path.suffix for path in shared.index_folder.iterdir()] == [".index"]
        assert list(other.index_folder.iterdir()) == []


def test_what_another_machine_stores_changes_the_data_version(library: SyntheticLibrary, shared: Sidecar) -> None:
    before = shared.data_version()
    assert shared.data_version() == before
    with closing(Sidecar(library.lib, shared.settings, library.runtime)) as elsewhere:
        elsewhere.store.state.set("mood", 1)
    assert shared.data_version() != before


def test_who_may_only_read_searches_and_stores_nothing(library: SyntheticLibrary, shared: Sidecar) -> None:
    address = shared.settings.sidecar
    for statement in (
        "DROP ROLE IF EXISTS onlooker",
        "CREATE ROLE onlooker LOGIN",
        "GRANT USAGE ON SCHEMA resonance TO onlooker",
        "GRANT SELECT ON ALL TABLES IN SCHEMA resonance TO onlooker",
    ):
        run_sql(address, statement)
    onlooker = Settings(sidecar=address.replace("postgres@", "onlooker@"))
    with closing(Sidecar(library.lib, onlooker, library.runtime)) as sidecar:
        assert sidecar.id == shared.id
        with open_session(sidecar) as session:
            assert len(session.index) > SOUNDS / 2
        remember_identity(library.folder / "library.db", Identity("a library that is not there"))
        with closing(Sidecar(library.lib, onlooker, library.runtime)) as stranger:
            assert stranger.id == NO_LIBRARY
    run_sql(address, "DROP OWNED BY onlooker")
    run_sql(address, "DROP ROLE onlooker")


def test_status_tells_why_nothing_can_be_stored(
    library: SyntheticLibrary, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = postgres.create_database()
    for place, last in (
        (postgres.grant(address, "guest"), "You may not make the tables of Resonance in"),
        (address, f"none of {STALE} tracks is analysed yet; run `beet resonance analyze`"),
    ):
        with closing(Sidecar(library.lib, Settings(sidecar=place), library.runtime)) as sidecar:
            status(sidecar)
        *_, database, advice = capsys.readouterr().out.splitlines()
        assert database.endswith("(not made yet)")
        assert last in advice
    assert run_sql(address, "SELECT count(*) FROM pg_namespace WHERE nspname = 'resonance'") == [(0,)]


def test_the_background_gets_the_address_where_other_users_do_not_see_it(
    tmp_path: Path, library: SyntheticLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = FakeRuntime(tmp_path)
    address = "postgresql+psycopg://anna:s3cret@nas/music"
    sidecar = Sidecar(library.lib, Settings(sidecar=address, threads=3), runtime)
    start_worker(sidecar)
    [command], [environment] = runtime.spawned, runtime.environments
    assert "s3cret" not in " ".join(command)
    assert environment == {ADDRESS: address}
    monkeypatch.setenv(ADDRESS, address)
    task = BackgroundTask.from_json(command[-1])
    assert (task.settings.sidecar, task.settings.threads) == (address, 3)
    assert "s3cret" not in repr(task)


def test_the_server_indexes_the_model_in_use(shared: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    index_sidecar(shared)
    index_sidecar(shared)
    assert f"the embeddings by {MODEL.name}" in capsys.readouterr().out
    statement = "SELECT indexdef FROM pg_indexes WHERE indexname = %s"
    [(definition,)] = run_sql(shared.settings.sidecar, statement, (f"vector_nearest_{MODEL.id}",))
    assert "hnsw" in definition


def test_a_damaged_note_is_mended_and_the_file_beside_the_library_stays_as_it_is(
    library: SyntheticLibrary, shared: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (library.folder / "resonance.db").read_bytes()
    run_sql(shared.settings.sidecar, "INSERT INTO state VALUES ('model_ids', '{')")
    with pytest.raises(StoreError, match="makes no sense"):
        check(shared, repair=False)
    check(shared, repair=True)
    assert "1 note was dropped." in capsys.readouterr().out
    assert shared.store.state.get("model_ids") is None
    assert (library.folder / "resonance.db").read_bytes() == before
    assert not list(library.folder.glob("*damaged*"))


def test_a_copy_that_fails_leaves_no_file(library: SyntheticLibrary, shared: Sidecar) -> None:
    target = library.folder / "copy.db"
    run_sql(shared.settings.sidecar, "DROP TABLE removed")
    with pytest.raises(StoreError, match="lacks a table"):
        copy_sidecar(shared, str(target))
    assert not list(library.folder.glob("copy.db*"))


def test_a_copy_replaces_what_a_killed_one_left_and_no_other_file(library: SyntheticLibrary, shared: Sidecar) -> None:
    target = library.folder / "copy.db"
    with Store(library.folder / "copy.db.part") as left:
        left.state.set("mood", 1)
    (library.folder / "copy.db.part-wal").write_bytes(b"of the killed one")
    copy_sidecar(shared, str(target))
    assert [path.name for path in library.folder.glob("copy.db*")] == ["copy.db"]
    with Store(target) as copy:
        assert copy.state.get("mood") is None
        assert copy.tracks.all(1) == shared.store.tracks.all(1)
    before = target.read_bytes()
    with pytest.raises(UserError, match="is there already; name a file that is not"):
        copy_sidecar(shared, str(target))
    assert target.read_bytes() == before
    target.unlink()


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_copy_does_not_meet_the_log_of_another_database(
    library: SyntheticLibrary, shared: Sidecar, suffix: str
) -> None:
    log = library.folder / f"copy.db{suffix}"
    log.write_bytes(b"of a database that was deleted")
    with pytest.raises(UserError, match="what is left of another database"):
        copy_sidecar(shared, str(library.folder / "copy.db"))
    assert [path.name for path in library.folder.glob("copy.db*")] == [log.name]
    log.unlink()


def test_a_file_that_is_no_unfinished_copy_stays(library: SyntheticLibrary, shared: Sidecar) -> None:
    download = library.folder / "copy.db.part"
    download.write_bytes(b"half of a download")
    with pytest.raises(UserError, match=r"copy\.db\.part is there already and no unfinished copy"):
        copy_sidecar(shared, str(library.folder / "copy.db"))
    assert download.read_bytes() == b"half of a download"
    download.unlink()


def test_a_link_that_leads_nowhere_stays(library: SyntheticLibrary, shared: Sidecar) -> None:
    link = library.folder / "copy.db"
    link.symlink_to(library.folder / "nowhere")
    with pytest.raises(UserError, match="is there already"):
        copy_sidecar(shared, str(link))
    assert link.is_symlink()
    link.unlink()
