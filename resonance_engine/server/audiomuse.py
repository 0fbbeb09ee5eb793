"""Similar tracks and paths for BeetstreamNext, which takes them from a server of AudioMuse-AI that its settings name.

The requests are the three of AudioMuse-AI that it sends: `similar_tracks`, `find_path` and `health`. A distance is 1
less the cosine of two embeddings, 1 at most.
"""

from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Query

from resonance_engine.server.collection import ListQuery, TrackRecord
from resonance_engine.server.parameters import Text
from resonance_engine.server.routes import LONGEST_PATH
from resonance_engine.server.subsonic.service import Service
from resonance_engine.server.work import WorkQueue

MOST_SIMILAR = 500
ITEM = "sg-"  # and a track's number: an id that BeetstreamNext understands


def make_audiomuse_routes(service: Service, queue: WorkQueue) -> APIRouter:
    """Return the routes that BeetstreamNext calls."""
    router = APIRouter(prefix="/audiomuse/api", include_in_schema=False)

    @router.get("/health")
    async def check_health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/similar_tracks")
    async def list_similar(item_id: Text, n: Annotated[int, Query(ge=1, le=MOST_SIMILAR)] = 10) -> list[dict[str, Any]]:
        """Return the tracks that are most similar to one, nearest first."""
        return await queue.run(find_similar, service, item_id, n)

    @router.get("/find_path")
    async def list_path(
        start_song_id: Text, end_song_id: Text, max_steps: Annotated[int, Query(ge=2, le=LONGEST_PATH)] = 25
    ) -> dict[str, Any]:
        """Return a path from one track to another."""
        return await queue.run(find_path, service, start_song_id, end_song_id, max_steps)

    return router


def find_similar(service: Service, identifier: str, count: int) -> list[dict[str, Any]]:
    """Return the tracks that are most similar to one, with their distances."""
    seed = service.browser.resolve_id(identifier)
    matches = service.collection.similar(ListQuery((seed,), options={"count": count})).matches
    return [{**describe(match.track), "distance": to_distance(match.score)} for match in matches]


def find_path(service: Service, start: str, end: str, count: int) -> dict[str, Any]:
    """Return the tracks of a path, and the sum of the distances between those that follow one another."""
    stops = [service.browser.resolve_id(identifier) for identifier in (start, end)]
    tracks = service.collection.path(stops, count).tracks
    total = 0.0
    for before, after in pairwise(tracks):
        total += to_distance(service.browser.similarities(before.id, [after.id]).get(after.id, 0.0))
    return {"path": [describe(track) for track in tracks], "total_distance": round(total, 4)}


def describe(track: TrackRecord) -> dict[str, Any]:
    return {"item_id": f"{ITEM}{track.id}", "title": track.title, "author": track.artist, "album": track.album}


def to_distance(score: float) -> float:
    return round(min(max(1.0 - score, 0.0), 1.0), 4)
