"""What `exporter selftest` looks at, as part of the tests: a failure names the promise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import cli
from exporter.selftest import Bench, names, promises
from exporter.selftest._bench import Broken, bench, none


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("selftest"), quick=True) as found:
        yield found


@pytest.mark.parametrize("name", names())
def test_a_promise_is_kept(place: Bench, name: str) -> None:
    place.begin(lambda _: None)
    promises()[name].keep(place)

    assert place.cases > 0


def test_every_promise_is_a_sentence() -> None:
    for name, promise in promises().items():
        assert promise.sentence[0].isupper(), name
        assert promise.sentence.endswith("."), name
        assert len(promise.sentence) < 130, name


def test_the_command_says_which_promises_were_kept(tmp_path: Path) -> None:
    arguments = ["selftest", "--json", "--quick", "--only", "servers.wrong_order", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    assert [(line["promise"], line["kept"]) for line in lines[:-1]] == [("servers.wrong_order", True)]
    assert lines[-1] == {"message_type": "summary", "promises": 1, "broken": 0, "cases": 1, "exit_code": 0}
    assert list(tmp_path.iterdir()) == []


def test_a_broken_promise_is_named_and_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Bench) -> None:
        none(["one message is missing"], "after a crash")

    one = promises()["servers.wrong_order"]
    monkeypatch.setitem(promises(), one.name, type(one)(one.name, one.sentence, broken, quick=True))
    done = CliRunner().invoke(cli, ["selftest", "--only", one.name, "--folder", str(tmp_path)])

    assert done.exit_code == 5
    assert f"BROKEN {one.name}: {one.sentence}\n       after a crash: one message is missing\n" in done.stdout


def test_a_promise_that_there_is_not_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["selftest", "--only", "servers.never", "--folder", str(tmp_path)])

    assert done.exit_code == 2
    assert "there is no promise servers.never" in done.stderr


def test_without_the_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(cli, ["selftest", "--folder", str(tmp_path)])

    assert done.exit_code == 2
    assert "pip install 'conversation-exporter[sandbox]'" in done.stderr


def test_a_broken_promise_says_only_the_first_few() -> None:
    with pytest.raises(Broken, match=r"^then: a; b; c \(and 1 more\)$"):
        none("abcd", "then")
