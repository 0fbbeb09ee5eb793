"""Who may call the OpenSubsonic API: passwords, tokens, API keys, proxies, and the file that passwords are kept in."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.errors import ConfigError
from resonance_engine.server.settings import ServerSettings
from resonance_engine.server.subsonic.passwords import PasswordFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.fake_collection import FakeCollection

NO_BROWSER: Any = None  # the methods of these tests browse nothing
SALT = "c19b2d"
PUBLIC = ServerSettings(host="192.168.0.2", token="a token")  # noqa: S106 - of the tests


@pytest.fixture
def passwords(tmp_path: Path) -> PasswordFile:
    return PasswordFile(tmp_path / "passwords")


class Player:
    """A player that calls methods of a server at some address."""

    def __init__(
        self, collection: FakeCollection, passwords: PasswordFile, settings: ServerSettings, host: str = "localhost"
    ) -> None:
        from starlette.testclient import TestClient

        from resonance_engine.server.app import make_app
        from resonance_engine.server.subsonic.service import Service

        app = make_app(collection, settings, Service(collection, NO_BROWSER, passwords))
        self.client = TestClient(app, f"http://{host}")

    def call(self, method: str, headers: dict[str, str] | None = None, **parameters: str) -> dict[str, Any]:
        answer = self.client.get(f"/rest/{method}", params={"f": "json", **parameters}, headers=headers)
        assert answer.status_code == 200
        return dict(answer.json()["subsonic-response"])

    def code(self, method: str = "ping", headers: dict[str, str] | None = None, **parameters: str) -> int:
        """The code of the error that a method answers with, -1 for none."""
        record = self.call(method, headers, **parameters)
        assert (record["status"] == "ok") == ("error" not in record)
        return int(record.get("error", {"code": -1})["code"])


@pytest.fixture
def public(collection: FakeCollection, passwords: PasswordFile) -> Player:
    return Player(collection, passwords, PUBLIC, "192.168.0.2")


def sum_of(password: str) -> str:
    return hashlib.md5(f"{password}{SALT}".encode(), usedforsecurity=False).hexdigest()


class TestCredentials:
    def test_a_token_and_its_salt(self, public: Player, passwords: PasswordFile) -> None:
        password = passwords.add("phone")
        assert public.code(u="phone", t=sum_of(password), s=SALT) == -1
        assert public.code(u="phone", t=sum_of(password).upper(), s=SALT) == -1
        assert public.code(u="phone", t=sum_of(password), s="other") == 40
        assert public.code(u="tablet", t=sum_of(password), s=SALT) == 40

    def test_a_password_plain_or_in_digits(self, public: Player, passwords: PasswordFile) -> None:
        password = passwords.add("phone")
        assert public.code(u="phone", p=password) == -1
        assert public.code(u="phone", p="enc:" + password.encode().hex()) == -1
        assert public.code(u="phone", p=password + "x") == 40
        assert public.code(u="phone", p="enc:xyz") == 40

    def test_an_api_key(self, public: Player, passwords: PasswordFile) -> None:
        key = passwords.add("phone")
        passwords.add("tablet")
        assert public.call("tokenInfo", apiKey=key)["tokenInfo"] == {"username": "phone"}
        assert public.code(apiKey="nothing") == 44
        assert public.code(apiKey="") == 44

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({}, 10),
            ({"u": "phone"}, 10),
            ({"u": "phone", "t": "0" * 32}, 10),
            ({"p": "x"}, 10),
            ({"u": "phone", "apiKey": "x"}, 43),
            ({"p": "x", "apiKey": "x"}, 43),
            ({"u": "phone", "p": "x", "t": "0" * 32, "s": SALT}, 43),
            ({"u": "nobody", "p": ""}, 40),
            ({"u": "nobody", "t": sum_of(""), "s": SALT}, 40),
            ({"u": "phone", "p": "\u00e9"}, 40),
        ],
    )
    def test_what_is_no_credential(
        self, public: Player, passwords: PasswordFile, parameters: dict[str, str], code: int
    ) -> None:
        passwords.add("phone")
        assert public.code(**parameters) == code

    def test_they_count_in_a_form_too(self, public: Player, passwords: PasswordFile) -> None:
        form = {"apiKey": passwords.add("phone"), "f": "json"}
        assert public.client.post("/rest/ping.view", data=form).json()["subsonic-response"]["status"] == "ok"
        headers = {"Content-Type": "text/plain"}
        answer = public.client.post("/rest/ping", params={"f": "json"}, content="apiKey=x", headers=headers)
        assert answer.json()["subsonic-response"]["error"]["code"] == 10

    def test_one_is_revoked_at_once(self, public: Player, passwords: PasswordFile) -> None:
        key = passwords.add("phone")
        assert public.code(apiKey=key) == -1
        passwords.revoke("phone")
        assert public.code(apiKey=key) == 44
        assert public.code(u="phone", p=key) == 40

    def test_extensions_are_public(self, public: Player) -> None:
        names = [each["name"] for each in public.call("getOpenSubsonicExtensions")["openSubsonicExtensions"]]
        assert names == ["apiKeyAuthentication", "formPost", "sonicSimilarity", "topSongsByArtistId"]

    def test_the_token_of_the_page_is_no_password(self, public: Player) -> None:
        assert public.code(headers={"Authorization": "Bearer a token"}) == 10
        assert public.code(apiKey="a token") == 44

    def test_a_damaged_password_file_refuses_all(self, public: Player, passwords: PasswordFile) -> None:
        passwords.path.write_text("[1]")
        record = public.call("ping", apiKey="x")
        assert record["error"] == {"code": 0, "message": "The server's passwords cannot be read."}


class TestLoopback:
    def test_it_needs_none(self, collection: FakeCollection, passwords: PasswordFile) -> None:
        local = Player(collection, passwords, ServerSettings(), "127.0.0.1")
        assert local.code() == -1
        assert local.call("getUser", u="anna")["user"]["username"] == "anna"
        assert local.code(u="anna", p="whatever") == -1
        assert local.code(u="anna", apiKey="x") == 43

    @pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"])
    def test_through_a_proxy_it_does(self, collection: FakeCollection, passwords: PasswordFile, header: str) -> None:
        local = Player(collection, passwords, ServerSettings())
        assert local.code(headers={header: "192.168.0.9"}) == 10
        assert local.code(headers={header: "192.168.0.9"}, apiKey=passwords.add("phone")) == -1

    def test_with_another_name_it_does(self, collection: FakeCollection, passwords: PasswordFile) -> None:
        settings = ServerSettings(token="a token", names=("music.example.org",))  # noqa: S106 - of the tests
        assert Player(collection, passwords, settings, "music.example.org").code() == 10
        # A proxy may pass on its own name for the server.
        assert Player(collection, passwords, settings, "127.0.0.1").code() == 10


class TestOtherRules:
    def test_a_host_that_is_not_known_is_refused(self, public: Player) -> None:
        assert public.client.get("/rest/ping", headers={"Host": "evil.example"}).status_code == 421

    def test_another_site_is_refused(self, collection: FakeCollection, passwords: PasswordFile) -> None:
        local = Player(collection, passwords, ServerSettings())
        assert local.client.get("/rest/ping", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert local.client.post("/rest/ping", headers={"Origin": "http://evil.example"}).status_code == 403

    def test_nothing_else_is_open_without_the_token(self, public: Player) -> None:
        for path in ("/api/status", "/rest", "/audiomuse/api/health"):
            assert public.client.get(path).status_code == 401

    def test_no_secret_is_logged(
        self, public: Player, passwords: PasswordFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG", "resonance")
        caplog.set_level("DEBUG", "uvicorn")
        key = passwords.add("phone")
        public.code(apiKey=key)
        public.code(u="phone", p=key + "x")
        passwords.path.write_text("{")
        public.code(apiKey=key)
        own = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
        assert own
        assert not [line for line in own if key in line]


class TestPasswordFile:
    def test_it_is_for_its_owner_alone(self, passwords: PasswordFile) -> None:
        first, second = passwords.add("phone"), passwords.add("tablet")
        assert stat.S_IMODE(passwords.path.stat().st_mode) == 0o600
        assert json.loads(passwords.path.read_text()) == {"phone": first, "tablet": second}
        assert [path.name for path in passwords.path.parent.iterdir() if path.name.startswith(".passwords")] == []

    def test_one_that_was_open_to_others_is_closed(self, passwords: PasswordFile) -> None:
        passwords.path.write_text("{}")
        passwords.path.chmod(0o644)
        passwords.add("phone")
        assert stat.S_IMODE(passwords.path.stat().st_mode) == 0o600

    def test_passwords_are_long_and_differ(self, passwords: PasswordFile) -> None:
        values = {passwords.add(f"player{number}") for number in range(20)}
        assert len(values) == 20
        assert {len(value.replace("-", "")) for value in values} == {24}  # 5 bits each
        assert all(set(value) <= set("abcdefghijklmnopqrstuvwxyz234567-") for value in values)

    @pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 51, "a\n", "a&b"])
    def test_a_name_that_is_none(self, passwords: PasswordFile, name: str) -> None:
        with pytest.raises(ConfigError, match="A name has 1 to 50 letters"):
            passwords.add(name)
        assert not passwords.path.exists()

    def test_a_name_twice_or_never(self, passwords: PasswordFile) -> None:
        passwords.add("phone")
        with pytest.raises(ConfigError, match="a password for 'phone' already"):
            passwords.add("phone")
        with pytest.raises(ConfigError, match="no password for 'tablet'"):
            passwords.revoke("tablet")

    @pytest.mark.parametrize("content", [b"[]", b'{"a": 1}', b'{"a": ""}', b"{", b"\xff"])
    def test_a_damaged_one_is_left_as_it_is(self, passwords: PasswordFile, content: bytes) -> None:
        passwords.path.write_bytes(content)
        with pytest.raises(ConfigError, match="cannot be read as a file of passwords"):
            passwords.add("phone")
        assert passwords.path.read_bytes() == content
