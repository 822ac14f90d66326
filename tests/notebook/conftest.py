"""Archives to ask, in memory: a disk that syncs would make the laws wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.making import in_memory

for needed in ("duckdb", "pandas", "polars"):
    pytest.importorskip(needed)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder
