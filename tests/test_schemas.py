"""The columns are those of the contract, in its order."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from exporter.schemas import SCHEMAS, SORT, VERSIONS

FORMAT = Path(__file__).parents[1] / "docs/format.md"


@pytest.mark.parametrize("table", SCHEMAS)
def test_the_columns_are_those_of_the_format_page(table: str) -> None:
    tables = FORMAT.read_text().split("## Tables")[1].split("## Catalog")[0]
    paragraph = next(p for p in tables.split("\n\n") if p.startswith(f"**{table}**"))
    listed = next(
        re.split(r",\s*", quoted) for quoted in re.findall(r"`([^`]+)`", paragraph) if quoted.startswith("source")
    )

    assert SCHEMAS[table].names == listed


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_table_tells_whose_and_when(table: str) -> None:
    schema = SCHEMAS[table]

    for name in ("source", "endpoint", "profile", "thread_id", "observed_at", "ts"):
        assert not schema.field(name).nullable
    assert {str(f.type) for f in schema} <= {"string", "int64", "timestamp[us, tz=UTC]"}
    assert set(SORT[table]) <= set(schema.names)
    assert f"`{VERSIONS[table]}`" in FORMAT.read_text() or VERSIONS[table] == f"{table}/1"
    assert schema.field("ts").type == pa.timestamp("us", "UTC")
