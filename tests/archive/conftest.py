"""These tests open an archive thousands of times: in memory, where the system has such a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.making import FORM, in_memory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture(params=["plain", "encrypted"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the archives of a test plain, then encrypted."""
    monkeypatch.setitem(FORM, "encrypted", request.param == "encrypted")
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "5a" * 32)
    return str(request.param)
