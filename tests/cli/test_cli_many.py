"""Many threads are told in a few lines, all of them to programs; and what is odd about some of them is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.cli import _counting, _indexing
from exporter.cli._output import Output
from tests.cli.conftest import Shell
from tests.cli.terminal import beside_a_terminal

MANY = 60


@pytest.fixture
def many(shell: Shell) -> Shell:
    """More threads than anybody wants to read, none of them visited."""
    Path("ids.txt").write_text("".join(f"thread_{number}\n" for number in range(MANY)))
    shell.ok("register", "@ids.txt")
    return shell


def more(text: str) -> int:
    """How many are said not to be shown."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith("... and ")]
    return int(line.split("... and ")[1].split(" more")[0])


def test_erasing_names_a_few_and_counts_the_rest(many: Shell) -> None:
    result = many.run("erase", "@ids.txt", stdin="no\n")
    shown = result.stderr.count(": 0 messages")
    assert (shown + more(result.stderr), shown < MANY) == (MANY, True)
    assert len(many.json("erase", "@ids.txt", "--dry-run")) == MANY + 1

    Path("some.txt").write_text("thread_1\nthread_2\n")
    many.ok("erase", "@some.txt", "--yes")
    many.ok("erase", "-", "--yes", stdin="thread_3\n")
    with Archive.open(many.archive) as archive:
        left = {known.thread.id for known in archive.catalog.known()}
    assert left == {f"thread_{number}" for number in range(MANY)} - {"thread_1", "thread_2", "thread_3"}


def test_what_was_erased_and_is_named_again_stays_out_and_that_is_said(many: Shell) -> None:
    many.ok("erase", "thread_1", "--yes")
    result = many.run("backup", "thread_1", "--max-requests", "1")

    assert "1 of the named threads were erased from this archive and stay out" in result.stderr
    assert "`exporter register --again` keeps them again" in result.stderr
    with Archive.open(many.archive) as archive:
        assert archive.catalog.named("thread_1") == []


def test_deleting_on_the_server_names_a_few_and_says_what_hinders_the_others(
    many: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = many.run("erase", "@ids.txt", "--upstream", stdin="no\n")
    shown = result.stderr.count("archived so far, to be deleted")
    assert (shown + more(result.stderr), shown < MANY) == (MANY, True)
    assert len(many.json("erase", "@ids.txt", "--upstream", "--dry-run")) == MANY + 1

    for number in range(MANY):
        many.state.add_thread(f"thread_{number}")
    many.ok("backup", "--all")
    many.state.delete_thread("thread_1")
    many.ok("backup", "--all")
    said = many.ok("erase", "thread_1", "thread_2", "--upstream", "--dry-run").output
    assert "thread_1 at " in said
    assert "not 1 thread: gone already" in said
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    *_, summary = many.json("erase", "thread_1", "thread_2", "--upstream", "--dry-run")
    assert (summary["threads"], summary["others"]) == (0, 2)
    assert "not 1 thread: no profile reaches its server" in many.ok(
        "erase", "thread_1", "thread_2", "--upstream", "--dry-run"
    ).output  # fmt: skip
    assert all(request.method != "DELETE" for request in many.state.requests)


def test_status_names_a_few_that_are_to_go_and_all_when_asked(many: Shell) -> None:
    result = many.run("status")
    told = result.stdout
    shown = sum("thread_" in line for line in told.splitlines())

    assert "NOT COMPLETE: 60 threads to go" in result.stderr
    assert (shown + more(told), shown < MANY) == (MANY, True)
    assert "exporter status --list new" in told
    assert len([line for line in many.json("status") if "thread" in line]) >= MANY


def test_an_archive_that_knows_of_no_thread_says_so(shell: Shell) -> None:
    Archive.create(shell.archive)

    assert "no threads are registered yet" in shell.run("status").stderr


def test_a_hint_leads_to_the_archive_that_was_named(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_message("thread_1", {"role": "user", "content": [{"type": "text", "text": {"value": "a heron"}}]})
    shell.ok("backup", "thread_1", "-a", "my archive")

    assert "exporter show thread_1 -a 'my archive'" in shell.ok("search", "heron", "-a", "my archive").stdout
    shell.ok("backup", "thread_1")
    assert "exporter show thread_1\n" in shell.ok("search", "heron").stdout


def test_a_key_that_is_refused_is_said_once_and_ends_the_comparison_with_its_code(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    result = shell.run("check", "--server", "1")

    assert result.exit_code == 12
    assert sum(line.startswith("exporter: ") for line in result.stderr.splitlines()) == 1
    assert "wrong-wrong" not in result.output + result.stderr


def test_where_nothing_is_damaged_nothing_is_given_up(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    result = shell.ok("check", "--accept-loss", "aside", "--yes")

    assert "there is nothing to go on without" in result.stderr
    assert not Path("aside").exists() or list(Path("aside").iterdir()) == []


def test_a_plain_archive_does_not_become_encrypted_by_a_later_backup(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "00" * 32)
    shell.ok("register", "thread_1")
    result = shell.run("backup", "--encrypt")

    assert result.exit_code == 2
    assert not (shell.archive / "keys.json").exists()


# Beside a terminal


def test_a_bar_on_a_terminal_lets_what_failed_stand_and_stdout_alone(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_message("thread_1", {"content": "a heron"})
    out, shown, code = beside_a_terminal("backup", "thread_1", "thread_none", environ={}, columns=400)

    assert (out, code) == ("", 3)
    assert "2/2" in shown
    assert "threads, " in shown
    (failed,) = [line for line in shown.splitlines() if "failed: " in line]
    assert "thread_none" in failed
    assert "NOT COMPLETE: 1 of 2 threads is not whole" in shown.splitlines()[-1]

    out, shown, code = beside_a_terminal("-q", "backup", "--all", environ={})
    assert ("2/2" in shown, out) == (False, "")


def test_a_search_on_a_terminal_is_the_same_as_without(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_message("thread_1", {"role": "user", "content": [{"type": "text", "text": {"value": "a heron"}}]})
    shell.ok("backup", "thread_1")
    out, _, code = beside_a_terminal("search", "heron", environ={})

    assert (out, code) == (shell.ok("search", "heron").stdout, 0)


def test_a_selftest_on_a_terminal_says_what_is_tried_and_how_it_went() -> None:
    words = ("selftest", "--quick", "--only", "servers.wrong_order", "--folder", str(Path.cwd()))
    _, shown, code = beside_a_terminal(*words, environ={})

    assert code == 0
    assert "servers.wrong_order, 1" in shown


def test_reading_for_an_index_says_now_and_then_how_far_it_is(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_indexing, "EVERY", 0.0)
    assert shell.archive
    with _indexing.indexing(Output()) as told:
        told(0, 10 * _indexing.WORTH)
        told(5, _indexing.WORTH)
        told(_indexing.WORTH, 4 * _indexing.WORTH)

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("indexing: 25% of ")


def test_a_discovery_says_now_and_then_how_far_it_is(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        shell.state.put("chatkit", {"id": f"cthr_{number}"})
    assert " a second" not in shell.ok("discover", "--source", "chatkit").stderr
    monkeypatch.setattr(_counting, "EVERY", 0.0)

    assert "3 listed, 0 new" in shell.ok("discover", "--source", "chatkit", "--full").stderr
