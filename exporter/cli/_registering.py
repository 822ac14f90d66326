"""From the words of a command line to entries for the registry."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from exporter.config import Profiles
    from exporter.model import Registration


def named(
    words: Sequence[str],
    profiles: Profiles,
    profile: str,
    source: str | None,
    *,
    user: str | None = None,
    customer: str | None = None,
    title: str | None = None,
    tags: tuple[str, ...] = (),
) -> Iterator[Registration]:
    """Yield what the words name, as threads of this profile's endpoint."""
    from exporter.endpoint import endpoint_of
    from exporter.ids import Said, entries

    endpoint = endpoint_of(profiles.named(profile).base_url)
    said = Said(endpoint, profile, source, user, customer, title, tags or None)
    return entries(words, said, stdin(*words))


def profile_is_said() -> bool:
    """Whether the command line names a profile: then it counts for threads that have another one, too."""
    return click.get_current_context().get_parameter_source("profile") is ParameterSource.COMMANDLINE


def stdin(*words: str) -> Iterable[str]:
    """Return the lines of standard input where a word asks for them."""
    return io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", "surrogateescape", newline="") if "-" in words else ()
