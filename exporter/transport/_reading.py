"""Bodies as they come in, a piece at a time: no answer makes us hold more than we are willing to.

Errors of the HTTP library end here, like the SDK's in the room above.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from exporter.transport._retrying import Again, Patience, Unusable

if TYPE_CHECKING:
    import httpx2

PIECE = 2**20
"Bytes that packed content is unpacked to at a time."
PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"Content codings that can be undone in pieces, and zlib's word for them."


async def whole(response: httpx2.Response, max_bytes: int, patience: Patience) -> bytes:
    """Return the unpacked body; `Unusable` as soon as it is longer than `max_bytes`."""
    body = bytearray()
    async with aclosing(_arriving(response.aiter_bytes(), response, patience)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > max_bytes:
                raise Unusable(f"the body is longer than {max_bytes:,} bytes")
    return bytes(body)


async def beginning(response: httpx2.Response, most: int, patience: Patience) -> bytes:
    """Return the first bytes of an error's body."""
    body = bytearray()
    async with aclosing(_arriving(response.aiter_bytes(), response, patience)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) >= most:
                break
    return bytes(body[:most])


async def unpacked(response: httpx2.Response, patience: Patience) -> AsyncGenerator[bytes, None]:
    """Yield the content of a download in pieces, whole or not at all.

    It was asked for as it is. Stores keep some files packed and send them so all the same: then a packed stream that
    ends early is a broken connection, and a packing that cannot be undone in pieces is `Unusable`.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", *PACKED):
        raise Unusable("the content came packed in a way that was not asked for, and that cannot be undone in pieces")
    unpack = _Unpack(PACKED[coding]) if coding in PACKED else None
    async with aclosing(_arriving(response.aiter_raw(), response, patience)) as pieces:
        async for piece in pieces:
            if unpack is None:
                yield piece
                continue
            for part in unpack.feed(piece):
                yield part
    if unpack is not None and not unpack.whole:
        raise Again("the packed content ended early")


async def _arriving(
    pieces: AsyncIterator[bytes], response: httpx2.Response, patience: Patience
) -> AsyncGenerator[bytes, None]:
    """Pass on what comes, closing the response at the end; what breaks it off is `Again`, without the cause."""
    import httpx2

    trouble: Again | None = None
    try:
        async for piece in pieces:
            patience.received += len(piece)
            if patience.over:
                trouble = Again("the answer came too slowly", retry_after=float("inf"))
                break
            yield piece
    except (httpx2.TimeoutException, TimeoutError):
        trouble = Again("no answer in time")
    except httpx2.RequestError as error:
        trouble = Again(f"no whole answer came ({type(error).__name__})")
    finally:
        await response.aclose()
    # raised outside of the handlers: the library's exception holds the request, and so the key
    if trouble is not None:
        raise trouble


class _Unpack:
    """Undoes gzip or deflate, never more than a piece at a time; files joined to one count as one."""

    def __init__(self, how: int) -> None:
        self._how = how
        self._zlib = zlib.decompressobj(how)
        self._begun = False

    @property
    def whole(self) -> bool:
        """Whether the packed stream has come to its own end."""
        return self._zlib.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes stand for."""
        while data:
            if self._zlib.eof:
                self._zlib = zlib.decompressobj(self._how)
            self._begun = True
            try:
                part = self._zlib.decompress(data, PIECE)
            except zlib.error:
                raise Unusable("the content says that it is packed, and it cannot be unpacked") from None
            yield part
            data = self._zlib.unconsumed_tail or self._zlib.unused_data
