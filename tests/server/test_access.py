"""Who is answered: hosts, sites, tokens; and the headers of what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import ConfigError
from resonance_engine.server.settings import ServerSettings
from tests.server.conftest import TOKEN

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.server.fake_collection import FakeCollection

RECIPE = {"name": "Evening", "options": {"id": [1], "count": 5}}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class TestHosts:
    @pytest.mark.parametrize("host", ["localhost", "localhost:8338", "127.0.0.1:1", "[::1]:8338", "LOCALHOST"])
    def test_the_loopback_is_known(self, client: TestClient, host: str) -> None:
        assert client.get("/api/status", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8338", "[::2]", ""]
    )
    def test_a_name_that_points_here_is_not(self, client: TestClient, host: str) -> None:
        answer = client.get("/api/status", headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json()["title"] == "Wrong host"

    def test_a_name_of_a_proxy_may_be_added(self) -> None:
        assert "music.example" in ServerSettings(names=("Music.Example",), token=TOKEN).hosts


class TestSites:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_another_site_is_refused(self, client: TestClient, site: str) -> None:
        assert client.get("/api/similar?id=1", headers={"Sec-Fetch-Site": site}).status_code == 403

    def test_a_link_to_the_page_is_not(self, client: TestClient) -> None:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert client.get("/", headers=headers).status_code == 200
        assert client.get("/api/status", headers=headers).status_code == 403

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
    def test_another_origin_sends_nothing(self, client: TestClient, collection: FakeCollection, origin: str) -> None:
        headers = {"Origin": origin, **BEARER}
        assert client.post("/api/recipes", json=RECIPE, headers=headers).status_code == 403
        assert client.post("/api/similar/audio", content=b"x", headers=headers).status_code == 403
        assert not collection.saved
        assert not collection.uploads

    def test_no_other_origin_may_read(self, client: TestClient) -> None:
        answer = client.get("/api/status", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
        assert client.options("/api/status", headers={"Origin": "http://evil.example"}).status_code in (403, 405)


class TestTokens:
    def test_writing_takes_one(self, client: TestClient, collection: FakeCollection) -> None:
        answer = client.post("/api/recipes", json=RECIPE)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert not collection.saved
        assert client.post("/api/recipes", json=RECIPE, headers=BEARER).json() == {"file": "Evening.m3u8"}
        assert collection.saved["Evening"].options == {"count": 5}
        listed = {**RECIPE, "tracks": [4, 1, 4]}
        assert client.post("/api/recipes", json=listed, headers=BEARER).status_code == 201
        assert collection.listed["Evening"] == [4, 1, 4]

    @pytest.mark.parametrize("given", ["", "a", "A token", f"{TOKEN} ", f"{TOKEN}x", "ü"])
    def test_nothing_else_will_do(self, client: TestClient, given: str) -> None:
        headers = {"Authorization": f"Bearer x{given}".encode()}
        assert client.post("/api/recipes", json=RECIPE, headers=headers).status_code == 401
        if given.strip() != TOKEN:
            assert client.post("/api/session", json={"token": given}).status_code == 401

    def test_a_session_carries_it(self, client: TestClient) -> None:
        answer = client.post("/api/session", json={"token": TOKEN})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.post("/api/recipes", json=RECIPE).status_code == 201

    def test_a_public_address_takes_one_to_read(self, collection: FakeCollection) -> None:
        from starlette.testclient import TestClient

        from resonance_engine.server.app import make_app

        settings = ServerSettings("0.0.0.0", token=TOKEN)  # noqa: S104 - never bound
        client = TestClient(make_app(collection, settings), "http://localhost")
        assert client.get("/api/status").status_code == 401
        assert client.get("/api/tracks/1/audio").status_code == 401
        assert client.get("/api/openapi.json").status_code == 401
        assert client.get("/healthz").text == "ok"
        assert client.get("/").status_code == 200
        assert client.get("/api/status", headers=BEARER).status_code == 200

    @pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
    def test_a_proxy_passes_on_what_takes_one(self, client: TestClient, header: str) -> None:
        assert client.get("/api/status", headers={header: "192.0.2.7"}).status_code == 401
        assert client.get("/api/status", headers={header: "192.0.2.7", **BEARER}).status_code == 200

    def test_a_name_that_a_proxy_passes_on_takes_one(self, collection: FakeCollection) -> None:
        from starlette.testclient import TestClient

        from resonance_engine.server.app import make_app

        settings = ServerSettings(names=("music.example",), token=TOKEN)
        client = TestClient(make_app(collection, settings), "http://music.example")
        assert client.get("/api/status").status_code == 401
        assert client.get("/api/status", headers=BEARER).status_code == 200

    def test_without_one_no_public_address(self) -> None:
        with pytest.raises(ConfigError, match="needs a token"):
            ServerSettings("192.168.1.5")

    @pytest.mark.parametrize(
        ("host", "public"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("::", True)]
    )
    def test_which_addresses_are_public(self, host: str, public: bool) -> None:
        assert ServerSettings(host, token=TOKEN).is_public is public


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/nothing", "/static/nothing", "/api/tracks/1/cover"])
def test_all_answers_have_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
