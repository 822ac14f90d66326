"""What a thread's object says about whose it is: strings only, everything else stays in the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from exporter.model import Registration
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


def following(known: Registration, body: bytes, before: Callable[[], bytes]) -> Registration:
    """Return what is known of a thread once its object was read.

    What a person registered stays. A word that is unknown is filled, and one that the object itself said when it was
    archived last follows the object; `before` returns it as it was then.
    """
    words = {name: word for name, word in owner_in(body)._asdict().items() if word not in (None, getattr(known, name))}
    told = {name for name in words if getattr(known, name) is not None}
    own = owner_in(before()) if told else Owner()
    for name in told:
        if getattr(own, name) != getattr(known, name):
            del words[name]
    return replace(known, **words)


def _word(fields: Mapping[str, bytes], name: str) -> str | None:
    text = string(fields.get(name)) or ""
    return plain(text) if text.strip() and len(text) <= LONGEST else None
