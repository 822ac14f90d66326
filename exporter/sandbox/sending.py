"""How an answer leaves: whole, slowly, broken, without end.

Every response here sends its content piece by piece, so that a large file is never held, and ends when the client goes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.sandbox.content import Content, head, pieces, size

TRANSPORT = "exporter.sandbox.transport"
PIECES = 16
DRIP = 0.02
PROMISED = 10
"""How many bytes more than it sends a response of the wrong length promises."""


class Sent(Response):
    """The whole content, with its length."""

    def __init__(self, content: Content, status: int, headers: Mapping[str, str]) -> None:
        length = {"content-length": str(self.promised(content))}
        super().__init__(b"", status, {**headers, **length})
        self.content = content

    def promised(self, content: Content) -> int:
        """Return what Content-Length says."""
        return size(content)

    def parts(self) -> Iterator[bytes]:
        """Yield what is sent."""
        return pieces(self.content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send everything."""
        await self.begin(send)
        for part in self.parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def begin(self, send: Send) -> None:
        """Send status and headers."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


class Drip(Sent):
    """The right content, in sixteen pieces, slowly."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send everything, with pauses."""
        await self.begin(send)
        for part in pieces(self.content, max(1, -(-size(self.content) // PIECES))):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(DRIP)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Truncated(Sent):
    """Half of what Content-Length promises, then the connection is gone."""

    def parts(self) -> Iterator[bytes]:
        """Yield the first half."""
        return pieces(head(self.content, size(self.content) // 2))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send what there is and close."""
        await self.begin(send)
        for part in self.parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(DRIP)  # let it leave this machine
        transport = scope.get(TRANSPORT)
        if transport is not None:
            transport.close()


class WrongLength(Truncated):
    """Everything, but Content-Length promises more."""

    def promised(self, content: Content) -> int:
        """Return too much."""
        return size(content) + PROMISED

    def parts(self) -> Iterator[bytes]:
        """Yield everything."""
        return pieces(self.content)


class NoLength(Sent):
    """The right content without Content-Length: in chunks."""

    def __init__(self, content: Content, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(content, status, headers)
        del self.headers["content-length"]


class Endless(NoLength):
    """The right content again and again, until the client goes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send until nobody listens."""
        gone = asyncio.ensure_future(_gone(receive))
        await self.begin(send)
        for part in chain.from_iterable(map(pieces, repeat(self.content or b" "))):
            if gone.done():
                return
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)


class Reset(Sent):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Close at once, with RST instead of FIN."""
        transport = scope.get(TRANSPORT)
        if transport is None:
            return
        sock: Any = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
