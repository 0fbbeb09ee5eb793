"""Search by an audio file that is sent: kept in a temporary file, within limits of size and time, and analysed."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from resonance_engine.server.collection import Collection, MatchList
from resonance_engine.server.kept_uploads import KeptUploads
from resonance_engine.server.parameters import MatchParameters, make_parameters, to_query
from resonance_engine.server.settings import MEGABYTE, ServerSettings
from resonance_engine.server.work import WorkQueue

UPLOAD_PATH, KEPT_PATH = UPLOAD_PATHS = "/api/similar/audio", "/api/uploads"
MOST_UPLOADS = 4  # that arrive or are analysed at a time


class Upload(BaseModel):
    """The id of a file that was sent, and for how many seconds after its last use it is valid."""

    upload: str
    seconds: float


def make_upload_routes(collection: Collection, settings: ServerSettings, uploads: KeptUploads) -> APIRouter:
    """Return the routes that take an audio file."""
    router = APIRouter()
    parameters_of_similar = make_parameters("UploadParameters", collection.similar_options, MatchParameters)
    arriving = anyio.CapacityLimiter(MOST_UPLOADS)
    analysing = WorkQueue(1)  # each takes a worker process of its own
    described = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}

    @contextlib.asynccontextmanager
    async def received(request: Request) -> AsyncIterator[Path]:
        if arriving.available_tokens < 1:
            raise HTTPException(503, "Other files are being analysed; try again.", {"Retry-After": "5"})
        async with arriving:
            with temporary_file() as path:
                await receive(request, path, settings)
                yield path

    @router.post(UPLOAD_PATH, tags=["lists"], openapi_extra=described)
    async def find_similar_to_audio(
        request: Request,
        parameters: Annotated[parameters_of_similar, Query()],  # type: ignore[valid-type] # a model made above
    ) -> MatchList:
        """Return the tracks that are most similar to an audio file, which is the body of the request."""
        async with received(request) as path:
            return await analysing.run(collection.similar, replace(to_query(parameters), audio=path))

    @router.post(KEPT_PATH, tags=["lists"], status_code=201, openapi_extra=described)
    async def analyse_audio(request: Request) -> Upload:
        """Analyse an audio file, which is the body of the request, for searches that name it as `upload`."""
        async with received(request) as path:
            analysed = await analysing.run(collection.analyse, path)
        return Upload(upload=uploads.put(analysed), seconds=uploads.seconds)

    return router


@contextlib.contextmanager
def temporary_file() -> Iterator[Path]:
    """Make an empty temporary file, and delete it after the `with`; HTTPException where there is no room for it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="resonance-upload-")
    except OSError as error:
        raise no_room(error) from error
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def no_room(error: OSError) -> HTTPException:
    return HTTPException(503, f"The file cannot be kept: {error.strerror}.", {"Retry-After": "30"})


async def receive(request: Request, path: Path, settings: ServerSettings) -> None:
    """Write the body of a request to a file; HTTPException where it is empty, too large or too slow."""
    too_large = HTTPException(413, f"A file of up to {settings.upload_bytes // MEGABYTE:,} MB can be sent.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > settings.upload_bytes:
        raise too_large
    size = 0
    try:
        with anyio.fail_after(settings.upload_seconds):
            async with await anyio.open_file(path, "wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > settings.upload_bytes:
                        raise too_large
                    await file.write(chunk)
    except TimeoutError:
        raise HTTPException(408, f"The file did not arrive within {settings.upload_seconds:.0f} s.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The connection ended before the file had arrived.") from None
    except OSError as error:
        raise no_room(error) from error
    if not size:
        raise HTTPException(400, "Send the audio file as the body of the request.")
