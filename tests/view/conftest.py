"""A browser for all tests of a file, and archives that are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from exporter.view import Viewer
from tests.formats.browser import BINARY
from tests.view import library
from tests.view.visiting import chromium, viewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MANY = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if BINARY is None:
        pytest.skip("there is no Chromium on this machine")
    pytest.importorskip("playwright")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """A viewer of an archive with one long conversation."""
    with viewing(library.long(tmp_path_factory.mktemp("long") / "archive", MANY)) as viewer:
        yield viewer
