"""The ready views, reckoned by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import exporter
from exporter.errors import UsageError
from exporter.notebook import Notebook
from tests.notebook.making import BEGIN, every_kind

FIRST, SECOND = date(2025, 10, 9), date(2025, 10, 10)


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return exporter.open(every_kind(tmp_path / "archive"))


def asked(notebook: Notebook, query: str) -> list[tuple[Any, ...]]:
    return notebook.sql(query).fetchall()


def test_turns_wait_from_the_first_question_to_the_next_answer(notebook: Notebook) -> None:
    found = asked(notebook, "select thread_id, seq, epoch(asked_at), epoch(answered_at), seconds from turns")

    assert sorted(found, key=str) == [
        ("a1", 0, BEGIN, BEGIN + 30, 30.0),
        ("a1", 3, BEGIN + 100, BEGIN + 107, 7.0),
        ("c1", 0, None, None, None),
        ("k1", 0, BEGIN, None, None),
        ("k2", 0, None, None, None),
        ("r1", 0, BEGIN + 1000, BEGIN + 1004, 4.0),
        ("s1", 0, BEGIN + 200, BEGIN + 260, 60.0),
        ("x1", 0, BEGIN + 50, BEGIN + 58, 8.0),
    ]
    assert asked(notebook, "select count(*) from turns where answer_seq is null") == [(0,)]
    assert sorted(asked(notebook, "select thread_id, seconds from first_response where seconds is not null")) == [
        ("a1", 30.0),
        ("r1", 4.0),
        ("s1", 60.0),
        ("x1", 8.0),
    ]


def test_tokens_are_counted_once_wherever_an_api_tells_them(notebook: Notebook) -> None:
    assert asked(notebook, "select * from tokens order by day, model nulls last") == [
        ("gpt-4o", FIRST, 7, 11, 3),
        ("gpt-4o-2024-08-06", FIRST, 20, 11, 1),
        ("gpt-5.4", FIRST, 40, 12, 1),
        (None, FIRST, 3, 4, 1),
        ("gpt-4o", SECOND, 1_000_000, 2_000_000, 1),
    ]


def test_costs_are_unknown_until_somebody_tells_the_prices(notebook: Notebook, tmp_path: Path) -> None:
    import pandas as pd
    import pyarrow as pa

    assert {cost for _, _, cost in asked(notebook, "select * from costs")} == {None}

    expected = {
        ("gpt-4o", FIRST): pytest.approx((7 * 2.5 + 11 * 10) / 1e6),
        ("gpt-4o-2024-08-06", FIRST): pytest.approx((20 * 2.5 + 11 * 10) / 1e6),
        ("gpt-5.4", FIRST): None,
        (None, FIRST): None,
        ("gpt-4o", SECOND): pytest.approx(22.5),
    }
    file = tmp_path / "prices.csv"
    file.write_text("note,model,input,output\nours,gpt-4o,2.5,10\n", "utf-8")
    frame = pd.DataFrame({"model": ["gpt-4o"], "input": [2.5], "output": [10]})
    for said in ({"gpt-4o": (2.5, 10)}, frame, pa.Table.from_pandas(frame), file, str(file)):
        notebook.prices = said
        assert {(model, day): cost for model, day, cost in asked(notebook, "select * from costs")} == expected
    notebook.prices = {"gpt-4o": (2.5, 10), "gpt-4o-2024-08-06": (0, 1)}
    dated = asked(notebook, "select cost from costs where model = 'gpt-4o-2024-08-06'")
    assert dated == [(pytest.approx(11 / 1e6),)]
    for wrong in ({"gpt-4o": 3}, frame.drop(columns="input"), "nowhere.csv", {"gpt-4o": ("a", 1)}):
        with pytest.raises(UsageError, match="model, input, output"):
            notebook.prices = wrong
    with pytest.raises(UsageError, match="twice"):
        notebook.prices = pd.concat([frame, frame])


def test_a_call_that_stored_completions_repeat_counts_once(notebook: Notebook) -> None:
    assert asked(notebook, "select * from tool_calls") == [
        ("find", "function", 2, 3),
        ("file_search", "file_search", 1, 1),
        ("find", "chatkit.client_tool_call", 1, 1),
        ("find", "function_call", 1, 1),
    ]


def test_hours_know_only_what_a_server_tells(notebook: Notebook) -> None:
    assert asked(notebook, "select * from hours") == [(4, 8, 6), (4, 9, 1)]


def test_a_stored_completion_tells_when_its_last_question_was_asked_and_no_more(notebook: Notebook) -> None:
    told = "select thread_id, seq, epoch(said_at) from dialogue where source = 'completions' order by all"
    assert asked(notebook, told) == [
        ("k1", 0, BEGIN),
        ("k1", 1, None),
        ("k2", 0, None),
        ("k2", 1, None),
        ("k2", 2, None),
    ]
    assert asked(notebook, "select seconds from turns where source = 'completions'") == [(None,), (None,)]


def test_users_customers_and_lengths_count_what_the_tables_have(notebook: Notebook) -> None:
    total = notebook.messages().count()

    assert asked(notebook, "select user, customer, threads, messages from users") == [
        ("ann", "acme", 6, total - 4),
        ("ben", "acme", 1, 4),
    ]
    assert asked(notebook, "select customer, threads, messages from customers") == [("acme", 7, total)]
    assert asked(notebook, "select sum(messages) from daily_volume") == [(total,)]
    assert asked(notebook, "select sum(messages), count(*) from lengths") == [(total, 7)]
    assert asked(notebook, "select messages, characters, turns from lengths where thread_id = 'a1'") == [
        (5, len("hi therestill?yesand nowno"), 2)
    ]
    assert asked(notebook, "select epoch(first_at) from users where user = 'ann'") == [(BEGIN,)]


def test_dormant_are_those_that_are_still_there(notebook: Notebook) -> None:
    found = asked(notebook, "select thread_id, epoch(last_at), days > 40 from dormant where source = 'assistants'")

    assert found == [("a1", BEGIN + 107, True)]
    assert asked(notebook, "select count(*) from dormant where thread_id = 'x1'") == [(0,)]


def test_each_view_says_what_it_is(notebook: Notebook) -> None:
    views = notebook.views()

    assert {"daily_volume", "users", "customers", "hours", "turns", "first_response", "tokens", "costs", "tool_calls",
            "lengths", "dormant", "at_risk", "retention"} <= views.keys()  # fmt: skip
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in views.values())
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text("utf-8")
    for name in views:
        columns = ", ".join(notebook.sql(f"select * from {name}").columns)
        assert f"| `{name}` | {columns} |" in page
