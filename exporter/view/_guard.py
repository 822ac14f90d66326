"""Who may ask, and the headers of every answer.

The idea: one gate before everything. Web pages of others reach a local server in three ways: under another name that
leads here (the Host header tells), as a request across sites (the browser tells), and by guessing (the token tells).
Whatever passes may only read.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "HEAD")
OURS = ("same-origin", "none")
"What a browser says of a request that comes from our own page, or from who typed the address."
STRANGER = """This is a local archive of conversations. It opens with the address that `exporter view` printed:
http://.../?token=...

Copy that address from the terminal into the address bar. If the terminal is closed, run `exporter view` again.
"""
ELSEWHERE = """This request came from another site, so it was refused.

To open the archive, paste the address that `exporter view` printed into the address bar.
"""


class Guard:
    """Lets only those through who may ask; whatever is answered gets the headers."""

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = tuple(hosts)
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"exporter-{self._hosts[0].rpartition(':')[2]}"
        "Cookies are sent to every port of a host, so the name tells which one."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let answer."""
        if scope["type"] != "http":
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refused(scope) or self._welcome(scope) or (None if self._is_known(scope) else _no_token())
        await (answer or self._app)(scope, receive, headed)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in METHODS:
            return PlainTextResponse("This page can only be read.\n", 405, {"Allow": ", ".join(METHODS)})
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return PlainTextResponse("There is no such host here.\n", 421)
        sites = headers.getlist("sec-fetch-site")
        origins = headers.getlist("origin")
        if any(site not in OURS for site in sites) or any(
            origin not in [f"http://{host}" for host in self._hosts] for origin in origins
        ):
            return PlainTextResponse(ELSEWHERE, 403)
        return None

    def _welcome(self, scope: Scope) -> Response | None:
        """Take the token, leave a cookie, and go on to the address without it."""
        params = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in params if name == "token"]
        if not tokens:
            return None
        if len(tokens) > 1 or not _same(tokens[0], self._token):
            return _no_token()
        rest = urlencode([(name, value) for name, value in params if name != "token"])
        path = quote("/" + scope["path"].lstrip("/"), safe="/:@!$&'()*+,;=~-._")
        response = Response(status_code=303, headers={"Location": f"{path}{f'?{rest}' if rest else ''}"})
        response.set_cookie(self._cookie, self._session, path="/", httponly=True, samesite="strict")
        return response

    def _is_known(self, scope: Scope) -> bool:
        return any(_same(value, self._session) for value in _cookies(Headers(scope=scope), self._cookie))


def _cookies(headers: Headers, name: str) -> list[str]:
    found: list[str] = []
    for line in headers.getlist("cookie"):
        jar = SimpleCookie()
        try:
            jar.load(line)
        except CookieError:
            continue
        found += [jar[name].value] if name in jar else []
    return found


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _no_token() -> Response:
    return PlainTextResponse(STRANGER, 403)
