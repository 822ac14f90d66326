"""Bodies as they come in, a piece at a time: no answer makes us hold more than we are willing to."""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from exporter.transport._retrying import Again, Patience, Unusable
from exporter.transport._wire import Incoming

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 2**20
"Bytes that packed content is unpacked to at a time."
STEP = 2**14
"""Packed bytes that are looked at together: what follows one packed stream is copied by who unpacks it, and many tiny
ones would be copied each behind the other."""
HOLLOW = 2**18
"Bytes of packing beyond twice what was in it, at which no more of it is read."
PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"Content codings of zlib, and its word for them."
WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"What a packer may ask us to remember: 8 MiB, as RFC 9659 has it."


async def whole(incoming: Incoming, max_bytes: int, patience: Patience) -> bytes:
    """Return the unpacked body; `Unusable` as soon as it is longer than `max_bytes`."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(unpacked(incoming, patience)) as pieces:
        async for part in pieces:
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise Unusable(f"the body is longer than {max_bytes:,} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def beginning(incoming: Incoming, most: int, patience: Patience) -> bytes:
    """Return the first bytes of an error's body, as they come."""
    body = bytearray()
    try:
        while len(body) < most and (piece := await _next(incoming, patience)):
            body += piece
    finally:
        await incoming.aclose()
    return bytes(body[:most])


async def unpacked(incoming: Incoming, patience: Patience) -> AsyncGenerator[bytes, None]:
    """Yield the content of an answer in pieces, whole or not at all; none of them is empty.

    A download was asked for as it is. Stores keep some files packed and send them so all the same: then a packed stream
    that ends early is a broken connection, and a packing that cannot be undone in pieces is `Unusable`.
    """
    try:
        unpack = _unpacking(incoming.headers)
        while piece := await _next(incoming, patience):
            for part in unpack.feed(piece):
                yield part
    finally:
        await incoming.aclose()
    if not unpack.whole:
        raise Again("the packed content ended early")


@dataclass(slots=True)
class Held:
    """An answer whose body is here, packed as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    async def read(self) -> bytes:
        """Return the body, and then nothing."""
        body, self.body = self.body, b""
        return body

    async def aclose(self) -> None:
        """Nothing is open."""


async def held(incoming: Incoming, max_bytes: int, patience: Patience) -> Held:
    """Take an answer off the wire; `Unusable` as soon as its body is longer than `max_bytes`."""
    body = bytearray()
    try:
        while piece := await _next(incoming, patience):
            body += piece
            if len(body) > max_bytes:
                raise Unusable(f"the body is longer than {max_bytes:,} bytes")
    finally:
        await incoming.aclose()
    return Held(incoming.status, incoming.headers, bytes(body))


async def _next(incoming: Incoming, patience: Patience) -> bytes:
    """Return what came next; `Again`, and no more of it, where that takes too long."""
    piece = await incoming.read()
    if piece:
        patience.came(len(piece))
    return piece


class _Unpacking(Protocol):
    """Undoes a content coding, never more than a piece at a time, nor none; files joined to one count as one."""

    @property
    def whole(self) -> bool:
        """Whether the packed stream has come to its own end."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes stand for."""


def _unpacking(headers: Mapping[str, str]) -> _Unpacking:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return _AsItIs()
    if coding == "zstd":
        return _Measured(_Zstd())
    if coding in PACKED:
        return _Measured(_Zlib(PACKED[coding]))
    raise Unusable("the content came packed in a way that was not asked for, and that cannot be undone in pieces")


class _AsItIs:
    whole = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Measured:
    """Ends what is packing without content, of which no limit of the content would ever have enough."""

    def __init__(self, packing: _Unpacking) -> None:
        self._packing = packing
        self._packed = self._content = 0

    @property
    def whole(self) -> bool:
        return self._packing.whole

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), STEP):
            step = data[at : at + STEP]
            self._packed += len(step)
            for part in self._packing.feed(step):
                if part:
                    self._content += len(part)
                    yield part
            if self._packed > 2 * self._content + HOLLOW:
                raise Unusable("hardly anything is in the packed content")


class _Zlib:
    def __init__(self, how: int) -> None:
        self._how = how
        self._zlib = zlib.decompressobj(how)
        self._begun = False

    @property
    def whole(self) -> bool:
        return self._zlib.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
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


class _Zstd:
    def __init__(self) -> None:
        self._zstd = zstd.ZstdDecompressor(options=WINDOW)
        self._begun = False

    @property
    def whole(self) -> bool:
        return self._zstd.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        while data or not (self._zstd.eof or self._zstd.needs_input):
            if self._zstd.eof:
                self._zstd = zstd.ZstdDecompressor(options=WINDOW)
            try:
                part = self._zstd.decompress(data, PIECE)
            except zstd.ZstdError:
                raise Unusable("the content says that it is packed, and it cannot be unpacked") from None
            yield part
            data = self._zstd.unused_data if self._zstd.eof else b""
