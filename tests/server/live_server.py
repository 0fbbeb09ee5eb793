"""The server on a free port of the loopback, in a thread of the test."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from resonance_engine.server.collection import Collection
    from resonance_engine.server.settings import ServerSettings
    from resonance_engine.server.subsonic.service import Service


class LiveServer:
    """Serves a collection from `with` to its end, as `run_server` does, but for signals."""

    def __init__(self, collection: Collection, settings: ServerSettings, service: Service | None = None) -> None:
        import uvicorn

        from resonance_engine.server.app import make_app
        from resonance_engine.server.run import server_config

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.server = uvicorn.Server(server_config(make_app(collection, settings, service)))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)

    def get(self, path: str) -> int:
        """The status of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()
