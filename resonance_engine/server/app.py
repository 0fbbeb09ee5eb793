"""The application: routes over a collection, the page's files, access control, errors as problems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.staticfiles import StaticFiles

from resonance_engine import __version__
from resonance_engine.server.access import AccessControl
from resonance_engine.server.audiomuse import make_audiomuse_routes
from resonance_engine.server.kept_uploads import KeptUploads
from resonance_engine.server.limits import BodyLimit
from resonance_engine.server.media import make_media_routes
from resonance_engine.server.problems import add_problems, describe_problems
from resonance_engine.server.request_log import RequestLog
from resonance_engine.server.routes import make_routes
from resonance_engine.server.session import make_write_routes
from resonance_engine.server.subsonic.routes import make_subsonic_routes
from resonance_engine.server.uploads import UPLOAD_PATHS, make_upload_routes
from resonance_engine.server.work import WorkQueue

if TYPE_CHECKING:
    from starlette.responses import Response

    from resonance_engine.server.collection import Collection
    from resonance_engine.server.settings import ServerSettings
    from resonance_engine.server.subsonic.service import Service

PAGE = Path(__file__).parent / "page"
UNCHANGED = {"Cache-Control": "no-cache"}  # kept by a browser, and used once the server says that it is the same


class PageFiles(StaticFiles):
    """Files of the page; after an update, no browser goes on with a mixture of old and new ones."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or that it is unchanged."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(UNCHANGED)
        return response


def make_app(collection: Collection, settings: ServerSettings, service: Service | None = None) -> FastAPI:
    """Return the application that answers from a collection; with a service, players are answered, too."""
    app = FastAPI(
        title="Resonance",
        version=__version__,
        summary="Find and play music that sounds alike, from one's own library.",
        openapi_url="/api/openapi.json",
        responses=describe_problems(),
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
    )
    add_problems(app)
    queue = WorkQueue(settings.threads)
    uploads = KeptUploads()
    app.include_router(make_routes(collection, queue, uploads))
    app.include_router(make_media_routes(collection, queue))
    app.include_router(make_upload_routes(collection, settings, uploads))
    app.include_router(make_write_routes(collection, settings, queue))

    if service is not None:
        app.include_router(make_subsonic_routes(service, settings, queue))
        app.include_router(make_audiomuse_routes(service, queue))

    @app.get("/healthz", include_in_schema=False)
    async def check_health() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/", include_in_schema=False)
    async def read_page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=UNCHANGED)

    app.mount("/static", PageFiles(directory=PAGE))
    app.add_middleware(BodyLimit, unlimited=UPLOAD_PATHS)
    app.add_middleware(AccessControl, settings=settings)
    app.add_middleware(RequestLog)  # the outermost
    return app
