"""A player of the OpenSubsonic API on the synthetic library, of which one track has a file and one album a cover."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.server.library_browser import LibraryBrowser
from beetsplug.resonance.server.library_collection import LibraryCollection
from resonance_engine.server.settings import ServerSettings
from resonance_engine.server.subsonic.passwords import PasswordFile
from tests.plugin.synthetic_library import SyntheticLibrary

if TYPE_CHECKING:
    from pathlib import Path

AUDIO = bytes(range(256)) * 40
COVER = b"\xff\xd8\xff\xe0 a cover"
WITH_FILE, SINGLE, ITS_ALBUM = 1, 62, 1
NUMBERS = re.compile(r"[0-9]+")


class SubsonicPlayer:
    """Calls methods of a server; its library and the folder of its playlists may be changed between them."""

    def __init__(self, folder: Path, settings: ServerSettings | None = None) -> None:
        from starlette.testclient import TestClient

        from resonance_engine.server.app import make_app
        from resonance_engine.server.subsonic.service import Service

        self.synthetic = SyntheticLibrary.create(folder)
        self.library = self.synthetic.lib
        self.lists = folder / "lists"
        self.lists.mkdir()
        self.audio, cover = folder / "song.mp3", folder / "cover.jpg"
        self.audio.write_bytes(AUDIO)
        cover.write_bytes(COVER)
        with self.library.transaction() as transaction:
            # beets would look for the album's other files, and there are none.
            path, art = os.fsencode(self.audio), os.fsencode(cover)
            transaction.mutate("UPDATE items SET path = ? WHERE id = ?", (memoryview(path), WITH_FILE))
            transaction.mutate("UPDATE albums SET artpath = ? WHERE id = ?", (memoryview(art), ITS_ALBUM))
        self.sidecar = Sidecar(self.library, runtime=self.synthetic.runtime)
        self.collection = LibraryCollection(self.sidecar, self.lists)
        self.browser = LibraryBrowser(self.collection)
        self.passwords = PasswordFile(folder / "passwords")
        self.service = Service(self.collection, self.browser, self.passwords)
        self.app = make_app(self.collection, settings or ServerSettings(), self.service)
        self.client = TestClient(self.app, "http://localhost")

    def close(self) -> None:
        self.sidecar.close()
        self.synthetic.close()

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """What a method answers, without what is in each answer; it is a failure where it has an "error"."""
        answer = self.client.get(f"/rest/{method}", params={"f": "json", **parameters})  # type: ignore[dict-item] # as httpx takes them
        record = dict(answer.json()["subsonic-response"])
        for name in ("version", "type", "serverVersion", "openSubsonic", "status"):
            del record[name]
        return record

    def error(self, method: str, **parameters: object) -> tuple[int, str]:
        failure = self.call(method, **parameters)["error"]
        return failure["code"], failure["message"]


def song_ids(songs: list[dict[str, Any]]) -> list[int]:
    return [int(song["id"]) for song in songs]


def album_ids(albums: list[dict[str, Any]]) -> list[int]:
    return [int(NUMBERS.findall(album["id"])[0]) for album in albums]
