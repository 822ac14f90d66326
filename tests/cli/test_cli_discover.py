"""`exporter discover` as a user meets it: lines, JSON, exit codes, signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.sandbox import State, running
from exporter.sandbox.keys import Key
from exporter.sandbox.switches import Switches
from exporter.sources import names
from tests.cli.conftest import Shell
from tests.conftest import KEY


def fill(state: State, count: int, **fields: object) -> set[str]:
    return {state.put("chatkit", {"id": f"cthr_{n:05d}", "created_at": n, **fields}) for n in range(count)}


def test_a_line_for_each_source_and_then_a_backup_needs_nothing_more(shell: Shell) -> None:
    fill(shell.state, 3, user="ann", title="T")
    first = shell.ok("discover")
    again = shell.ok("discover", "--source", "chatkit", "--full")

    lines = first.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == list(names())
    assert "chatkit: 3 listed: 3 new, 0 changed, 0 as before" in lines
    assert "completions: nothing new" in lines
    assert any(line.startswith("conversations: this server does not list them. Ids come from") for line in lines)
    assert first.stderr.splitlines()[-1].startswith("3 new, 0 changed, 0 as before; 3 threads registered")
    assert again.stdout == "chatkit: 3 listed: 0 new, 0 changed, 3 as before\n"
    assert shell.json("backup")[-1]["complete"] == 3
    assert [line["user"] for line in shell.json("threads")[:-1]] == ["ann"] * 3
    assert "session key" in shell.run("-v", "discover", "--source", "responses").stderr


def test_json_has_a_line_for_each_new_thread_each_list_and_a_summary(shell: Shell) -> None:
    ids = fill(shell.state, 3)
    lines = shell.json("discover", "--source", "chatkit", "--source", "completions")
    summary = lines[-1]

    assert [line["message_type"] for line in lines] == ["thread"] * 3 + ["source"] * 2 + ["summary"]
    assert {line["thread"] for line in lines[:3]} == ids
    assert {line["news"] for line in lines[:3]} == {"registered"}
    assert (summary["registered"], summary["changed"], summary["unchanged"], summary["nameless"]) == (3, 0, 0, 0)
    assert (summary["total"], summary["requests"], summary["exit_code"]) == (3, 2, 0)
    assert summary["sources"] == [{k: v for k, v in line.items() if k != "message_type"} for line in lines[3:5]]
    assert [(one["source"], one["state"], one["listed"], one["why"]) for one in summary["sources"]] == [
        ("chatkit", "complete", 3, None),
        ("completions", "complete", 0, None),
    ]


def test_exit_codes_say_what_was_not_listed(shell: Shell) -> None:
    fill(shell.state, 3)
    asked = shell.run("discover", "--source", "conversations", "--source", "chatkit")
    shell.state.keys[KEY] = Key("proj_one", scopes=frozenset({"api.chatkit.read"}))
    narrow = shell.run("discover", "--source", "agents", "--source", "chatkit")
    shell.state.keys[KEY] = Key("proj_one", scopes=frozenset())
    refused = shell.run("discover")
    shell.state.keys[KEY] = Key("proj_one")
    shell.state.switches = Switches(lies=frozenset({"has_more_forever"}))
    lying = shell.run("discover", "--source", "chatkit", "--full")
    budget = shell.run("discover", "--full", "--max-requests", "1")

    assert [one.exit_code for one in (asked, narrow, refused, lying, budget)] == [3, 3, 12, 3, 14]
    assert "lacks the scope api.agents.read: give it that, or use another key (HTTP 403)" in narrow.stderr
    assert "chatkit" in narrow.stdout
    assert "NOT COMPLETE: 0 new, 0 changed, 3 as before" in lying.stderr
    assert "gave before" in lying.stderr
    assert KEY not in "".join(one.stdout + one.stderr for one in (asked, narrow, refused, lying, budget))


def test_a_mistake_makes_no_archive(shell: Shell) -> None:
    for words in (["--source", "chatkitt"], ["--profile", "nobody"], ["--session"], ["--rate", "0"]):
        assert shell.run("discover", *words).exit_code == 2, words

    assert "session_key_env" in shell.run("discover", "--session").stderr
    assert shell.state.requests == []
    assert not shell.archive.exists()


def test_all_profiles_are_asked_unless_some_are_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(shell.state, 2)
    shell.state.put("chatkit", {"id": "cthr_theirs", "created_at": 1}, project="proj_two")
    shell.state.put("conversations", {"id": "conv_seen", "created_at": 1}, project="proj_two")
    monkeypatch.setenv("SECOND", "sk-sandbox-two")
    monkeypatch.setenv("BROWSER", "sess-sandbox-one")
    setting = f'base_url = "{shell.url}"\napi_key_env = "SECOND"\nproject = "proj_two"\nsession_key_env = "BROWSER"\n'
    Path("exporter.toml").write_text(f"[profiles.two]\n{setting}")
    two = shell.ok("discover", "--source", "chatkit", "--profile", "two")
    both = shell.ok("discover", "--source", "chatkit")
    session = shell.json("discover", "--source", "conversations", "--session")
    refused = shell.run("discover", "--profile", "default", "--profile", "two", "--session")

    assert two.stdout == "chatkit: 1 listed: 1 new, 0 changed, 0 as before\n"
    assert set(both.stdout.splitlines()) == {
        "chatkit (two): nothing new",
        "chatkit (default): 2 listed: 2 new, 0 changed, 0 as before",
    }
    assert [(line["thread"], line["profile"]) for line in session if line["message_type"] == "thread"] == [
        ("conv_seen", "two")
    ]
    assert (refused.exit_code, "'default' has no session token" in refused.stderr) == (2, True)
    assert [line["thread"] for line in shell.json("threads", "--profile", "two")[:-1]] == ["cthr_theirs", "conv_seen"]
    assert shell.json("backup")[-1]["complete"] == 4


def test_hostile_words_cannot_steer_the_terminal(shell: Shell) -> None:
    fill(shell.state, 1, title="\x1b[2J\r\nthread_x \u202e", user="\x1b]0;x\x07")
    told = shell.ok("discover", "--source", "chatkit")
    shown = shell.ok("threads")

    for text in (told.stdout, told.stderr, shown.stdout):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert len(shown.stdout.splitlines()) == 2


def test_a_terminal_sees_a_count_and_stdout_stays_for_answers(shell: Shell) -> None:
    fill(shell.state, 250)
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "exporter", "discover", "--source", "chatkit"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side, env=os.environ | {"TERM": "xterm"}) as process:
        os.close(side)
        seen = b""
        with suppress(OSError):  # which is how a terminal ends
            while data := os.read(terminal, 65536):
                seen += data
        out, _ = process.communicate(timeout=30)
    os.close(terminal)

    assert process.returncode == 0
    assert b"chatkit (default): " in seen
    assert b" a second" in seen
    assert seen.rstrip().endswith(b"250 threads registered; exporter backup visits those that are due")
    assert out == b"chatkit: 250 listed: 250 new, 0 changed, 0 as before\n"


def test_another_writer_is_named(shell: Shell) -> None:
    Archive.create(shell.archive)
    with Archive.write(shell.archive):
        command = [sys.executable, "-m", "exporter", "discover"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 11
    assert shell.state.requests == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_whatever_ends_it_loses_none_and_the_next_one_lists_little_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    state = State()
    ids = fill(state, 3000)
    command = [sys.executable, "-m", "exporter", "discover", "--source", "chatkit", "--json"]
    with running(state, latency=0.02) as sandbox, Path("out").open("wb") as out:
        monkeypatch.setenv("OPENAI_BASE_URL", sandbox.url)
        with subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 30
            while len(state.requests) < 10 and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(number)
            process.wait(30)
        asked = len(state.requests)
        summary = shell.json("discover", "--source", "chatkit")[-1]
        known = {line["thread"] for line in shell.json("threads")[:-1]}

    assert process.returncode == code
    if number != signal.SIGKILL:
        assert json.loads(Path("out").read_bytes().splitlines()[-1])["exit_code"] == code
    assert known == ids
    assert summary["exit_code"] == 0
    assert 10 <= asked < 30
    assert summary["sources"][0]["listed"] <= 3000 - 100 * (asked - 2)
    assert summary["unchanged"] <= 100
