"""Base URLs, addresses, and ids that become part of one."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import strategies as st

from exporter.endpoint import endpoint_of, is_local, is_public, origin
from exporter.errors import UsageError
from exporter.model import checked_id
from exporter.pasted import no_beginning, no_key, other_thing

PARTS = (
    "http",
    "https",
    "://",
    "[",
    "]",
    "::1",
    "127.0.0.1",
    ":",
    "80",
    "99999",
    "@",
    "/",
    "?",
    "#",
    "%",
    "xn--",
    "é",
    ".",
)
INPUT = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=8).map("".join) | st.text(max_size=300)


def parse(data: str) -> None:
    other_thing(data)
    for use in (checked_id, no_key, no_beginning, origin, is_local):
        with suppress(UsageError):
            use(data)
    with suppress(ValueError):
        is_public(data)
    named = endpoint_of(data)
    assert endpoint_of(named) == named
    assert "@" not in named.partition("/v1")[0] or "@" in data.partition("?")[0].split("://")[1].partition("/")[2]
