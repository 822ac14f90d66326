"""The seam between what we decide of a request and what carries it: one question out, one answer coming in.

Two things carry: the SDK's own client (`_sdk`) and a lean one (`_lean`). Everything else is the same code over both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

Method = Literal["GET", "DELETE"]
"All that we ever do to a server."

ACCEPTED = "zstd, gzip"
"Content codings that lists and objects are asked for in, the better first."


class Incoming(Protocol):
    """An answer whose body is still on the wire."""

    status: int
    headers: Mapping[str, str]
    "Keys in lower case."

    async def read(self) -> bytes:
        """Return what came next of the body, packed as it is; nothing at its end. `Again` where it breaks off."""

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""


class Wire(Protocol):
    """Carries requests of one profile to its endpoint, opened when it is first used."""

    async def send(self, target: str, headers: Mapping[str, str], method: Method = "GET") -> tuple[Incoming, int]:
        """Ask for a path with its query under the endpoint, as the profile; return what comes, and the token's hash.

        Whatever the status: no redirect is followed, nothing is tried again. `headers` win over the profile's own.
        Raises `Again` and `Unusable`, `ProfileUnusable` where no connection can be made from here at all, and what
        the login raises; none of them holds the request, and so the key.
        """

    async def aclose(self) -> None:
        """Close the connections."""


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in lower case; what was said twice is joined by commas."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
