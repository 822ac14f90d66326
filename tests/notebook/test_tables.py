"""Every way to read a table gives the same rows, and those are the table's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import exporter
from exporter.archive import Archive
from exporter.errors import Damaged, ExporterError, NoArchive, UsageError
from exporter.notebook import Table
from exporter.schemas import SCHEMAS
from exporter.tables import publish
from tests.notebook.making import every_kind, published
from tests.tables.making import message, page, rows_of, thread
from tests.tables.test_other_programs import every_source, nasty

HOSTILE = ["it's", 'say "x"', "a b", "中文", "-- x", "'); drop view messages; --", "[a]*?{b,c}", "%_\\", "$1 ? :x"]


def table(notebook: exporter.notebook.Notebook, name: str, **asked: Any) -> Table:
    found = getattr(notebook, name)(**asked)
    assert isinstance(found, Table)
    return found


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in rows)


@pytest.mark.parametrize("make", [every_source, nasty], ids=lambda make: make.__name__)
def test_all_readers_agree_with_the_tables(tmp_path: Path, make: Any) -> None:
    Archive.create(tmp_path / "a")
    publish(make(tmp_path / "a"), 0)
    notebook = exporter.open(tmp_path / "a")
    for name, schema in SCHEMAS.items():
        exact, asked = rows_of(tmp_path / "a", name), table(notebook, name)
        found = asked.arrow()
        assert found.schema == schema
        assert counted(found.to_pylist()) == counted(exact)
        assert asked.count() == len(exact) == sum(batch.num_rows for batch in asked.batches(3))
        relation = asked.duckdb()
        said = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        assert counted([_utc(row) for row in said]) == counted([_utc(row) for row in exact])
        for frame in (asked.polars(), asked.polars(lazy=True).collect()):
            assert counted(frame.to_arrow().cast(schema).to_pylist()) == counted(exact)
        frame = asked.pandas()
        assert pa.Table.from_pandas(frame, schema).cast(schema).to_pylist() == found.to_pylist()
        assert str(frame["ts"].dtype) == "datetime64[us, UTC]"


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    """DuckDB and Arrow name the zone by other objects."""
    return {key: value.astimezone(UTC) if isinstance(value, datetime) else value for key, value in row.items()}


def test_conditions_and_columns_are_those_of_sql(tmp_path: Path) -> None:
    notebook = exporter.open(every_kind(tmp_path / "a"))
    exact = rows_of(tmp_path / "a", "messages")
    asked = notebook.messages(columns=["text", "seq"], where="role = 'user' and seq > 0 -- these")

    expected = [{"text": r["text"], "seq": r["seq"]} for r in exact if r["role"] == "user" and r["seq"]]
    assert len(expected) == 2
    assert counted(asked.arrow().to_pylist()) == counted(expected)
    assert asked.count() == asked.pandas().shape[0] == 2
    assert list(asked.pandas().columns) == asked.polars().columns == ["text", "seq"]
    lazy = notebook.messages().polars(lazy=True).filter(pl.col("role") == "user", pl.col("seq") > 0)
    assert counted(lazy.select("text", "seq").collect().to_dicts()) == counted(expected)
    assert repr(asked) == "<messages: text, seq, where=\"role = 'user' and seq > 0 -- these\">"
    none = notebook.messages(where="false")
    assert (none.count(), none.arrow().schema, none.pandas().shape[0]) == (0, SCHEMAS["messages"], 0)


def test_rows_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    items = [message(f"m{i:05}", "x", 1_760_000_000 + i) for i in range(5_000)]
    path = published(tmp_path / "a", [page(1, thread(f"t{n}"), "message", list(items)) for n in range(3)])

    ids = exporter.open(path, threads=2).messages(columns=["thread_id", "seq"]).arrow().to_pylist()
    assert ids == sorted(ids, key=lambda row: (row["thread_id"], row["seq"]))
    assert len(ids) == 15_000


def test_a_table_without_a_file_has_no_rows_and_its_columns(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a")
    notebook = exporter.open(tmp_path / "a")

    for name, schema in SCHEMAS.items():
        asked = table(notebook, name)
        assert (asked.count(), asked.arrow().schema, len(asked.pandas()), len(asked.polars())) == (0, schema, 0, 0)
    for name in notebook.views():
        assert notebook.sql(f"select * from {name}").fetchall() == []
    publish(every_source(tmp_path / "a"), 0)
    assert notebook.messages().count() == len(rows_of(tmp_path / "a", "messages")) > 0


@pytest.mark.parametrize("name", ["it's [a] *", "x=1", "back\\slash", "ünï 中文?", "{a,b}", "-- '; drop", "\x1b[2J"])
def test_a_path_may_have_any_name(tmp_path: Path, name: str) -> None:
    notebook = exporter.open(every_kind(tmp_path / name / "month=1"))

    assert notebook.messages().count() == len(rows_of(tmp_path / name / "month=1", "messages"))
    assert notebook.sql("select * from messages").columns == SCHEMAS["messages"].names


def test_ids_may_be_any_text(tmp_path: Path) -> None:
    pages = [page(1, thread(name), "message", [message(name, name)]) for name in HOSTILE]
    notebook = exporter.open(published(tmp_path / "a", pages))

    for name in HOSTILE:
        quoted = name.replace("'", "''")
        assert notebook.messages(["text"], f"thread_id = '{quoted}'").arrow().to_pylist() == [{"text": name}]
        assert notebook.sql("select text from messages where thread_id = ?", [name]).fetchall() == [(name,)]
        assert notebook.sql("select text from messages where thread_id = $x", {"x": name}).fetchall() == [(name,)]
    assert sorted(notebook.sql("select thread_id from lengths").fetchall()) == sorted((name,) for name in HOSTILE)


def test_what_cannot_be_asked_is_told(tmp_path: Path) -> None:
    notebook = exporter.open(every_kind(tmp_path / "a"))

    with pytest.raises(UsageError, match="there is no column 'txt'; there is source, endpoint"):
        notebook.messages(columns=["txt"])
    for where in ("txt = 1", "role =", "ts > 'soon'", "true; drop view messages", "true) union select 1 --"):
        with pytest.raises(UsageError):
            notebook.messages(where=where).count()
    nothing: list[Any] = ["", " \n", "-- role = 'user'", ["role = 'user'"], pl.col("role") == "user"]
    for where in nothing:
        with pytest.raises(UsageError, match="is no condition; say for example: where="):
            notebook.messages(where=where)
    queries: list[Any] = ["text = '\ud800'", None, 1]
    for query in queries:
        with pytest.raises(UsageError, match="a text of whole characters"):
            notebook.sql(query)
    with pytest.raises(UsageError, match="a text of whole characters"):
        notebook.messages(where="text = '\ud800'")
    for query in ("select * from nowhere", "selec", "select text from messages where seq > ?", ""):
        with pytest.raises(UsageError):
            notebook.sql(query)
    with pytest.raises(UsageError, match="name the table threads"):
        list(
            Table(notebook._database, "messages", None, "seq in (select 1 from query_table('th' || 'reads'))").batches()
        )


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{path}'",
        "copy messages to '{path}'",
        "export database '{path}'",
        "attach '{path}' as other",
        "install httpfs",
        "load httpfs",
        "set autoinstall_known_extensions = true",
        "reset autoload_known_extensions",
        "pragma enable_logging",
        "create view messages as select 1",
        "create table x as select 1",
        "drop view messages",
        "insert into prices values ('x', 1, 1)",
        "select 1; drop view messages",
        "select * from read_parquet('http://127.0.0.1:1/x.parquet')",
        "select * from read_csv('s3://bucket/x.csv')",
        "select * from 'https://127.0.0.1:1/x.json'",
    ],
)
def test_sql_asks_and_does_nothing_else(tmp_path: Path, query: str) -> None:
    notebook = exporter.open(every_kind(tmp_path / "a"))
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}

    with pytest.raises((ExporterError, duckdb.Error)):
        notebook.sql(query.format(path=tmp_path / "a" / "messages" / "out.parquet")).fetchall()
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == before
    settings = dict(
        notebook.sql("select name, value from duckdb_settings() where name like 'auto%' or name = 'lock_configuration'")
        .fetchall()
    )  # fmt: skip
    assert settings["autoinstall_known_extensions"] == settings["autoload_known_extensions"] == "false"
    assert settings["lock_configuration"] == "true"


def test_variables_do_not_take_the_place_of_tables(tmp_path: Path) -> None:
    messages = pa.table({"x": [1]})
    notebook = exporter.open(every_kind(tmp_path / "a"))

    assert messages.num_rows == 1
    assert notebook.sql("select * from messages").columns == SCHEMAS["messages"].names
    with pytest.raises(UsageError):
        notebook.sql("select * from pinned")


def test_data_of_ones_own_can_be_joined(tmp_path: Path) -> None:
    import pandas as pd

    notebook = exporter.open(every_kind(tmp_path / "a"))
    notebook.register("teams", pd.DataFrame({"user": ["ann"], "team": ["blue"]}))

    found = notebook.sql("select team, sum(messages) from users join teams using (user) group by all").fetchall()
    assert found == [("blue", notebook.messages(where="\"user\" = 'ann'").count())]
    for taken in ("messages", "turns", "prices", "a b", 'x"', "Messages"):
        with pytest.raises(UsageError, match="another name"):
            notebook.register(taken, pd.DataFrame({"user": ["ann"]}))


def test_times_are_utc_wherever_the_machine_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    notebook = exporter.open(every_kind(tmp_path / "a"))
    found = notebook.sql("select created_at, hour(created_at) from messages where message_id = 'm0'").fetchall()

    assert found == [(datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC), 8)]


def test_what_is_no_archive_is_told_by_our_own_errors(tmp_path: Path) -> None:
    with pytest.raises(NoArchive):
        exporter.open(tmp_path / "nowhere")
    with pytest.raises(NoArchive):
        exporter.open(tmp_path)
    path = every_kind(tmp_path / "a")
    file = next((path / "messages").glob("2025*.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(Damaged, match=f"messages/{file.name}.*exporter check"):
        exporter.open(path).messages().count()
    with pytest.raises(UsageError, match=r"(?i)memory"):
        exporter.open(path, memory="much").threads()
