"""Whatever comes from outside may be anything: each parser of it raises our own errors, or none, and ends soon.

A member `NAME.py` has `INPUT`, a strategy of what may come in, and `parse(data)`, which hands it to the parser as the
program does and raises what a user would see. `ALLOWED` names the errors that are meant, `ExporterError` unless said
otherwise. A new parser is one new file; `make fuzz` runs all of them for ten minutes, the tests a few examples.
"""

from __future__ import annotations

import importlib
import pkgutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from exporter.errors import ExporterError

HANGS = 60
"Seconds after which an example counts as one that never ends; the slowest take a hundredth of that."


class Parser(Protocol):
    """A member."""

    INPUT: st.SearchStrategy[Any]
    parse: Callable[[Any], object]


class Hangs(BaseException):
    """An example did not end."""


def names() -> tuple[str, ...]:
    """Return the names of all members."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith(("_", "test_"))))


def load(name: str) -> Parser:
    """Return a member."""
    return cast("Parser", importlib.import_module(f"{__name__}.{name}"))


def fuzz(name: str, examples: int, *, again: bool, count: Callable[[], object] = lambda: None) -> None:
    """Try a parser with so many examples, the same ones `again` or others; fails with the smallest that harms."""
    parser = load(name)
    allowed = getattr(parser, "ALLOWED", (ExporterError,))

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=again,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @hypothesis.given(parser.INPUT)
    def each(data: Any) -> None:
        count()
        with _ends(), suppress(*allowed):
            parser.parse(data)

    each()


@contextmanager
def _ends() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Hangs(f"not over after {HANGS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
