"""Searching an archive of every kind of text from the command line."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import pytest

from tests.cli.conftest import Shell

HOSTILE = "\x1b[31mrefund\x1b[0m \u202egnp.exe\u202c <script>refund</script>"


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A thread and a conversation of two users."""
    state = shell.state
    state.add_thread("thread_search1")
    for text in ("Where is my refund?", "東京都に住んでいます", HOSTILE):
        state.add_message("thread_search1", {"role": "user", "content": text})
    state.add_conversation("conv_search1")
    state.add_item("conv_search1", said("Your refund is on its way to the café"))
    state.add_thread("thread_search2")
    shell.ok("register", "thread_search1", "--user", "ann", "--customer", "acme", "--title", "Money back")
    shell.ok("register", "conv_search1", "--user", "bob")
    shell.ok("register", "thread_search2")
    shell.ok("backup")
    return shell


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def test_hits_say_where_they_are_and_how_to_read_on(filled: Shell) -> None:
    done = filled.ok("search", "CAFE", "refund")

    about, line, hint, *_ = done.stdout.splitlines()
    assert about.startswith("conv_search1 · user bob · 20")
    assert about.endswith(" UTC · assistant")
    assert line.strip() == "Your **refund** is on its way to the **café**"
    assert done.stderr.splitlines()[-1] == "1 found"
    assert "café" in filled.ok(*shlex.split(hint)[1:]).stdout


def test_json_has_a_line_for_each_hit_and_a_summary(filled: Shell) -> None:
    *hits, summary = filled.json("search", "refund", "--user", "ann", "--limit", "1")

    assert (summary["total"], summary["shown"], summary["stale"]) == (2, 1, False)
    (hit,) = hits
    assert (hit["message_type"], hit["thread"], hit["title"]) == ("hit", "thread_search1", "Money back")
    assert {hit["snippet"][begin:end].lower() for begin, end in hit["marks"]} == {"refund"}
    assert [one["thread"] for one in filled.json("search", "東京")[:-1]] == ["thread_search1"]
    assert [one["kind"] for one in filled.json("search", '"money back"')[:-1]] == ["thread"]


@pytest.mark.parametrize(
    ("options", "total"),
    [
        (["--user", "bob"], 1),
        (["--customer", "acme"], 2),
        (["--source", "conversations"], 1),
        (["--role", "user"], 2),
        (["--thread", "thread_search1"], 2),
        (["--since", "2100-01-01"], 0),
        (["--until", "2100-01-01", "--no-deleted"], 3),
        (["--offset", "3"], 3),
    ],
)
def test_options_narrow_what_is_found(filled: Shell, options: list[str], total: int) -> None:
    assert filled.json("search", "refund", *options)[-1]["total"] == total


@pytest.mark.parametrize("color", ["always", "never"])
def test_no_text_steers_the_terminal(filled: Shell, color: str) -> None:
    text = filled.ok("search", "script", "--color", color).stdout

    assert "\\x1b[31m" in text
    assert "\\u202e" in text
    assert not set(text) & {"\u202e", "\u202c", "\x07"}
    assert ("\x1b[1m" in text) == (color == "always")
    assert "\x1b[31m" not in text
    assert ("**" in text) == (color == "never")


def test_what_is_archived_later_is_found_unless_nobody_looks(filled: Shell) -> None:
    assert filled.run("search", "refund", "--no-refresh").exit_code == 2
    filled.ok("search", "refund")
    filled.state.add_message("thread_search1", {"role": "user", "content": "another refund"})
    filled.ok("backup", "--all")

    stale = filled.ok("search", "refund", "--no-refresh")
    assert "what was archived later is not found" in stale.stderr
    assert stale.stderr.splitlines()[-1] == "3 found"
    assert filled.json("search", "refund")[-1]["total"] == 4


def test_a_deleted_thread_is_marked(filled: Shell) -> None:
    filled.ok("search", "refund")
    filled.state.delete_thread("thread_search1")
    filled.ok("backup", "--all")

    deleted = {hit["thread"]: hit["deleted"] for hit in filled.json("search", "refund")[:-1]}
    assert deleted == {"thread_search1": True, "conv_search1": False}
    assert filled.json("search", "refund", "--no-deleted")[-1]["total"] == 1
    assert " · deleted\n" in filled.ok("search", "money").stdout


@pytest.mark.parametrize("words", [['"'], ["***"], ["a*"], ["x" * 3000], [" "]])
def test_a_question_without_a_word_is_refused(filled: Shell, words: list[str]) -> None:
    done = filled.run("search", *words)

    assert done.exit_code == 2
    assert done.stderr.startswith("exporter: ")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_engine_it_says_what_to_install(filled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tantivy", None)

    done = filled.run("search", "refund")
    assert done.exit_code == 2
    assert "pip install 'conversation-exporter[search]'" in done.stderr


def test_without_an_archive_it_says_so(shell: Shell) -> None:
    assert shell.run("search", "refund").exit_code == 10


def test_a_damaged_segment_costs_the_texts_in_it_and_nothing_else(filled: Shell) -> None:
    segments = list(filled.archive.glob("segments/*/*/*.zst"))
    filled.state.add_conversation("conv_search3")
    filled.state.add_item("conv_search3", said("No refund without a receipt"))
    filled.ok("backup", "conv_search3")
    filled.ok("search", "refund")
    for segment in segments:
        segment.chmod(0o600)
        segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 2])

    done = filled.run("search", "refund")
    *hits, summary = filled.json("search", "refund")

    assert done.exit_code == 5
    assert "No **refund** without a receipt" in done.stdout
    assert "(its text cannot be read: segments/" in done.stdout
    assert "exporter check" in done.stderr
    assert summary["total"] == len(hits) == 4
    assert sorted(bool(hit["damage"]) for hit in hits if hit["message_type"] == "hit") == [False, True, True, True]
    assert all(bool(hit["snippet"]) != bool(hit["damage"]) for hit in hits)
