"""Full text search, where `exporter.search` can be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.archive import Archive


class Finding:
    """Searches one archive."""

    def __init__(self, archive: Path) -> None:
        self._path = archive

    def shown(self, archive: Archive, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the template `search.html` takes."""
        del archive
        return {"q": query.get("q", ""), "hits": [], "total": 0, "note": None}
