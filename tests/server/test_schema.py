"""Requests made of the API's own description, right and wrong ones: none is a mistake of the program."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.conftest import TOKEN

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.server.fake_collection import FakeCollection

pytestmark = pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs schemathesis, of the extra dev")

EXAMPLES = 30  # of each operation
RIGHT, WRONG = range(200, 300), range(400, 500)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    from pathlib import Path

    from resonance_engine.server.app import make_app
    from resonance_engine.server.settings import ServerSettings
    from tests.server.fake_collection import FakeCollection

    return make_app(FakeCollection(Path("/none")), ServerSettings()).openapi()


def test_all_operations_are_described(description: dict[str, Any]) -> None:
    paths = {"/api/status", "/api/similar", "/api/similar/audio", "/api/recipes", "/api/tracks/{track_id}/audio"}
    assert paths <= description["paths"].keys()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["description"].endswith("."), (path, method)


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
def test_no_request_is_a_mistake(
    client: TestClient, collection: FakeCollection, description: dict[str, Any], is_right: bool
) -> None:
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode

    mode = GenerationMode.POSITIVE if is_right else GenerationMode.NEGATIVE
    schema = schemathesis.openapi.from_dict(description)
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            nonlocal count
            arguments = case.as_transport_kwargs(base_url="http://localhost")
            headers = {**arguments.pop("headers", {}), "Host": "localhost", "Authorization": f"Bearer {TOKEN}"}
            arguments = {
                name: arguments[name] for name in ("method", "url", "params", "json", "cookies") if name in arguments
            }
            answer = client.request(**arguments, headers=headers)
            assert answer.status_code in RIGHT or answer.status_code in WRONG, answer.text
            if answer.status_code in WRONG and case.method != "HEAD":
                assert answer.json()["status"] == answer.status_code
            count += 1

        send()
    assert count > EXAMPLES
    assert all(1 <= each <= 2**63 - 1 for query in collection.queries for each in query.seeds)
