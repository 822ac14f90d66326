from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.archive._lock import Lock
from exporter.cli import _progress
from tests.cli.conftest import Shell


def fill(shell: Shell, messages: int = 3) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_conversation("conv_1")
    for number in range(messages):
        shell.state.add_message(
            "thread_1", {"role": "user", "content": [{"type": "text", "text": {"value": f"{number}"}}]}
        )
        shell.state.add_item("conv_1", {"type": "message", "role": "user", "content": f"{number}"})


def test_backup_registers_archives_and_ends_with_one_clear_sentence(shell: Shell) -> None:
    fill(shell)
    result = shell.ok("backup", "thread_1", "conv_1")

    assert result.stdout == ""
    assert result.stderr.startswith("complete: 8 new objects of 2 threads")
    assert len(result.stderr.splitlines()) == 1


def test_a_second_backup_brings_nothing_and_needs_no_ids(shell: Shell) -> None:
    fill(shell)
    shell.ok("backup", "thread_1", "conv_1")

    *threads, summary = shell.json("backup", "--all")
    assert [line["records"] for line in threads] == [0, 0]
    assert (summary["records"], summary["registered"], summary["complete"]) == (0, 2, 2)


def test_json_tells_each_thread_and_the_equation(shell: Shell) -> None:
    fill(shell)
    *threads, summary = shell.json("backup", "thread_1", "thread_nope1")

    assert {(line["thread"], line["state"], line["code"]) for line in threads} == {
        ("thread_1", "complete", None),
        ("thread_nope1", "failed", "not_found"),
    }
    states = ("complete", "partial", "gone", "failed", "never_visited")
    assert summary["registered"] == sum(summary[state] for state in states) == 2
    assert summary["exit_code"] == 3


def test_a_failed_thread_is_named_and_doctor_too(shell: Shell) -> None:
    fill(shell)
    result = shell.run("backup", "thread_1", "thread_nope1")

    assert result.exit_code == 3
    failed, sentence = result.stderr.splitlines()
    assert failed.startswith("failed: assistants/thread_nope1: ")
    assert "exporter doctor thread_nope1" in failed
    assert sentence.startswith("NOT COMPLETE: 1 of 2 threads")


def test_a_good_night_after_a_bad_one_says_both(shell: Shell) -> None:
    fill(shell)
    shell.run("backup", "thread_1", "thread_nope1")
    shell.run("backup")  # its second try, in the same night
    with Archive.write(shell.archive) as archive:
        nope = next(known.thread for known in archive.catalog.known(state="failed"))
        archive.catalog.note_hints({nope: {"due_at": "2126-01-01T00:00:00.000000+00:00"}})

    result = shell.ok("backup")

    assert "NOT COMPLETE" not in result.stderr
    assert "1 of 2 threads is not whole" in result.stderr
    assert "exporter status" in result.stderr


def test_where_all_schedules_are_worked_out_again_it_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "MANY", 2)
    fill(shell)
    said = shell.ok("backup", "thread_1", "conv_1").stderr
    again = shell.ok("backup").stderr
    Path("exporter.toml").write_text("[profiles.default]\n[rhythm]\nmargin_days = 7\n")
    changed = shell.ok("backup").stderr

    assert said.startswith("working out when 2 threads are due\n")
    assert "working out" not in again
    assert changed.startswith("working out when 2 threads are due\n")


def test_a_wrong_key_is_one_line_and_exit_12(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(shell)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key-of-somebody")
    result = shell.run("backup", "thread_1")

    assert result.exit_code == 12
    assert len(result.stderr.splitlines()) == 1
    assert "set a valid one" in result.stderr
    assert "sk-wrong-key-of-somebody" not in result.output


def test_without_a_key_nothing_is_made(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example/v1")
    result = shell.run("backup", "thread_1")

    assert result.exit_code == 12
    assert "set OPENAI_API_KEY" in result.stderr
    assert not shell.archive.exists()


def test_an_address_that_no_key_is_sent_to_makes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/v1")
    result = shell.run("backup", "thread_1")

    assert result.exit_code == 2
    assert "use https" in result.stderr
    assert not shell.archive.exists()


@pytest.mark.parametrize("words", [["../../x"], ["abc1"], ["thread_1", "--profile", "defualt"], ["@nowhere"]])
def test_a_mistake_makes_nothing_and_ends_with_2(shell: Shell, words: list[str]) -> None:
    error = shell.json("backup", *words)[-1]

    assert (error["message_type"], error["exit_code"]) == ("error", 2)
    assert not shell.archive.exists()


def test_without_ids_and_archive_it_says_how_to_begin(shell: Shell) -> None:
    result = shell.run("backup", "--all")

    assert result.exit_code == 10
    assert "name the threads to begin with" in result.stderr


def test_a_folder_with_other_files_is_no_archive(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "photo.jpg").write_text("x")

    assert shell.run("backup", "thread_1").exit_code == 10
    assert shell.run("threads").exit_code == 10


def test_a_newer_format_is_exit_10_everywhere(shell: Shell) -> None:
    fill(shell)
    shell.ok("backup", "thread_1")
    about = shell.archive / "archive.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))

    for verb in (["backup"], ["threads"], ["status"], ["check"], ["rebuild"], ["show", "thread_1"], ["export"]):
        assert shell.run(*verb).exit_code == 10, verb


def test_a_locked_archive_is_exit_11_and_says_who(shell: Shell) -> None:
    fill(shell)
    shell.ok("backup", "thread_1")
    with Lock(shell.archive):
        result = shell.run("backup", "--all")

    assert result.exit_code == 11
    assert "is writing" in result.stderr


def test_a_removed_api_is_exit_13_and_nothing_is_marked(shell: Shell) -> None:
    fill(shell)
    shell.ok("backup", "thread_1")
    shell.state.switches = shell.state.switches.with_changes({"fault": "api_removed"})
    result = shell.run("backup", "--all")

    assert result.exit_code == 13
    assert len(result.stderr.splitlines()) <= 2
    with Archive.open(shell.archive) as archive:
        assert archive.catalog.count() == {"complete": 1}


def test_a_budget_ends_with_14_and_the_next_run_goes_on(shell: Shell) -> None:
    fill(shell)
    result = shell.run("backup", "thread_1", "conv_1", "--max-requests", "2")

    assert result.exit_code == 14
    assert "run the same command to go on" in result.stderr or "run again" in result.stderr
    assert shell.json("backup", "--all")[-1]["complete"] == 2


def test_a_dry_run_asks_nobody_and_makes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    *threads, summary = shell.json("backup", "thread_1", "conv_1", "--dry-run")

    assert [line["thread"] for line in threads] == ["thread_1", "conv_1"]
    assert summary["threads"] == 2
    assert shell.state.requests == []
    assert not shell.archive.exists()


def test_no_runs_leaves_runs_out(shell: Shell) -> None:
    fill(shell)
    shell.ok("backup", "thread_1", "--no-runs")

    assert not [request for request in shell.state.requests if request.path.endswith("/runs")]


def test_quiet_is_quiet_and_verbose_names_threads(shell: Shell) -> None:
    fill(shell)

    assert "assistants/thread_1: messages 0+3" in shell.ok("-vv", "backup", "thread_1").stderr
    assert "complete: assistants/thread_1" in shell.ok("-v", "backup", "--all").stderr
    assert shell.ok("-q", "backup", "--full").stderr == ""


def test_another_profile_of_a_file_is_used(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(shell)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    (tmp_path / "key").write_text("sk-sandbox-one\n")
    (tmp_path / "exporter.toml").write_text(
        f'[profiles.box]\nbase_url = "{shell.url}"\napi_key_file = "{tmp_path}/key"\n'
    )

    shell.ok("backup", "thread_1", "--profile", "box")
    assert shell.json("backup", "--all")[-1]["complete"] == 1
    written = [path.read_bytes() for path in shell.archive.rglob("*") if path.is_file()]
    assert not any(b"sk-sandbox" in content for content in written)


@pytest.mark.parametrize("option", ["--rate", "--max-duration"])
@pytest.mark.parametrize("number", ["nan", "inf", "0", "-1"])
def test_a_limit_is_a_number_above_zero(shell: Shell, option: str, number: str) -> None:
    assert shell.run("backup", option, number, "thread_1").exit_code == 2


def test_what_is_not_due_is_left_alone_but_what_is_named_is_visited(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_thread("thread_2")
    shell.ok("backup", "thread_1", "thread_2")
    start = len(shell.state.requests)
    nothing = shell.ok("backup")
    asked = len(shell.state.requests) - start
    named = shell.json("backup", "thread_2")

    assert asked == 0
    assert "nothing is due" in nothing.stderr
    assert [line["thread"] for line in named if line["message_type"] == "thread"] == ["thread_2"]
    assert shell.json("backup", "--all", "--dry-run")[-1]["threads"] == 2
    assert shell.json("backup", "--dry-run")[-1]["threads"] == 0


def test_a_dry_run_names_whom_the_backup_visits(shell: Shell, tmp_path: Path) -> None:
    for number in (1, 2):
        shell.state.add_thread(f"thread_{number}")
    shell.ok("backup", "thread_1", "thread_2")
    ids = tmp_path / "ids.txt"
    ids.write_text("thread_2 thread_3", encoding="utf-8")
    *threads, _ = shell.json("backup", "thread_1", f"@{ids}", "--dry-run")

    # one that a file names is registered, and visited when it is due
    assert [(line["thread"], line["state"]) for line in threads] == [("thread_1", "complete"), ("thread_3", "new")]


def test_nobody_is_told_to_repeat_what_cannot_help(shell: Shell) -> None:
    names = [shell.state.add_thread(f"thread_{number}") for number in range(20)]
    shell.ok("backup", *names)
    for name in names[:6]:
        shell.state.delete_thread(name)
    vanished = shell.run("backup", "--all")

    assert vanished.exit_code == 13
    assert "--accept-gone" in vanished.stderr
    assert "run the same command" not in vanished.stderr
    assert "the reason is said above" in vanished.stderr
