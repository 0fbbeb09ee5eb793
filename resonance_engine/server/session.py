"""What needs the server's token: sessions of browsers, which carry it in a cookie, and writing."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from resonance_engine.server.access import COOKIE, is_equal, matches_token
from resonance_engine.server.collection import Collection
from resonance_engine.server.parameters import Ids, make_parameters, to_query
from resonance_engine.server.settings import ServerSettings
from resonance_engine.server.work import WorkQueue

LONGEST_NAME = 100
NEEDS_TOKEN = "Only who has the server's token may write."  # noqa: S105 - a sentence
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class SessionRequest(BaseModel):
    """The server's token, as it was printed when the server started."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=200)]


class SavedRecipe(BaseModel):
    """The file that was written."""

    file: str


def make_write_routes(collection: Collection, settings: ServerSettings, queue: WorkQueue) -> APIRouter:
    """Return the routes of sessions and of what is written."""
    router = APIRouter(prefix="/api")
    parameters = make_parameters("RecipeParameters", collection.playlist_options)

    class RecipeRequest(BaseModel):
        """A playlist to save: the name of its file, its tracks, and the options by which gaps in it are filled."""

        model_config = ConfigDict(extra="forbid")

        name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
        options: parameters  # type: ignore[valid-type] # a model made above
        tracks: Ids = Field([], description="the tracks of the list, in order; without, those that the options find")

    @router.post("/session", tags=["access"], status_code=204)
    async def begin_session(request: Request, given: SessionRequest) -> Response:
        """Let a browser that has the token write, and read where that needs it."""
        if not is_equal(given.token, settings.token):
            raise HTTPException(401, "That is not the server's token.", CHALLENGE)
        response = Response(status_code=204)
        is_secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, settings.token, httponly=True, samesite="strict", secure=is_secure, path="/")
        return response

    @router.post("/recipes", tags=["lists"], status_code=201)
    async def save_recipe(request: Request, recipe: RecipeRequest) -> SavedRecipe:
        """Save a playlist, with the recipe to refresh it by, in the folder that the configuration names."""
        if not matches_token(settings.token, request.headers):
            raise HTTPException(401, NEEDS_TOKEN, CHALLENGE)
        query = to_query(recipe.options)
        return SavedRecipe(file=await queue.run(collection.save_recipe, recipe.name, query, recipe.tracks))

    return router
