"""Numbers as people read them."""

from __future__ import annotations


def many(count: int, things: str) -> str:
    """Return a number and what it counts, named in the plural: `many(1, "new objects")` is `1 new object`."""
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"
