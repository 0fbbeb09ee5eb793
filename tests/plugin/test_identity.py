"""What a library is told by in a shared sidecar: two libraries stay two there, and one stays one."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from beets.library import Item, Library

from beetsplug.resonance.commands.shared import copy_sidecar
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.identity import FILE_NAME, Identity, read_identities, remember_identity
from beetsplug.resonance.library.sidecar import NO_LIBRARY, Sidecar
from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, LibraryRow
from resonance_engine.store.copying import copy_store
from resonance_engine.store.opening import open_store
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql_server import PostgresServer

ITEMS = 4
VECTORS = unit_vectors(ITEMS)


class Homes:
    """Libraries in folders of their own, all called library.db."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        self.server = server
        self.stack = ExitStack()

    def create(self, name: str, date: float, items: int = ITEMS) -> Path:
        """A library with items that were added on a date, and with all analysed, in a file beside it."""
        path = self.folder / name / "library.db"
        path.parent.mkdir()
        library = Library(str(path), "/music")
        for number in range(items):
            item = Item(title=f"{name} {number}", path=f"/music/{name}/{number}.flac".encode())
            library.add(item)
            item.added = date + number
            item.store()
        library._close()
        return path

    def open(self, path: Path, address: str = "") -> Sidecar:
        library = Library(str(path), "/music")
        self.stack.callback(library._close)
        return self.stack.enter_context(closing(Sidecar(library, Settings(sidecar=address))))

    def analyse(self, path: Path, address: str = "") -> Sidecar:
        """The sidecar of a library, with its items in it and a file that failed."""
        sidecar = self.open(path, address)
        store = sidecar.store
        store.models.register(MODEL)
        store.models.activate(MODEL.id)
        with store.write():
            for row in sidecar.rows():
                store.vectors.put(key(row.id), MODEL.id, Embedding(VECTORS[row.id % ITEMS]))
                store.tracks.link(sidecar.id, track(row.id, row.id, row.added))
            store.failures.record(sidecar.id, f"/music/{path.parent.name}/bad".encode(), 1, 1, "no audio")
        return sidecar

    def copy(self, path: Path) -> str:
        """Copy the sidecar of a library into a new database by the command; its address."""
        address = self.server.create_database()
        copy_sidecar(self.open(path), address)
        return address

    def copy_as_before(self, path: Path) -> str:
        """Copy it as earlier versions did: under the name of its file, in the database and in the file of names."""
        address = self.server.create_database()
        with open_store(address) as copy:
            copy_store(self.open(path).store, copy)
        path.with_name(FILE_NAME).write_text(json.dumps({"library.db": "library.db"}))
        return address


@pytest.fixture
def homes(tmp_path: Path, postgres: PostgresServer) -> Iterator[Homes]:
    homes = Homes(tmp_path, postgres)
    with homes.stack:
        yield homes


def libraries(address: str) -> list[LibraryRow]:
    with open_store(address) as store:
        return store.libraries.all()


def holds(sidecar: Sidecar) -> tuple[list[float], list[bytes]]:
    """The dates of the tracks of a library, and the paths that failed."""
    store = sidecar.store
    return [each.added for each in store.tracks.all(sidecar.id).values()], [*store.failures.all(sidecar.id)]


def default(path: Path) -> str:
    return f"{socket.gethostname()}:{path}"


class TestCopies:
    def test_a_copy_has_the_name_of_machine_and_path_in_the_database_and_beside_the_library(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        homes.analyse(path)
        [row] = libraries(homes.copy(path))
        assert row.name == default(path)
        assert json.loads(path.with_name(FILE_NAME).read_text()) == {"library.db": {"name": row.name, "uuid": row.uuid}}

    @pytest.mark.parametrize("copy", [Homes.copy, Homes.copy_as_before], ids=["now", "before"])
    def test_two_libraries_that_were_copied_are_two_in_the_database_of_the_one(
        self, homes: Homes, copy: object
    ) -> None:
        assert callable(copy)
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        kept = [holds(homes.analyse(path)) for path in (first, second)]
        one, other = copy(homes, first), copy(homes, second)
        assert holds(homes.analyse(second, one)) == kept[1]
        assert holds(homes.open(first, one)) == kept[0]
        assert {row.name for row in libraries(one)} == {default(first), default(second)}
        assert holds(homes.open(second, other)) == kept[1], "and there is what was copied"
        assert [row.name for row in libraries(other)] == [default(second)]

    def test_all_libraries_of_a_folder_are_named(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        other = path.with_name("other.db")
        other.write_bytes(path.read_bytes())
        kept = holds(homes.analyse(path)), holds(homes.analyse(other))
        homes.open(path).store.libraries.get_or_create("gone.db")
        address = homes.copy(path)
        assert [row.name for row in libraries(address)] == [
            default(path.with_name(f"{each}.db")) for each in ("library", "other", "gone")
        ]
        assert read_identities(path.parent).keys() == {"library.db", "other.db"}
        assert (holds(homes.open(path, address)), holds(homes.open(other, address))) == kept

    def test_there_and_back_and_there_it_is_the_same_one(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        kept = holds(homes.analyse(path))
        shared = homes.open(path, homes.copy(path))
        beside = homes.open(path).path
        for file in beside.parent.glob(f"{beside.name}*"):
            file.rename(file.with_name(file.name.replace(beside.name, "away.db")))
        copy_sidecar(shared, str(beside))
        assert [row.name for row in homes.open(path).store.libraries.all()] == ["library.db"]
        assert holds(homes.open(path)) == kept
        names = path.with_name(FILE_NAME)
        names.rename(path.with_name("away.json"))
        assert holds(homes.open(path)) == kept, "without the file of names, too"
        path.with_name("away.json").rename(names)
        again = homes.copy(path)
        assert libraries(again) == libraries(shared.settings.sidecar)
        assert holds(homes.open(path, again)) == kept

    def test_copies_of_a_shared_database_to_files(self, homes: Homes) -> None:
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        kept = holds(homes.analyse(first))
        address = homes.copy(first)
        kept_second = holds(homes.analyse(second, address))
        copy_sidecar(homes.open(second, address), str(second.with_name("resonance.db")))
        rows = homes.open(second).store.libraries.all()
        assert [row.name for row in rows] == [default(first), "library.db"]
        assert holds(homes.open(second)) == kept_second
        # And on from there, with what is of the first.
        again = homes.copy(second)
        assert libraries(again) == libraries(address)
        assert (holds(homes.open(first, again)), holds(homes.open(second, again))) == (kept, kept_second)

    def test_a_copy_of_the_folder_before_it_was_shared_is_another_library(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        homes.analyse(path)
        twin = homes.folder / "b" / "library.db"
        twin.parent.mkdir()
        for name in ("library.db", "resonance.db"):
            twin.with_name(name).write_bytes(path.with_name(name).read_bytes())
        one, other = homes.copy(path), homes.copy(twin)
        assert {libraries(one)[0].uuid} != {libraries(other)[0].uuid}
        assert holds(homes.open(twin, one)) == ([], [])

    def test_a_second_copy_into_one_database_is_refused_with_what_to_do_instead(self, homes: Homes) -> None:
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        for path in (first, second):
            homes.analyse(path)
        address = homes.copy(first)
        with pytest.raises(StoreError, match=r"not empty .*name it as `sidecar` .* and run `beet resonance analyze`"):
            copy_sidecar(homes.open(second), address)
        assert not second.with_name(FILE_NAME).exists()


class TestIdentities:
    def test_one_that_is_new_gets_machine_and_path(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        address = homes.server.create_database()
        number = homes.open(path, address).id
        [row] = libraries(address)
        assert (number, row.name) == (row.id, default(path))
        assert read_identities(path.parent) == {"library.db": Identity(row.name, row.uuid)}
        assert homes.open(path.with_name("other.db"), address).id != number

    def test_moved_or_on_another_machine_it_is_the_same_one(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        address = homes.server.create_database()
        number = homes.open(path, address).id
        moved = path.parent.rename(homes.folder / "elsewhere") / "library.db"
        assert homes.open(moved, address).id == number
        # A share: another path, and another name of the machine.
        remember_identity(moved, read_identities(moved.parent)["library.db"]._replace(name="nas:/srv/library.db"))
        assert homes.open(moved, address).id == number
        assert len(libraries(address)) == 1

    def test_processes_that_register_it_at_once_register_one(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        address = homes.server.create_database()
        sidecars = [homes.open(path, address) for _ in range(6)]
        ids: list[int] = []
        threads = [threading.Thread(target=lambda each=each: ids.append(each.id)) for each in sidecars]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ids == [1] * 6
        [row] = libraries(address)
        assert read_identities(path.parent) == {"library.db": Identity(row.name, row.uuid)}

    def test_the_file_beside_it_stays_its_own_while_it_is_shared(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        kept = holds(homes.analyse(path))
        assert holds(homes.open(path, homes.server.create_database())) == ([], [])
        assert holds(homes.open(path)) == kept

    def test_in_a_new_database_it_is_the_same_one(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        one, other = homes.server.create_database(), homes.server.create_database()
        for address in (one, other, one):
            assert homes.open(path, address).id == 1
        assert libraries(one) == libraries(other)

    def test_another_of_its_name_is_refused(self, homes: Homes) -> None:
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        address = homes.server.create_database()
        kept = holds(homes.analyse(first, address))
        [row] = libraries(address)
        for uuid in ("", "00000000-0000-0000-0000-000000000000"):
            remember_identity(second, Identity(row.name, uuid))
            refusal = f"has a library called {row.name} that is another one, by its tracks; nothing was changed"
            with pytest.raises(StoreError, match=refusal):
                homes.open(second, address).id  # noqa: B018 - it is looked up
        assert libraries(address) == [row]
        second.with_name(FILE_NAME).unlink()
        assert homes.open(second, address).id != row.id
        assert holds(homes.open(first, address)) == kept

    def test_of_two_machines_of_one_name_the_second_library_gets_another(self, homes: Homes) -> None:
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        address = homes.server.create_database()
        kept = holds(homes.analyse(first, address))
        run_sql(address, "UPDATE library SET name = %s, uuid = 'of the first'", (default(second),))
        assert holds(homes.analyse(second, address))[0] == [200, 201]
        names = [row.name for row in libraries(address)]
        assert names[1] == f"{default(second)} {libraries(address)[1].uuid[:8]}"
        assert [each.added for each in homes.open(first, address).store.tracks.all(1).values()] == kept[0]

    @pytest.mark.parametrize("content", ["", "[]", '{"library.db": 7}', "\xff", '{"library.db": ["a"]}', "{}"])
    def test_one_whose_file_of_names_is_lost_is_known_by_machine_path_and_tracks(
        self, homes: Homes, content: str
    ) -> None:
        path = homes.create("a", 100)
        address = homes.server.create_database()
        kept = holds(homes.analyse(path, address))
        before = path.with_name(FILE_NAME).read_text()
        path.with_name(FILE_NAME).write_bytes(content.encode("latin-1"))
        assert holds(homes.open(path, address)) == kept
        assert path.with_name(FILE_NAME).read_text() == before

    @pytest.mark.parametrize("is_empty", [False, True])
    def test_one_of_an_earlier_version_goes_on(self, homes: Homes, is_empty: bool) -> None:
        path = homes.create("a", 100, 0 if is_empty else ITEMS)
        address = homes.server.create_database()
        kept = holds(homes.analyse(path, address))
        [row] = libraries(address)
        path.with_name(FILE_NAME).write_text(json.dumps({"library.db": row.name}))
        assert holds(homes.open(path, address)) == kept
        assert read_identities(path.parent) == {"library.db": Identity(row.name, row.uuid)}

    def test_a_copy_that_lost_some_tracks_to_another_library_stays_with_the_first(self, homes: Homes) -> None:
        first, second = homes.create("a", 100), homes.create("b", 200, 2)
        homes.analyse(first)
        address = homes.copy_as_before(first)
        second.with_name(FILE_NAME).write_text(json.dumps({"library.db": "library.db"}))
        run_sql(address, "UPDATE track SET added = added + 100 WHERE item_id = 1")
        assert holds(homes.open(second, address)) == ([], [])
        assert len(holds(homes.open(first, address))[0]) == ITEMS

    def test_beside_one_that_cannot_be_written_to_nothing_is_kept_and_it_is_the_same_one(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        path.with_name(FILE_NAME).mkdir()  # as no user but root is kept from writing
        address = homes.server.create_database()
        for _ in range(2):
            assert homes.open(path, address).id == 1
        kept = holds(homes.analyse(path, address))
        path.with_name(FILE_NAME).rmdir()
        assert holds(homes.open(path, address)) == kept

    def test_a_role_that_may_only_read_finds_an_earlier_copy(self, homes: Homes) -> None:
        path = homes.create("a", 100)
        kept = holds(homes.analyse(path))
        address = homes.copy_as_before(path)
        rights = ("USAGE ON SCHEMA resonance", "SELECT ON ALL TABLES IN SCHEMA resonance")
        reader = homes.server.grant(address, "reader", *rights)
        for _ in range(2):
            assert holds(homes.open(path, reader)) == kept
        assert homes.open(homes.create("b", 200), reader).id == NO_LIBRARY
        assert [row.name for row in libraries(address)] == ["library.db"]
        assert holds(homes.open(path, address)) == kept
