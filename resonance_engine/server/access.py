"""Who may send a request: the host it names, the page it comes from, its token; and the headers of every response.

A page on another site can make a browser send requests to a local server. It cannot read the answers, for no response
allows another origin, and it is refused by what browsers say of a request (Fetch Metadata, `Origin`). That another
site's name points to a local address (DNS rebinding) is seen by `Host`. Where a proxy passes requests on, other
machines reach the server at a local address; it needs a token then, too.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from resonance_engine.server.problems import make_problem
from resonance_engine.server.settings import LOOPBACK_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resonance_engine.server.settings import ServerSettings

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
COOKIE = "resonance_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
RESPONSE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TRUSTED_SITES = frozenset({"same-origin", "none"})
OPEN_PATHS = frozenset({"/healthz", "/", "/api/session"})  # they show nothing of the collection
STATIC = "/static/"
REST = "/rest/"  # whose requests carry credentials of their own


class AccessControl:
    """Middleware (ASGI) that refuses requests which may not be answered, and adds headers to responses."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self.app, self.settings = app, settings
        self.hosts = settings.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in RESPONSE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self.refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
            return
        status, detail = refusal
        challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await make_problem(status, detail, challenge)(scope, receive, send_with_headers)

    def refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Return status and sentence where a request may not be answered, None where it may."""
        host = headers.get("host", "")
        if host_name(host) not in self.hosts:
            return 421, "This server is not known by that name; start it with --allow-host to add one."
        site = headers.get("sec-fetch-site", "none")
        navigates = headers.get("sec-fetch-mode") == "navigate" and method == "GET"
        if site not in TRUSTED_SITES and not (navigates and path == "/"):
            return 403, "The request comes from another site."
        origin = headers.get("origin")
        if method not in SAFE and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "The request comes from another site."
        if self.needs_token(path, headers) and not matches_token(self.settings.token, headers):
            return 401, "Send the server's token as `Authorization: Bearer TOKEN`."
        return None

    def needs_token(self, path: str, headers: Headers) -> bool:
        """Whether a path needs a token; those that write check it by themselves, and players have passwords."""
        is_open = path in OPEN_PATHS or path.startswith((STATIC, REST))
        return not is_open and may_be_remote(self.settings, headers)


def may_be_remote(settings: ServerSettings, headers: Mapping[str, str]) -> bool:
    """Whether a request may come from another machine: by the address, by the host it names, or through a proxy."""
    if settings.is_shared or host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
        return True
    return any(name in headers for name in PROXY_HEADERS)


def host_name(host: str) -> str:
    """Return the name in a `Host` header, without its port, lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def matches_token(token: str, headers: Headers) -> bool:
    """Whether a request carries the token, in a header or in the cookie of a session; compared in constant time."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_equal(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and is_equal(cookie.value, token)


def is_equal(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
