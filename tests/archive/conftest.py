"""These tests open an archive thousands of times: in memory, where the system has such a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.making import memory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory(), prefix=f"exporter-{os.getpid()}-") as folder:
        yield Path(folder)
