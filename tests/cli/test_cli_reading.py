from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.conftest import Shell


def message(text: str) -> bytes:
    value = json.dumps(text)
    return b'{"role":"user","content":[{"type":"text","text":{"value":%b}}],"big":123456789012345678901234567890,' % (
        value.encode()
    ) + b'"f":1.10,"created_at":1760000000,"id":"msg_%x"}' % abs(hash(text))


@pytest.fixture
def filled(shell: Shell) -> Shell:
    shell.state.add_thread("thread_1")
    for text in ("one", "two \x1b[2J\x07 lines\nhere", "three"):
        shell.state.add_message("thread_1", message(text))
    shell.state.add_conversation("conv_1")
    shell.state.add_item("conv_1", {"type": "message", "role": "user", "content": "hello"})
    shell.ok("register", "thread_1", "--user", "ann", "--customer", "acme", "--tag", "vip")
    shell.ok("backup", "conv_1")
    return shell


def test_register_counts_and_updates(shell: Shell) -> None:
    assert shell.json("register", "-", stdin="id,user\nthread_1,ann\nthread_2,ben\n")[-1]["new"] == 2
    assert shell.json("register", "thread_1", "--user", "eve")[-1]["changed"] == 1
    again = shell.json("register", "thread_2", "thread_3")[-1]
    assert (again["new"], again["unchanged"], again["registered"]) == (1, 1, 3)
    assert [line.get("user") for line in shell.json("threads")] == ["eve", "ben", None, None]
    assert shell.state.requests == []


def test_threads_filters(filled: Shell) -> None:
    assert [line.get("thread") for line in filled.json("threads", "--user", "ann")] == ["thread_1", None]
    assert [line.get("thread") for line in filled.json("threads", "--source", "conversations")] == ["conv_1", None]
    assert filled.json("threads", "--state", "failed") == [{"message_type": "summary", "threads": 0}]
    table = filled.ok("threads", "--customer", "acme").stdout.splitlines()
    assert table[0].startswith("STATE")
    assert table[1].split()[:4] == ["complete", "assistants", "default", "thread_1"]


def test_status_balances_and_names_what_is_missing(filled: Shell) -> None:
    filled.run("backup", "thread_nope1")
    filled.ok("register", "thread_new1")
    lines = filled.json("status")
    kinds = [line["message_type"] for line in lines]

    assert kinds == ["run", "equation", "thread", "thread", "summary"]
    equation = lines[1]
    del equation["message_type"]
    assert equation.pop("registered") == sum(equation.values()) == 4
    assert {(line["thread"], line["state"]) for line in lines[2:4]} == {
        ("thread_nope1", "failed"),
        ("thread_new1", "new"),
    }
    text = filled.ok("status")
    assert "4 registered = 2 complete + 0 partial + 0 gone + 1 failed + 1 never visited" in text.stdout
    assert text.stderr == "NOT COMPLETE: 2 threads to go, 0 gaps\n"


def test_status_names_gaps(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    for number in range(30):
        shell.state.add_message("thread_1", message(str(number)))
    shell.state.switches = shell.state.switches.with_changes({"lies": "ignores_parameters"})
    if shell.run("backup", "thread_1").exit_code == 0:
        pytest.skip("this lie does no harm here")

    gaps = [line for line in shell.json("status") if line["message_type"] == "gap"]
    assert gaps
    assert gaps[0]["thread"] == "thread_1"


def test_status_does_not_call_complete_what_the_last_run_could_not_look_at(
    filled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    filled.run("backup", "--all")

    assert filled.ok("status").stderr.startswith("NOT UP TO DATE: the last run ended early with exit code 12")


def test_status_of_an_archive_without_a_backup(shell: Shell) -> None:
    shell.ok("register", "thread_1")

    assert "no backup has finished yet" in shell.ok("status").stdout


def test_show_is_readable_and_cannot_steer_the_terminal(filled: Shell) -> None:
    text = filled.ok("show", "thread_1").stdout

    assert text.startswith("══ thread_1\n")
    assert "\n── user · 2025-10-09 08:53:20\n  one\n" in text
    assert "  two \\x1b[2J\\x07 lines\n  here\n" in text
    assert "\x1b" not in text


def test_show_in_json_gives_the_records(filled: Shell) -> None:
    *records, summary = filled.json("show", "thread_1")

    assert [record["kind"] for record in records] == ["thread", "message", "message", "message"]
    assert [record["seq"] for record in records] == [0, 0, 1, 2]
    assert summary["records"] == 4


def test_show_of_an_unknown_id_says_so(filled: Shell) -> None:
    assert filled.run("show", "thread_x").exit_code == 2
    assert filled.run("show", "thread_1", "--source", "conversations").exit_code == 2


def test_export_gives_every_object_once_as_it_was_sent(filled: Shell, tmp_path: Path) -> None:
    lines = filled.ok("export").stdout.splitlines()
    result = filled.ok("export", "--format", "jsonl", "-o", str(tmp_path / "all.jsonl"))

    assert (tmp_path / "all.jsonl").read_text().splitlines() == lines
    assert result.stderr == "complete: 2 threads, 4 messages, 6 objects\n"
    sent = [entry.raw for entry in filled.state.shelves["threads"].holders["thread_1"].series("messages")]
    bodies = [line.split(',"body":', 1)[1][:-1].encode() for line in lines if '"kind":"message"' in line]
    assert bodies[:3] == sent
    assert (tmp_path / "all.jsonl").stat().st_mode & 0o777 == 0o600


def test_export_into_a_pipe_leaves_it_a_pipe(filled: Shell, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        filled.ok("export", "-o", str(tmp_path / "pipe"))
        assert (tmp_path / "pipe").is_fifo()
        assert read.result(timeout=10) == filled.ok("export").stdout_bytes


def test_export_of_some_threads(filled: Shell, tmp_path: Path) -> None:
    summary = filled.json("export", "conv_1", "-o", str(tmp_path / "one.jsonl"))[-1]

    assert (summary["threads"], summary["records"]) == (1, 2)
    assert filled.run("export", "--json").exit_code == 2
    assert filled.run("export", "--format", "jsonnl").exit_code == 2


def test_export_after_a_full_walk_has_the_newest_revision_once(filled: Shell) -> None:
    before = filled.ok("export", "thread_1").stdout.splitlines()
    series = filled.state.shelves["threads"].holders["thread_1"].series("messages")
    second = list(series)[1]
    series.edit(
        second.id or "",
        message("two again").replace(b'"id":"msg_', b'"old":"msg_')[:-1] + b',"id":"%s"}' % (second.id or "").encode(),
    )
    filled.ok("backup", "--full")
    after = filled.ok("export", "thread_1").stdout.splitlines()

    assert len(after) == len(before) == 4
    assert "two again" in after[2]
    assert [json.loads(line)["seq"] for line in after] == [0, 0, 1, 2]


def test_check_is_quiet_when_all_is_whole_and_names_the_file_when_not(filled: Shell) -> None:
    whole = filled.json("check", "--rebuild")
    assert [line["message_type"] for line in whole if line.get("severity") == "damage" or "damage" in line] == [
        "summary"
    ]

    segment = next(filled.archive.glob("segments/*/*/*.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(content)
    result = filled.run("check")

    assert result.exit_code == 5
    assert segment.name in result.stdout
    assert result.stderr.startswith("DAMAGE")


def test_rebuild_makes_the_catalog_again(filled: Shell) -> None:
    before = filled.json("threads")
    (filled.archive / "catalog.sqlite").unlink()
    assert filled.run("threads").exit_code == 5
    filled.ok("rebuild")

    after = filled.json("threads")
    assert [{**line, "visited_at": 0} for line in after] == [{**line, "visited_at": 0} for line in before]
