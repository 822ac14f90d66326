"""What a listed object says about whose it is: strings only, everything else stays in the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from exporter.text import members, plain, string

LONGEST = 1000
"Characters; a longer text is no name and no title. It stands in the object, whole."


class Owner(NamedTuple):
    """Whose a thread is, as its own object says; None where it does not."""

    user: str | None = None
    customer: str | None = None
    title: str | None = None


def owner_in(body: bytes) -> Owner:
    """Read the object's `user` and `title`, else what its metadata has under exactly the names below."""
    own = members(body) or {}
    said = members(own.get("metadata", b"")) or {}
    return Owner(
        user=_word(own, "user") or _word(said, "user") or _word(said, "user_id"),
        customer=_word(said, "customer") or _word(said, "customer_id"),
        title=_word(own, "title") or _word(said, "title"),
    )


def _word(fields: Mapping[str, bytes], name: str) -> str | None:
    text = string(fields.get(name)) or ""
    return plain(text) if text.strip() and len(text) <= LONGEST else None
