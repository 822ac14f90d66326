from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.archive._lock import Lock
from tests.cli.conftest import Shell


def looks(shell: Shell, *words: str) -> tuple[dict[str, dict[str, Any]], int]:
    *found, summary = shell.json("doctor", *words)
    return {look["subject"]: look for look in found}, summary["exit_code"]


def test_all_is_well(shell: Shell) -> None:
    found, code = looks(shell)

    assert code == 0
    assert found["profile default, assistants"]["what"] == "answers"
    assert found["profile default, conversations"]["what"] == "answers"
    assert found["profile default, clock"]["state"] == "good"
    assert not shell.archive.exists()
    assert shell.ok("doctor").stderr == "all is well\n"


def test_a_wrong_key_is_12(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    found, code = looks(shell)

    assert code == 12
    assert "the key was refused" in found["profile default, assistants"]["what"]


def test_a_missing_key_is_12(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example/v1")
    found, code = looks(shell)

    assert code == 12
    assert "set OPENAI_API_KEY" in found["profile default"]["what"]


def test_a_removed_api_is_a_note_while_another_answers_and_else_13(shell: Shell) -> None:
    shell.state.switches = shell.state.switches.with_changes({"fault": "api_removed", "only": "threads"})
    found, code = looks(shell)
    assert code == 0
    assert found["profile default, assistants"]["state"] == "note"

    shell.state.switches = shell.state.switches.with_changes({"only": ""})
    assert looks(shell)[1] == 13


def test_nobody_answering_is_75(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    assert looks(shell)[1] == 75


def test_the_archive_and_its_lock_are_looked_at(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    with Lock(shell.archive):
        found, code = looks(shell)
    assert code == 0
    assert "is writing" in found["lock"]["what"]

    (shell.archive / "archive.json").unlink()
    assert looks(shell)[1] == 10


def test_a_thread_is_found_by_the_profile_that_sees_it(shell: Shell, tmp_path: Path) -> None:
    shell.state.add_thread("thread_two1", project="proj_two")
    (tmp_path / "two").write_text("sk-sandbox-two")
    (tmp_path / "exporter.toml").write_text(
        f'[profiles.two]\nbase_url = "{shell.url}"\napi_key_file = "{tmp_path}/two"\n'
    )
    found, code = looks(shell, "thread_two1")

    assert code == 0
    assert found["profile two"]["what"].startswith("sees this thread")
    assert found["profile default"]["state"] == "note"


def test_a_thread_that_nobody_sees_is_3_with_both_reasons(shell: Shell) -> None:
    found, code = looks(shell, "thread_nope1")

    assert code == 3
    assert "expired or was deleted, or it belongs to a project" in found["thread_nope1"]["help"]


def test_a_thread_behind_a_wrong_key_is_12_and_behind_a_removed_api_13(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.state.switches = shell.state.switches.with_changes({"fault": "api_removed"})
    assert looks(shell, "thread_1")[1] == 13
    shell.state.switches = shell.state.switches.with_changes({"fault": ""})
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    assert looks(shell, "thread_1")[1] == 12


def test_an_id_without_a_known_prefix_is_a_question(shell: Shell) -> None:
    assert shell.run("doctor", "abc").exit_code == 2
    assert shell.run("doctor", "../x", "--source", "assistants").exit_code == 2
