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

    pause = 0.0
    """Seconds between two pieces."""

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

    async def end(self, scope: Scope, send: Send) -> None:  # noqa: ARG002 - others need the scope
        """End well."""
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, until the client goes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone = asyncio.ensure_future(_gone(receive))
        try:
            for part in self.parts():
                await send({"type": "http.response.body", "body": part, "more_body": True})
                await asyncio.sleep(self.pause)
                if gone.done():
                    return
            await self.end(scope, send)
        finally:
            gone.cancel()


class Drip(Sent):
    """The right content, in sixteen pieces, slowly."""

    pause = DRIP

    def parts(self) -> Iterator[bytes]:
        """Yield sixteen pieces."""
        return pieces(self.content, max(1, -(-size(self.content) // PIECES)))


class Truncated(Sent):
    """Half of what Content-Length promises, then the connection is gone."""

    def parts(self) -> Iterator[bytes]:
        """Yield the first half."""
        return pieces(head(self.content, size(self.content) // 2))

    async def end(self, scope: Scope, send: Send) -> None:  # noqa: ARG002 - it sends nothing more
        """Close the connection, once what was sent has left this machine."""
        await asyncio.sleep(DRIP)
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

    def parts(self) -> Iterator[bytes]:
        """Yield for ever."""
        return chain.from_iterable(map(pieces, repeat(self.content or b" ")))


class Short(Sent):
    """Content that is held anyway, at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send everything."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})


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
