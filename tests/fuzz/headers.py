"""Headers of answers, and bodies that say that they are packed."""

from __future__ import annotations

import asyncio
import gzip
import math
import zlib
from collections.abc import Mapping

from hypothesis import strategies as st

from exporter.sources import Answer
from exporter.transport._reading import beginning, whole
from exporter.transport._retrying import Again, Patience, Unusable, backoff, refill, retry_after, retryable
from tests.fuzz._inputs import mutated

NAMES: tuple[str, ...] = (
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "date",
    "content-encoding",
    "x-ratelimit-remaining-requests",
)
NAMES += ("x-ratelimit-limit-requests", "x-ratelimit-reset-requests")
TEXTS: tuple[str, ...] = (
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "1_0",
    "6m0s",
    "20ms",
    "1h2m3.5s",
    ".s",
    "1.2.3s",
    "true",
    "false",
    "gzip",
    "zstd",
    "br",
)
TEXTS += (
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Sat, 21 Nov 2026 05:00:00 -9999",
    "Mon, 00 Jan 0000 00:00:00",
    "deflate",
    "",
)
PACKED = mutated(gzip.compress(b"hello" * 50)) | mutated(zlib.compress(b"hello" * 50)) | st.binary(max_size=60)
BOMB = gzip.compress(b"\0" * 3_000_000)
INPUT = st.tuples(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS) | st.text(max_size=9), max_size=6),
    PACKED | st.just(BOMB),
    st.integers(100, 599),
)
ALLOWED = (Again, Unusable)
"Within the transport, which makes `Temporary` or `BadAnswer` of them."


class Wire:
    """A body as it comes."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers = status, headers
        self._pieces = [body[at : at + 40] for at in range(0, len(body), 40)]

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def aclose(self) -> None:
        return


def parse(data: tuple[Mapping[str, str], bytes, int]) -> None:
    headers, body, status = data
    wait = retry_after(headers)
    assert wait is None or (0 <= wait < math.inf)
    rate = refill(headers)
    assert rate is None or (0 < rate < math.inf)
    retryable(Answer(status, headers, body))
    assert backoff(Again("x", wait)) is False or backoff(Again("x", wait)) >= 0
    asyncio.run(beginning(Wire(status, headers, body), 100, Patience(60)))
    assert len(asyncio.run(whole(Wire(status, headers, body), 100_000, Patience(60)))) <= 100_000
