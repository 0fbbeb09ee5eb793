"""Errors as problem details (RFC 9457): each is a JSON object with a type, a title, a status and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from resonance_engine.errors import AudioError, KilledWorkerError, ModelError, ResonanceError, WorkerStartError
from resonance_engine.server.collection import RequestError, UnavailableError, UnknownTrackError
from resonance_engine.server.request_log import LOG

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request took too long",
    409: "Not available now",
    413: "Too large",
    415: "Not an audio file",
    416: "No such range",
    421: "Wrong host",
    422: "The request is not understood",
    500: "A mistake of the program",
    503: "Busy",
}
STATUS_OF = (
    (RequestError, 422),
    (UnknownTrackError, 404),
    (UnavailableError, 409),
    (WorkerStartError, 503),
    (ModelError, 409),
)


def make_problem(status: int, detail: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a response with the problem of a status and a sentence about it."""
    title = TITLES.get(status, "Error")
    content: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        content["detail"] = detail
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def describe_problems() -> dict[int | str, dict[str, Any]]:
    """Return the responses that any request may have instead of its answer, as OpenAPI has them."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {name: {"type": "string"} for name in ("type", "title", "detail")}
        | {"status": {"type": "integer"}},
    }
    problem = {"description": "A problem (RFC 9457).", "content": {MEDIA_TYPE: {"schema": schema}}}
    return {422: problem, "4XX": problem, "5XX": problem}


def describe_validation(error: RequestValidationError) -> str:
    """Return a sentence on the first parameter that is not as it has to be."""
    first = error.errors()[0]
    place = [str(part) for part in first.get("loc", ()) if part not in ("query", "path", "body", "header")]
    return f"{'.'.join(place) or 'the request'}: {first.get('msg', 'is not valid')}"


async def answer_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for it"
    return make_problem(422, describe_validation(error))


async def answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for it"
    headers = dict(error.headers) if error.headers else None
    detail = "" if error.detail in TITLES.values() else str(error.detail)
    return make_problem(error.status_code, detail, headers)


async def answer_engine(_: Request, error: Exception) -> Response:
    if isinstance(error, KilledWorkerError):
        LOG.warning("a worker was killed: %s", error.reason)
        return make_problem(503, f"The file cannot be analysed now: {error.reason}.", {"Retry-After": "2"})
    if isinstance(error, AudioError):  # whose path is that of a temporary file
        return make_problem(415, f"The file cannot be analysed: {error.reason}.")
    status = next((status for kind, status in STATUS_OF if isinstance(error, kind)), 503)
    if status == 503:
        LOG.warning("%s", error)
        return make_problem(503, str(error), {"Retry-After": "2"})
    return make_problem(status, str(error))


async def answer_mistake(_: Request, error: Exception) -> Response:
    LOG.error("unexpected %s: %s", type(error).__name__, error)  # whose traceback uvicorn logs
    return make_problem(500, headers={"X-Content-Type-Options": "nosniff"})


def add_problems(app: FastAPI) -> None:
    """Let an application answer all errors as problems."""
    app.add_exception_handler(RequestValidationError, answer_validation)
    app.add_exception_handler(HTTPException, answer_http)
    app.add_exception_handler(ResonanceError, answer_engine)
    app.add_exception_handler(Exception, answer_mistake)
