"""The notebooks of `samples/`: they run on a sandbox's archive, and say what the tables say."""

from __future__ import annotations

import json
import re
import struct
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exporter.archive import Archive
from exporter.model import Registration
from exporter.registry import register
from tests.conftest import Bench
from tests.tours import SAMPLES, Shown, make_archive, run

NAMES = ("analysts.ipynb", "operators.ipynb")
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("sample") / "archive")


@pytest.fixture(scope="module")
def tours(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Shown]]:
    home = tmp_path_factory.mktemp("home")
    return {name: run(name, archive, home) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_an_archive_with_hardly_anything_in_it(bench: Bench, tmp_path: Path, name: str) -> None:
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        thread = bench.ref(bench.state.add_conversation())
        bench.state.add_item(thread.id, {"role": "user", "content": "Hello."})
        register(archive, [Registration(thread, user=r"$\frac{", customer="<b>\u202e")])
    assert bench.backup().exit_code == 0

    cells = run(name, bench.path, tmp_path)

    assert {key: cell.complaints for key, cell in cells.items() if cell.complaints} == {}
    assert all(len(cell.pictures) == 1 for cell in cells.values() if "figure" in cell.tags)


@pytest.fixture
def analysts(tours: dict[str, dict[str, Shown]]) -> dict[str, Shown]:
    return tours["analysts.ipynb"]


@pytest.fixture
def operators(tours: dict[str, dict[str, Shown]]) -> dict[str, Shown]:
    return tours["operators.ipynb"]


@cache
def table(archive: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(archive / name)


def dated(archive: Path) -> pd.DataFrame:
    """Messages of users and assistants with the day that their own time, or that of their thread, tells."""
    whose = ["source", "endpoint", "thread_id"]
    threads = table(archive, "threads")[[*whose, "created_at"]].rename(columns={"created_at": "begun"})
    said = table(archive, "messages").merge(threads, on=whose)
    said = said[said.role.isin(["user", "assistant"])]
    return said.assign(at=said.created_at.fillna(said.begun).fillna(said.ts))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_outputs_and_its_cells_have_names(name: str) -> None:
    book = json.loads((SAMPLES / name).read_text("utf-8"))
    ids = [cell["id"] for cell in book["cells"]]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) for one in ids)
    for cell in book["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    assert book["metadata"]["language_info"] == {"name": "python"}


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs_and_every_figure_is_a_picture(tours: dict[str, dict[str, Shown]], name: str) -> None:
    cells = tours[name]
    figures = {key for key, cell in cells.items() if "plt.subplots" in cell.code}

    assert len(figures) >= 5
    assert figures == {key for key, cell in cells.items() if "figure" in cell.tags}
    assert {key: cell.complaints for key, cell in cells.items() if cell.complaints} == {}
    for key in figures:
        (picture,) = cells[key].pictures
        assert picture.startswith(b"\x89PNG\r\n"), key
        width, height = struct.unpack(">II", picture[16:24])
        assert width > 600, key
        assert height > 200, key


def test_the_volume_is_that_of_the_tables(archive: Path, analysts: dict[str, Shown]) -> None:
    (shown,) = analysts["open"].tables
    threads = table(archive, "threads")
    assert dict(zip(shown.source, shown.threads, strict=True)) == threads.source.value_counts().to_dict()
    assert dict(zip(shown.source, shown.messages, strict=True)) == threads.groupby("source").messages.sum().to_dict()

    (week,) = analysts["volume"].tables
    said = dated(archive)
    counts = said.groupby([said["at"].dt.strftime("%Y-%m-%d"), "source"]).size()
    told = week.set_index("day").stack()  # noqa: PD013 - one number each
    told.index = told.index.set_levels([str(day)[:10] for day in told.index.levels[0]], level=0)
    assert len(week) == 7
    assert told[told > 0].to_dict() == {key: n for key, n in counts.items() if key[0] >= min(told.index)[0]}
    assert told.sum() > 20


def test_questions_by_hour_are_those_whose_time_is_known(archive: Path, analysts: dict[str, Shown]) -> None:
    whose = ["source", "endpoint", "thread_id"]
    messages = table(archive, "messages")
    users = messages.query("role == 'user' and parent_id.isnull()")
    given = messages[messages.message_id.notna()].groupby(whose).seq.max().rename("last").reset_index()
    threads = table(archive, "threads")[[*whose, "created_at"]].rename(columns={"created_at": "begun"})
    turns = table(archive, "runs")[[*whose, "run_id", "created_at"]].rename(columns={"created_at": "asked"})
    users = (
        users.merge(threads, on=whose)
        .merge(given, on=whose, how="left")
        .merge(turns, on=[*whose, "run_id"], how="left")
    )
    at = users.created_at
    at = at.fillna(users.asked.where(users.source == "agents"))
    at = at.fillna(users.begun.where(users.source == "responses"))
    at = at.fillna(users.begun.where((users.source == "completions") & (users.seq == users["last"])))
    at = at.dropna().to_frame("at")
    (shown,) = analysts["hours"].tables
    found = shown.set_index("weekday").rename(columns=int).stack()  # noqa: PD013 - one number each

    expected = at.groupby([at["at"].dt.day_of_week + 1, at["at"].dt.hour]).size()
    assert found[found > 0].to_dict() == expected.to_dict()
    assert found.sum() > 300


def test_tokens_and_costs_are_those_of_the_tables(archive: Path, analysts: dict[str, Shown]) -> None:
    prices = {"gpt-4o-mini": (0.15, 0.6), "gpt-4.1": (2.0, 8.0), "gpt-5.4-mini": (0.25, 2.0), "gpt-5.4": (1.25, 10.0)}
    used: dict[str, list[int]] = {}
    threads = table(archive, "threads")
    models = {
        row.thread_id: json.loads(row.extra_json)["agent"]["model"]
        for row in threads.itertuples()
        if row.source == "agents"
    }
    told: list[tuple[str, Any]] = [
        (row.model if isinstance(row.model, str) else models[row.thread_id], json.loads(row.usage_json))
        for row in table(archive, "runs").itertuples()
        if isinstance(row.usage_json, str)
    ]
    for row in threads[threads.source.isin(["responses", "completions"])].itertuples():
        body = json.loads(row.extra_json)
        told.append((body["model"], body["usage"]))
    for model, usage in told:
        sums = used.setdefault(model, [0, 0, 0])
        sums[0] += 1
        sums[1] += usage.get("input_tokens", usage.get("prompt_tokens"))
        sums[2] += usage.get("output_tokens", usage.get("completion_tokens"))
    (shown,) = analysts["tokens"].tables
    found = shown.set_index("model")

    assert found[["calls", "input_tokens", "output_tokens"]].T.to_dict("list") == used
    for model, (_, given, taken) in used.items():
        cost = (given * prices[model][0] + taken * prices[model][1]) / 1e6
        assert found.cost[model] == pytest.approx(cost, abs=1e-4)


def test_who_talks_most_is_what_the_tables_say(archive: Path, analysts: dict[str, Shown]) -> None:
    users, customers = analysts["top"].tables
    messages = table(archive, "messages")

    counts = messages.groupby(["user", "customer"]).size()
    assert users.messages.tolist() == counts.sort_values(ascending=False).head(10).tolist()
    assert {(row.user, row.customer): row.messages for row in users.itertuples()}.items() <= counts.to_dict().items()
    assert dict(zip(customers.customer, customers.messages, strict=True)) == messages.customer.value_counts().to_dict()
    assert len(customers) == 7


def test_answers_took_as_long_as_the_messages_tell(archive: Path, analysts: dict[str, Shown]) -> None:
    messages = table(archive, "messages").query("source == 'assistants' and role in ('user', 'assistant')")
    seconds: list[float] = []
    for _, thread in messages.sort_values("seq").groupby("thread_id"):
        said = list(thread[["role", "created_at"]].itertuples(index=False))
        asked = None
        for one in said:
            if one.role == "user":
                asked = asked or one.created_at
            elif asked is not None:
                seconds.append((one.created_at - asked).total_seconds())
                asked = None
    (shown,) = analysts["seconds"].tables
    found = shown.set_index("source").loc["assistants"]

    assert found["count"] == len(seconds) > 50
    assert found["50%"] == pd.Series(seconds).median()
    assert found["max"] == max(seconds)


def test_lengths_and_who_comes_back_are_those_of_the_tables(archive: Path, analysts: dict[str, Shown]) -> None:
    entries = table(archive, "messages").groupby(["source", "thread_id"]).size()
    (shown,) = analysts["lengths"].tables
    header = shown.iloc[0].tolist()
    column = next(
        n
        for n, (name, kind) in enumerate(zip(shown.columns, header, strict=True))
        if (name.split(".")[0], kind) == ("messages", "50%")
    )
    medians = {row.iloc[0]: float(row.iloc[column]) for _, row in shown.iloc[1:].iterrows()}
    assert medians == {source: entries[source].median() for source in medians}
    assert set(medians) == {"agents", "assistants", "chatkit", "conversations"}

    said = dated(archive).query("role == 'user' and user.notnull()")
    week = said["at"].dt.tz_localize(None).dt.to_period("W").dt.start_time
    came = pd.DataFrame({"user": said.user, "week": week}).drop_duplicates()
    after = (came.week - came.groupby("user").week.transform("min")).dt.days // 7
    (curve,) = analysts["retention"].tables
    assert curve.came.tolist() == after.value_counts().sort_index().tolist()
    assert curve.came[0] == said.user.nunique()


def test_the_equation_balances_and_names_its_threads(archive: Path, operators: dict[str, Shown]) -> None:
    (shown,), (behind,) = operators["equation"].tables, operators["ids"].tables
    told = shown.set_index("state")["all"].to_dict()
    with Archive.open(archive) as opened:
        counted = opened.catalog.count()
    counted["never visited"] = counted.pop("new")

    assert told.pop("registered") == sum(told.values()) == sum(counted.values())
    assert {state: count for state, count in told.items() if count} == counted
    states = table(archive, "threads").groupby(["state", "source"]).thread_id.agg(set).to_dict()
    for row in behind[~behind.state.isin(["new", "failed"])].itertuples():
        assert set(re.findall(r"'([^']+)'", row.list)) == states[row.state, row.source]
        assert row.count != 0


def test_what_is_ahead_at_risk_and_missing_is_what_the_archive_knows(
    archive: Path, operators: dict[str, Shown]
) -> None:
    from datetime import datetime

    from exporter.outlook import count_at_risk, learned, nights

    gaps = table(archive, "gaps")
    (shown,) = operators["gaps"].tables
    assert (
        shown.set_index("reason").open.to_dict()
        == gaps.groupby("code").closed_at.agg(lambda at: at.isna().sum()).to_dict()
    )
    assert shown.set_index("reason").closed.to_dict() == gaps.groupby("code").closed_at.count().to_dict()
    with Archive.open(archive) as opened:
        report = opened.last_report()
        assert report is not None
        at = datetime.fromisoformat(report["finished_at"])
        assert len(operators["risk"].tables[0]) == count_at_risk(opened.catalog, at, 7) > 0
        ahead = [night.deadlines for night in nights(opened.catalog, at, 35)]
        kept = {one.source: (one.count, one.gone.median) for one in learned(opened.catalog)}
    (deadlines,) = operators["deadlines"].tables
    days = deadlines.set_index("days from now").sum(axis=1)
    assert days.to_dict() == {day: count for day, count in enumerate(ahead) if count}
    (retention,) = operators["learned"].tables
    assert {row.source: (row.threads, row.median_days) for row in retention.itertuples()} == kept
    assert {"assistants", "agents"} <= kept.keys()
    curves = (
        operators["curves"].tables[0].rename(columns={"index": "source", "Unnamed: 0": "source"}).set_index("source")
    )
    assert curves.gone.to_dict() == {source: count for source, (count, _) in kept.items()}


def test_the_nights_and_the_growth_are_those_of_the_manifests(archive: Path, operators: dict[str, Shown]) -> None:
    manifests = [json.loads(path.read_bytes()) for path in sorted((archive / "manifests").iterdir())]
    reports = [one["report"] for one in manifests if one["report"] and one["report"]["command"] == "backup"]
    (runs,), (growth,) = operators["runs"].tables, operators["growth"].tables

    for column in ("exit_code", "visited", "requests", "records"):
        assert runs[column].tolist() == [report[column] for report in reports[-10:]]
    assert {report["exit_code"] for report in reports} == {0, 3, 12}
    size = growth.set_index("index").bytes
    assert size["segments"] == sum(segment["bytes"] for one in manifests for segment in one["segments"])
    assert all(one["registered"] <= two["registered"] for one, two in pairwise(reports))
