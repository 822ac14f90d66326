"""The bytes of a file: given, or made while they are sent, so that a large file is never held.

`Content` is either; `size`, `pieces` and `head` treat both alike.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import NamedTuple

PIECE = 64 * 1024


class Generated(NamedTuple):
    """So many bytes that follow from a number: the same every time, no block like the one before."""

    size: int
    seed: int = 1

    def sha256(self) -> str:
        """Return the checksum of all of them, in hex."""
        digest = hashlib.sha256()
        for piece in pieces(self):
            digest.update(piece)
        return digest.hexdigest()


class Blank(NamedTuple):
    """So many bytes: spaces, and at their end some text."""

    size: int
    end: bytes


Content = bytes | Generated | Blank


def size(content: Content) -> int:
    """Return the number of bytes."""
    return len(content) if isinstance(content, bytes) else content.size


def head(content: Content, count: int) -> Content:
    """Return the first `count` bytes, or fewer when there are fewer."""
    if isinstance(content, bytes):
        return content[:count]
    return content._replace(size=min(count, content.size))


def pieces(content: Content, length: int = PIECE) -> Iterator[bytes]:
    """Yield the bytes in pieces of this length, the last one shorter."""
    if isinstance(content, bytes):
        yield from (content[at : at + length] for at in range(0, len(content), length))
        return
    if isinstance(content, Blank):
        blank = b" " * length
        for at in range(0, content.size - len(content.end), length):
            yield blank[: content.size - len(content.end) - at]
        yield content.end[: content.size]
        return
    block = random.Random(content.seed).randbytes(PIECE - 8)  # noqa: S311 - data, no secrets
    left, number, rest = content.size, 0, b""
    while left:
        while len(rest) < min(length, left):
            rest += number.to_bytes(8, "big") + block
            number += 1
        piece = rest[: min(length, left)]
        rest, left = rest[len(piece) :], left - len(piece)
        yield piece
