"""Imports go one way: what a room may know is written here, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import exporter

ROOT = Path(exporter.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")
GROUND = {"model", "errors"}
TABLES = {"tables", "rows", "schemas", "text"}
READS = GROUND | {"archive", "files", "groups", "storage"} | TABLES
MAY = {
    "model": {"errors"},
    "errors": set[str](),
    "files": GROUND,
    "complaints": {"model"},
    "text": GROUND,
    "owner": GROUND | {"text"},
    "pacing": GROUND,
    "endpoint": GROUND,
    "retention": GROUND,
    "keys": GROUND,
    "config": GROUND | {"endpoint", "keys", "retention"},
    "sandbox": {"errors"},
    "schemas": GROUND | {"text"},
    "rows": GROUND | {"text", "schemas"},
    "sources": GROUND | {"complaints", "text"},
    "storage": GROUND | {"files"},
    "archive": GROUND | {"files", "groups", "keys", "storage"},
    "transport": GROUND | {"endpoint", "pacing", "sources"},
    "registry": GROUND | {"archive"},
    "touching": GROUND | {"archive", "config", "endpoint", "sources"},
    "outlook": GROUND | {"archive", "retention"},
    "pasted": GROUND | {"sources"},
    "ids": GROUND | {"pasted", "sources"},
    "tables": READS | {"heap"},
    # the server is asked by the usual way
    "check": READS | {"crawl", "erase", "rebuild", "registry", "retention", "sources"},
    "erase": READS,
    "upstream": READS | {"crawl", "retention", "sources"},  # the server is asked by the usual way
    "rebuild": READS | {"crawl", "retention"},  # deadlines are worked out again
    "pseudonyms": GROUND | {"keys"},
    "formats": READS | {"pseudonyms"},
    "view": READS | {"formats", "search", "outlook", "sources"},
    "search": READS,
    "notebook": READS | {"formats", "outlook", "retention"},
    "crawl": READS  # links are registered
    | {"outlook", "owner", "retention", "endpoint", "sources", "pacing", "transport", "registry"},
    "discovery": GROUND
    | {"archive", "crawl", "endpoint", "owner", "pacing", "registry", "retention", "sources", "text", "transport"},
    "doctor": GROUND
    | {"archive", "complaints", "config", "endpoint", "pacing", "pasted", "retention", "sources", "transport"},
    "selftest": READS | {"check", "crawl", "endpoint", "erase", "rebuild", "registry", "sandbox"},
    "schedule": GROUND,
    "monitoring": GROUND | {"endpoint", "files"},
    "cli": {path.stem if path.suffix else path.name for path in ROOT.iterdir()},
    "sparing": set[str](),
    "heap": set[str](),
    "groups": set[str](),
    "__main__": {"cli", "errors", "files", "sparing"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "exporter":
            rest = (node.module or "").split(".")[1:]
            yield from rest[:1] or (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("exporter."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")

    assert set(imports(path)) - {room} <= MAY[room]
