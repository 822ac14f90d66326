"""`show` on a terminal and in a pipe: colours, folds, sources, a part of a conversation; no text steers anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.sandbox import State
from tests.cli.conftest import Shell
from tests.cli.terminal import on_a_terminal
from tests.formats import hostile

OURS = re.compile(r"\x1b\[(?:[0-9]{1,2})(?:;[0-9]{1,2})*m")
"The colours that we write, and nothing else that begins like them."
BEGIN = 1_760_000_000


def say(state: State, thread: str, text: str, role: str = "user", **more: Any) -> str | None:
    part = {"type": "text", "text": {"value": text, "annotations": more.pop("notes", [])}}
    return state.add_message(thread, {"role": role, "content": [part], **more})


@pytest.fixture
def told(shell: Shell) -> Shell:
    """A thread whose answer cites a file and a page, and is made by a call."""
    state = shell.state
    state.add_thread("thread_told")
    for number in range(6):
        say(state, "thread_told", f"question {number}", created_at=BEGIN + 3600 * number)
    run = state.add_run("thread_told", {}) or ""
    own = {"name": "get_weather", "arguments": '{"city":"Bern"}', "output": "7 degrees\nand rain"}
    call = {"id": "call_1", "type": "function", "function": own}
    state.add_step(
        "thread_told", run, {"type": "tool_calls", "step_details": {"type": "tool_calls", "tool_calls": [call]}}
    )
    notes = [
        {"type": "file_citation", "text": "【4:0†source】", "file_citation": {"file_id": "file-1"}},
        {"type": "url_citation", "url_citation": {"title": "Weather", "url": "https://w.example"}, "end_index": 7},
    ]
    answer = "It is 7【4:0†source】 degrees in Bern."
    say(state, "thread_told", answer, "assistant", notes=notes, run_id=run, created_at=BEGIN + 90_000)
    shell.ok("backup", "thread_told")
    return shell


def test_a_call_is_one_line_until_it_is_unfolded(told: Shell) -> None:
    folded, unfolded = (told.ok("show", "thread_told", *words).stdout for words in ((), ("--tools",)))

    assert '  ▸ function · get_weather {"city":"Bern"} → 7 degrees and rain\n' in folded
    assert "▾" not in folded
    assert "▸" not in unfolded
    assert '  ▾ function · get_weather\n    {\n      "name": "get_weather",\n' in unfolded


def test_sources_have_numbers_where_they_are_cited(told: Shell) -> None:
    text = told.ok("show", "thread_told").stdout

    assert "  It is 7[1][2] degrees in Bern.\n" in text
    assert re.search(r"^  \[1\] Weather: https://w.example\n  \[2\] file-1 ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--last", "2"), ["question 5", "It is 7"]),
        (("--last", "99"), [*(f"question {n}" for n in range(6)), "It is 7"]),
        (("--role", "assistant"), ["It is 7"]),
        (("--role", "user", "--last", "1"), ["question 5"]),
        (("--since", "2025-10-09T11:00:00"), ["question 3", "question 4", "question 5", "It is 7"]),
        (("--since", "2025-10-09T10:00", "--until", "2025-10-09T12:00"), ["question 2", "question 3"]),
        (("--until", "2024-01-01"), []),
    ],
)
def test_a_part_of_a_conversation(told: Shell, words: tuple[str, ...], expected: list[str]) -> None:
    result = told.ok("show", "thread_told", *words)
    found = re.findall(r"question \d|It is 7", result.stdout)

    assert found == expected
    assert result.stderr.strip() == f"{len(expected)} messages"


@pytest.mark.parametrize("command", [("show", "thread_told"), ("export",), ("search", "question")])
def test_a_span_the_wrong_way_round_is_refused(command: tuple[str, ...], told: Shell) -> None:
    result = told.run(*command, "--since", "2025-10-10", "--until", "2025-10-09")

    assert result.exit_code == 2
    assert "nothing is from --since 2025-10-10T00:00:00+00:00 on and before --until 2025-10-09T" in result.stderr


def test_what_is_left_out_at_the_beginning_is_said(told: Shell) -> None:
    assert "━━ 5 earlier messages are not shown\n" in told.ok("show", "thread_told", "--last", "2").stdout


def test_json_is_whole_or_refused(told: Shell) -> None:
    result = told.run("show", "thread_told", "--json", "--last", "1")

    assert result.exit_code == 2
    assert "exporter export ID --since" in result.stdout


def test_what_changed_and_what_was_deleted_says_so(shell: Shell) -> None:
    state = shell.state
    state.add_thread("thread_changed")
    first, second = (say(state, "thread_changed", text) or "" for text in ("before", "taken back"))
    shell.ok("backup", "thread_changed")
    parts = [{"type": "text", "text": {"value": "after", "annotations": []}}]
    state.edit_message("thread_changed", first, {"id": first, "role": "user", "content": parts})
    state.delete_message("thread_changed", second)
    shell.ok("backup", "--full", "--all")

    text = shell.ok("show", "thread_changed").stdout
    assert re.search(
        r"── user · changed once, noticed 20.* UTC · .*\n  ▸ before, as seen 20.* UTC: before\n  after\n", text
    )
    assert re.search(r"  not on the server any more \(deleted\); noticed 20.* UTC\n  taken back\n", text)
    written = shell.ok("export", "thread_changed", "--format", "markdown").stdout
    assert re.search(r"\*\*before, as seen 20.* UTC\*\*\n\n```\nbefore\n```\n\n> after\n", written)
    assert re.search(r"\*\*not on the server any more \(deleted\); noticed 20.* UTC\*\*\n\n> taken back\n", written)


def test_what_is_not_whole_says_why(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_PSEUDONYM_KEY", "a key that is long enough")
    shell.state.add_thread("thread_torn")
    for number in range(250):
        say(shell.state, "thread_torn", f"message {number}")
    shell.state.switches = shell.state.switches.with_changes({"lies": ["empty_page_has_more"]})
    assert shell.run("backup", "thread_torn", "thread_not_there").exit_code == 3

    torn, nothing = (shell.ok("show", name).stdout for name in ("thread_torn", "thread_not_there"))
    assert re.search(r" · state partial: messages: an empty page says that more", torn)
    assert re.search(r" · state failed: not found; perhaps another project's key", nothing)
    assert (
        "- state: partial: messages: an empty page" in shell.ok("export", "thread_torn", "--format", "markdown").stdout
    )
    pages = shell.ok("export", "thread_torn", "--format", "html", "-o", str(tmp_path / "one.html")).stdout
    assert "partial: messages: an empty page" in pages + (tmp_path / "one.html").read_text("utf-8")
    hidden = shell.ok("export", "thread_torn", "--format", "markdown", "--pseudonymise").stdout
    assert "state: partial" in hidden
    assert "thread_torn" not in hidden


@pytest.mark.parametrize(
    ("words", "environ", "colours"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {}, False),
    ],
)
def test_colours_in_a_pipe(
    told: Shell, words: tuple[str, ...], environ: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    text = told.ok("show", "thread_told", *words).stdout

    assert ("\x1b[" in text) is colours
    assert OURS.sub("", text) == told.ok("show", "thread_told").stdout


@pytest.mark.parametrize(
    ("words", "environ", "colours"),
    [
        ((), {"TERM": "xterm"}, True),
        ((), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {"TERM": "xterm"}, False),
    ],
)
def test_colours_on_a_terminal(told: Shell, words: tuple[str, ...], environ: dict[str, str], colours: bool) -> None:
    text = on_a_terminal("show", "thread_told", *words, environ=environ, columns=40)

    assert ("\x1b[" in text) is colours
    assert "get_weather" in text
    assert all(len(row) <= 40 for row in OURS.sub("", text).splitlines())


@pytest.mark.parametrize("words", [("--color", "always"), ("--tools", "--color", "always"), ("--tools",)])
def test_no_text_steers_a_terminal_or_looks_like_an_entry(shell: Shell, words: tuple[str, ...]) -> None:
    ids = hostile.put(shell.state)
    shell.ok("backup", *ids.values())

    for name in ids.values():
        text = shell.ok("show", name, *words).stdout
        plain = OURS.sub("", text)
        assert all(c.isprintable() or c in "\n\t\u200d" for c in plain), name
        if name == ids["conversations"]:
            # what was said stays readable, and its lines never begin where an entry does
            assert "  # assistant · 2025-01-01 00:00:00\n" in plain
            assert "👩‍👩‍👧" in plain
        for row in plain.splitlines():
            assert row[:1] in ("", " ", "─", "━", "═"), row


def test_whoever_has_read_enough_ends_it_quietly(shell: Shell) -> None:
    shell.state.add_thread("thread_long")
    for number in range(3000):
        say(shell.state, "thread_long", f"message {number} {'x' * 100}")
    shell.ok("backup", "thread_long")
    show = f"{sys.executable} -m exporter -q show thread_long -a {shell.archive}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {show} | head -5"], capture_output=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"message 0 " in done.stdout
