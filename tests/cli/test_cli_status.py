"""`exporter status`: what is at risk, who needs a person, what was learned; exit code 4."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import stamp
from exporter.model import now
from exporter.retention import QUARANTINE
from tests.cli.conftest import Shell

DAY = timedelta(days=1)


@pytest.fixture
def names(shell: Shell) -> list[str]:
    found = [shell.state.add_thread(f"thread_{number:02}") for number in range(12)]
    for name in found:
        shell.state.add_message(name, {"content": "x"})
    shell.ok("backup", *found)
    return found


def hint(shell: Shell, threads: list[str], **said: Any) -> None:
    with Archive.write(shell.archive) as archive:
        refs = {known.thread.id: known.thread for known in archive.catalog.known()}
        archive.catalog.note_hints({refs[name]: said for name in threads})


def test_threads_at_risk_are_counted_named_with_the_reason_and_end_with_four(shell: Shell, names: list[str]) -> None:
    assert shell.run("status").exit_code == 0
    hint(shell, names, due_at=stamp(now() - 3 * DAY), deadline_at=stamp(now() + 5 * DAY))
    done, lines = shell.run("status"), shell.json("status")
    risky = [line for line in lines if line["message_type"] == "at_risk"]

    assert done.exit_code == 4
    assert "at risk within 7 days: 12" in done.stdout
    assert done.stdout.count("no document says so") == 10
    assert "... and 2 more: exporter status --list at-risk" in done.stdout
    assert done.stderr == (
        "AT RISK: 12 threads may lose something within 7 days; `exporter backup` now. complete: nothing is missing\n"
    )
    assert [line["thread"] for line in risky] == names
    assert risky[0]["why"].startswith("it was last visited on ")
    assert (lines[-1]["at_risk"], lines[-1]["exit_code"], lines[-1]["days"]) == (12, 4, 7)
    assert shell.run("status", "--days", "4").exit_code == 0
    assert shell.run("backup").exit_code == 0
    assert shell.run("status").exit_code == 0


def test_lists_name_all_threads_of_one_kind_and_nothing_else(shell: Shell, names: list[str]) -> None:
    hint(shell, names, due_at=stamp(now() - 3 * DAY), deadline_at=stamp(now() + 5 * DAY))
    hint(shell, names[:7], failures=QUARANTINE)
    shell.state.delete_thread(names[11])
    assert shell.json("status", "--list", "at-risk")[0]["thread"] == names[0]
    shell.run("backup", "thread_nope1", names[11])
    shell.ok("register", "thread_new1")

    listed = {
        which: shell.json("status", "--list", which)
        for which in ("failed", "partial", "gone", "new", "at-risk", "quarantined")
    }
    found = {which: [line["thread"] for line in lines[:-1]] for which, lines in listed.items()}
    assert found["failed"] == ["thread_nope1"]
    assert found["partial"] == []
    assert found["gone"] == names[11:]
    assert found["new"] == ["thread_new1"]
    assert found["at-risk"] == found["quarantined"] == [], "they were visited"
    assert all(lines[-1]["threads"] == len(lines) - 1 for lines in listed.values())


def test_quarantined_threads_are_named_so_that_a_person_looks(shell: Shell, names: list[str]) -> None:
    hint(shell, names[:7], failures=QUARANTINE, failed_at=stamp(now()))
    hint(shell, names[7:8], failures=QUARANTINE - 1, failed_at=stamp(now()))
    text, lines = shell.ok("status").stdout, shell.json("status")

    assert "quarantined, as they failed night after night: 7; `exporter doctor ID` tells why" in text
    assert f"{QUARANTINE} nights: assistants/thread_00" in text
    assert "... and 2 more: exporter status --list quarantined" in text
    assert [line["thread"] for line in lines if line["message_type"] == "quarantined"] == names[:7]
    assert lines[-1]["quarantined"] == 7
    assert shell.ok("status", "--list", "quarantined").stdout.splitlines() == [
        f"assistants/{name}" for name in names[:7]
    ]


def test_status_tells_checks_what_was_learned_and_the_next_night(shell: Shell, names: list[str]) -> None:
    before = shell.json("status")[-1]
    shell.ok("check")
    at = int((now() - 30 * DAY).timestamp())
    shell.state.add_thread({"id": "thread_old1", "created_at": at})
    shell.state.add_message("thread_old1", {"content": "x", "created_at": at})
    shell.ok("backup", "thread_old1")
    shell.state.delete_thread("thread_old1")
    shell.ok("backup", "thread_old1", names[0])
    after, text = shell.json("status")[-1], shell.ok("status").stdout

    assert before["last_check"] is None
    assert before["learned_retention"] == []
    assert after["last_check"]["rebuild"] is False
    (learned,) = after["learned_retention"]
    assert (learned["source"], learned["count"]) == ("assistants", 1)
    assert round(learned["gone"]["median"]) == round(learned["alive"]["median"]) == 30
    assert "learned: 1 of assistants at " in text
    assert "last whole check: " in text
    assert "longest without a visit: assistants/thread_" in text
    assert "next backup: 0 visits, about 0 requests" in text
    assert after["next_night"] == {"visits": 0, "requests": 0, "waiting": 0}


def test_an_archive_in_which_nothing_was_visited_says_so_and_names_five(shell: Shell) -> None:
    Archive.create(shell.archive)
    assert "no threads are registered yet" in shell.ok("status").stderr
    shell.ok("register", *(f"thread_{number}" for number in range(7)))
    done = shell.run("status")

    assert "no backup has finished yet" in done.stdout
    assert done.stdout.count("  never visited: ") == 5
    assert "... and 2 more: exporter status --list new" in done.stdout
