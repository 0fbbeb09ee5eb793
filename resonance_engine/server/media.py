"""Audio files and covers of tracks, to be played and shown by a browser."""

from __future__ import annotations

import hashlib
import mimetypes
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from resonance_engine.server.collection import Collection, UnknownTrackError
from resonance_engine.server.routes import TrackId  # noqa: TC001 - read by FastAPI

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.server.work import WorkQueue

# As browsers know them; Python's table has none of these, or others.
AUDIO_TYPES = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
}
OTHER_TYPE = "application/octet-stream"
SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
COVER_AGE = 3600  # seconds
KEPT = {"Cache-Control": f"private, max-age={COVER_AGE}"}  # by browsers
KEPT_MISSING = {"Cache-Control": "private, max-age=60"}
TAG_DIGITS = 32


def make_media_routes(collection: Collection, queue: WorkQueue) -> APIRouter:
    """Return the routes of audio files and covers."""
    router = APIRouter(prefix="/api/tracks", tags=["tracks"])

    @router.head("/{track_id}/audio", include_in_schema=False)
    @router.get("/{track_id}/audio", response_class=FileResponse)
    async def read_audio(track_id: TrackId) -> FileResponse:
        """Return the audio file of a track, or the ranges of it that are wanted."""
        path = await queue.run(existing_file, collection, track_id)
        return FileResponse(path, media_type=audio_type(path), content_disposition_type="inline")

    @router.get("/{track_id}/cover", response_class=Response)
    async def read_cover(track_id: TrackId, request: Request) -> Response:
        """Return the cover of a track; nothing new where the browser has it."""
        try:
            content, media_type = await queue.run(collection.cover, track_id)
        except UnknownTrackError as error:
            raise HTTPException(404, str(error), KEPT_MISSING) from error
        tag = f'"{hashlib.sha256(content).hexdigest()[:TAG_DIGITS]}"'
        headers = {**KEPT, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return router


def existing_file(collection: Collection, track_id: int) -> Path:
    """Return the audio file of a track; UnknownTrackError where it is not there."""
    path = collection.file(track_id)
    if not path.is_file():
        raise UnknownTrackError("The file of this track is not there.")
    return path


def audio_type(path: Path) -> str:
    """Return the media type of an audio file, by its suffix; never one that a browser runs or renders."""
    suffix = path.suffix.lower()
    guessed = AUDIO_TYPES.get(suffix) or mimetypes.types_map.get(suffix, OTHER_TYPE)
    return guessed if guessed.startswith("audio/") else OTHER_TYPE


def image_type(content: bytes) -> str | None:
    """Return the media type of an image, by its first bytes; None for what is no image that browsers show."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in SIGNATURES if content.startswith(signature)), None)
