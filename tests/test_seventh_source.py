"""A seventh source is one small file: everything else works with it because it is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.sandbox import Running
from exporter.sandbox.switches import LIES, Switches
from tests.conftest import KEY, rows

FILE = '''\
"""Tickets of a help desk, whose server calls them conversations."""

from exporter.sources._shelf import Shelf, Under


class TicketsSource(Shelf):
    """`/conversations`, by another name."""

    name = "tickets"
    prefixes = ("tick_",)
    path = "/conversations"
    lists = (Under("messages", "/items"),)
    ids_from = "Ids come from the help desk's database."
'''
PLUGIN = "import exporter.sources\n\nexporter.sources.__path__.append({folder!r})\n"
ROOT = Path(__file__).parents[1]


class Desk:
    """A sandbox with tickets, and commands in processes that know the seventh file."""

    def __init__(self, sandbox: Running, path: Path) -> None:
        self.state, self.path = sandbox.state, path
        (path / "seventh").mkdir()
        (path / "seventh" / "tickets.py").write_text(FILE)
        (path / "knows_tickets.py").write_text(PLUGIN.format(folder=str(path / "seventh")))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "EXPORTER_"))}
        self.environ = kept | {
            "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)]),
            "OPENAI_BASE_URL": sandbox.url,
            "OPENAI_API_KEY": KEY,
            "EXPORTER_ARCHIVE": str(path / "archive"),
            "HOME": str(path),
            "COLUMNS": "100",
        }

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command of the exporter; returns all it printed."""
        story = "import knows_tickets; from exporter.__main__ import main; main()"
        done = self._python("-c", story, *words, cwd=self.path)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pytest(self, *words: str) -> str:
        done = self._python("-m", "pytest", "-p", "knows_tickets", "-p", "no:cacheprovider", "-n0", *words, cwd=ROOT)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return done.stdout

    def _python(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(
            command, check=False, cwd=cwd, env=self.environ, capture_output=True, text=True, timeout=100
        )


@pytest.fixture
def desk(sandbox: Running, tmp_path: Path) -> Desk:
    sandbox.state.switches = Switches(listable=True)
    for n in range(3):
        sandbox.state.add_conversation({"id": f"tick_{n}", "metadata": {"user": f"user{n}"}})
        for i in range(105 if n == 0 else 2):
            sandbox.state.add_item(f"tick_{n}", {"id": f"msg_{n}x{i:03d}", "role": "user", "content": f"words {i}"})
    return Desk(sandbox, tmp_path)


def test_it_is_small() -> None:
    assert len(FILE.splitlines()) <= 20


def test_help_and_mistakes_name_it(desk: Desk) -> None:
    assert "tickets" in desk.run("backup", "--help")
    assert "tickets" in desk.run("discover", "--help")
    assert "tickets" in desk.run("backup", "abc123", code=2)


def test_its_ids_are_known_and_backed_up_page_by_page_into_tables(desk: Desk) -> None:
    desk.run("backup", "closed tick_0 and tick_2 today")
    archive = desk.path / "archive"
    found = rows(archive)

    assert {row["thread_id"] for row in rows(archive, "threads")} == {"tick_0", "tick_2"}
    assert {row["source"] for row in found} == {"tickets"}
    assert [row["text"] for row in found if row["thread_id"] == "tick_0"] == [f"words {n}" for n in range(105)]
    assert sum(r.path.endswith("/tick_0/items") and ("limit", "100") in r.params for r in desk.state.requests) == 2
    assert "words 104" in desk.run("show", "tick_0")
    desk.run("check")


def test_it_is_discovered_and_each_ticket_costs_one_request_then(desk: Desk) -> None:
    desk.run("discover", "--source", "tickets")
    start = len(desk.state.requests)
    desk.run("backup")
    since = [
        r for r in desk.state.requests[start:] if ("limit", "3") not in r.params and ("limit", "1") not in r.params
    ]
    asked = [r.path.removeprefix("/v1/conversations/") for r in since]
    threads = {row["thread_id"]: row for row in rows(desk.path / "archive", "threads")}

    assert {name: row["user"] for name, row in threads.items()} == {f"tick_{n}": f"user{n}" for n in range(3)}
    assert {name: row["messages"] for name, row in threads.items()} == {"tick_0": 105, "tick_1": 2, "tick_2": 2}
    assert sorted(asked) == ["tick_0/items", "tick_0/items", "tick_1/items", "tick_2/items"]


def test_where_it_cannot_be_listed_it_says_where_ids_come_from(desk: Desk) -> None:
    desk.state.switches = Switches(listable=False)

    assert "the help desk's database" in " ".join(desk.run("discover", "--source", "tickets", code=3).split())


def test_the_conformance_suite_runs_it_by_itself(desk: Desk) -> None:
    told = desk.pytest("tests/sources/test_conformance.py", "-k", "tickets")
    passed = re.search(r"(\d+) passed", told)

    assert passed is not None
    assert int(passed[1]) > 2 * len(LIES)
