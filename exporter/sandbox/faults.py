"""What goes wrong with a whole answer: HTTP errors, wrong bodies, broken connections.

`Trouble` decides which request is struck; `spoiled` turns an honest answer into the one that is sent; `Breaking` is
a response that does not end well.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.sandbox.answers import Answer, error, unknown_url
from exporter.sandbox.switches import Switches

TRANSPORT = "exporter.sandbox.transport"
PIECES = 16
DRIP = 0.02

PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"

INSTEAD: dict[str, Callable[[str, str], Answer]] = {
    "error_500": lambda *_: error(500, "The server had an error while processing your request.", kind="server_error"),
    "error_503": lambda *_: error(
        503, "The engine is currently overloaded, please try again later.", kind="overloaded"
    ),
    "quota": lambda *_: error(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
        x_should_retry="false",
    ),
    "api_removed": unknown_url,
    "wrong_region": lambda *_: error(
        401, "You must use the hostname of your project's region.", code="incorrect_hostname"
    ),
    "html": lambda *_: Answer(200, PAGE, {"content-type": "text/html"}),
    "html_502": lambda *_: Answer(502, PAGE, {"content-type": "text/html"}),
    "empty_body": lambda *_: Answer(200, b""),
}
"""Faults that need no honest answer: the request does nothing."""

SPOILED: dict[str, Callable[[Answer], Answer]] = {
    "malformed_json": lambda a: Answer(a.status, a.body[:-1] + b",,", a.headers),
    "cut_json": lambda a: Answer(a.status, a.body[: len(a.body) // 2], a.headers),
    "wrong_content_type": lambda a: Answer(a.status, a.body, a.headers | {"content-type": "text/plain"}),
}
"""Faults that spoil the honest answer."""


class Trouble:
    """Which requests are struck: it counts from each change of the switches."""

    def __init__(self) -> None:
        self._switches: Switches | None = None
        self._seen = self._struck = 0

    def strikes(self, switches: Switches, path: str) -> str:
        """Return the fault that this request meets; "" for none."""
        if switches is not self._switches:
            self._switches, self._seen, self._struck = switches, 0, 0
        if not switches.fault or switches.only not in path:
            return ""
        self._seen += 1
        if self._seen % max(1, switches.every) or (switches.times and self._struck >= switches.times):
            return ""
        self._struck += 1
        return switches.fault


def response(answer: Answer, fault: str = "") -> Response:
    """Return what Starlette sends for an answer that meets a fault."""
    if fault in SPOILED:
        answer = SPOILED[fault](answer)
    if fault in BREAKING:
        return BREAKING[fault](answer.body, answer.status, answer.headers)
    return Response(answer.body, answer.status, answer.headers)


class Reset(Response):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Reset the connection."""
        _reset(scope.get(TRANSPORT))


class Truncated(Response):
    """Half of what Content-Length promises, then the connection is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the first half and close."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(DRIP)  # let the half leave this machine
        transport = scope.get(TRANSPORT)
        if transport is not None:
            transport.close()


class Drip(Response):
    """The right body, piece by piece."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the body slowly."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        size = max(1, -(-len(body) // PIECES))
        for start in range(0, len(body), size):
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
            await asyncio.sleep(DRIP)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


BREAKING: dict[str, type[Response]] = {"reset": Reset, "truncated": Truncated, "slow_drip": Drip}
"""Faults of the connection."""


def _reset(transport: Any) -> None:
    """Close at once, with RST instead of FIN."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
