"""What an archive's own README tells to type works there, without exporter, and each way gives the same numbers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.archive import Archive
from exporter.model import Registration
from exporter.registry import register
from exporter.sandbox import Running, State, running
from tests.conftest import Bench, rows

COUNTS = {"threads": 3, "conversations": 2, "chatkit": 1, "completions": 2, "responses": 2, "sessions": 2}


@pytest.fixture
def sandbox() -> Any:
    with running(State.seed(**COUNTS)) as server:
        yield server


@pytest.fixture
def path(bench: Bench, sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> Path:
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        named = enumerate(sandbox.state.ids())
        register(archive, [Registration(bench.ref(thread), user=("ann", "ben")[n % 2]) for n, thread in named])
    assert bench.backup().exit_code == 0
    monkeypatch.chdir(bench.path)
    return bench.path


def blocks(path: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", (path / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found


def answers(path: Path) -> tuple[dict[str, int], dict[str, int], dict[str | None, int]]:
    """Messages per day, messages per user, tokens per model, reckoned by hand."""
    per_day: dict[str, int] = {}
    users: dict[str, int] = {}
    tokens: dict[str | None, int] = {}
    for row in rows(path):
        if row["role"] in ("user", "assistant"):
            day = f"{row['ts']:%Y-%m-%d}"
            per_day[day] = per_day.get(day, 0) + 1
            if row["user"] is not None:
                users[row["user"]] = users.get(row["user"], 0) + 1
    for row in rows(path, "runs"):
        if row["usage_json"] is not None:
            used = json.loads(row["usage_json"])["total_tokens"]
            tokens[row["model"]] = tokens.get(row["model"], 0) + used
    assert per_day
    assert len(tokens) == len(users) == 2
    return per_day, users, tokens


def none(model: Any) -> str | None:
    return model if isinstance(model, str) else None


def test_pandas_and_polars_answer_alike(path: Path) -> None:
    per_day, users, tokens = answers(path)
    by_pandas, by_polars = blocks(path, "python")
    one: dict[str, Any] = {}
    exec(by_pandas, one)
    two: dict[str, Any] = {}
    exec(by_polars, two)

    assert {str(day): int(count) for day, count in one["per_day"].items()} == per_day
    assert {str(day): count for day, count in two["per_day"].iter_rows()} == per_day
    assert one["users"].to_dict() == dict(two["users"].iter_rows()) == users
    assert {none(model): int(count) for model, count in one["tokens"].items()} == tokens
    assert dict(two["tokens"].iter_rows()) == tokens
    assert one["conversation"].message_id.tolist() == two["conversation"]["message_id"].to_list()
    assert len(one["conversation"]) > 1


def test_duckdb_answers_the_same(path: Path) -> None:
    per_day, users, tokens = answers(path)
    (text,) = blocks(path, "sql")
    days, people, models, conversation = [duckdb.execute(one).fetchall() for one in text.split(";") if one.strip()]

    assert {str(day): count for day, count in days} == per_day
    assert dict(people) == users
    assert dict(models) == tokens
    assert len(conversation) > 1
    assert {role for _, role, _, _ in conversation} >= {"user", "assistant"}


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("zstd")), reason="jq and zstd are not installed")
def test_jq_reads_the_lines(path: Path) -> None:
    (text,) = blocks(path, "sh")
    thread = rows(path)[0]["thread_id"]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text.replace("thread_abc123", thread)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    dated = [row for row in rows(path) if "created_at" in row and row["ts_source"] == "created_at"]
    lines = done.stdout.splitlines()
    counted = sum(int(line.split()[0]) for line in lines if re.fullmatch(r" *\d+ \d{4}-\d\d-\d\d", line))
    bodies = [json.loads(line) for line in lines if line.startswith("{")]
    assert counted == len(dated)
    assert [body.get("id") for body in bodies] == [
        row["message_id"] for row in rows(path) if row["thread_id"] == thread
    ]
