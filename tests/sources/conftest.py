"""A sandbox and a connection to it, for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sources.lines import Line, connected


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with connected() as found:
        yield found
