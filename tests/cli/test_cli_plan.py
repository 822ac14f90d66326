"""`exporter plan`: tonight, the nights after, and who cannot make it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from exporter.archive import Archive
from exporter.archive.catalog import stamp
from exporter.model import now
from tests.cli.conftest import Shell

DAY = timedelta(days=1)


def hints(shell: Shell, **threads: dict[str, Any]) -> None:
    with Archive.write(shell.archive) as archive:
        refs = {known.thread.id: known.thread for known in archive.catalog.known()}
        archive.catalog.note_hints({refs[name]: said for name, said in threads.items()})


def filled(shell: Shell, count: int = 6) -> list[str]:
    names = [shell.state.add_thread(f"thread_{number}") for number in range(count)]
    for name in names:
        shell.state.add_message(name, {"content": "x"})
    shell.ok("backup", *names)
    return names


def test_tonight_is_told_part_by_part_and_no_server_is_asked(shell: Shell) -> None:
    filled(shell)
    past, asked = stamp(now() - DAY), len(shell.state.requests)
    hints(
        shell,
        thread_0={"due_at": past, "deadline_at": stamp(now() + 2 * DAY)},
        thread_1={"due_at": past, "interval": 2.0},
        thread_2={"due_at": past, "interval": 30.0},
        thread_3={"due_at": past, "interval": 30.0},
        thread_4={"due_at": past, "interval": 30.0},
        thread_5={"due_at": stamp(now() + 1.5 * DAY), "interval": 30.0},
    )
    shell.ok("register", "thread_new1")
    shell.ok("touch", "thread_5")
    tonight, *nights, summary = shell.json("plan", "--nights", "3")
    parts = {name: tonight[name] for name in ("touched", "urgent", "new", "likeliest", "waiting", "visits")}

    assert parts == {"touched": 1, "urgent": 1, "new": 1, "likeliest": 1, "waiting": 3, "visits": 4}
    assert tonight["requests"] >= 6
    assert tonight["learned_from_runs"] == 1
    assert [night["due"] for night in nights] == [6, 1, 0]
    assert [night["deadlines"] for night in nights][1:] == [1, 0] or [night["deadlines"] for night in nights] == [
        0,
        0,
        1,
    ]
    assert (summary["visits"], summary["too_late"], summary["exit_code"]) == (4, 0, 0)
    assert len(shell.state.requests) == asked
    text = shell.ok("plan").stdout
    assert "tonight: 4 visits = 1 touched + 1 urgent + 1 new + 1 likeliest; 3 are due and can wait" in text
    assert "FALL DUE" in text


def test_the_plan_is_what_the_backup_does(shell: Shell) -> None:
    names = filled(shell)
    hints(shell, **{name: {"due_at": stamp(now() - DAY)} for name in names})
    planned = shell.json("plan")[0]
    report = shell.json("backup")[-1]

    assert planned["visits"] == report["visited"] == len(names)


def test_threads_that_cannot_make_it_within_a_budget_are_named_and_end_with_four(shell: Shell) -> None:
    names = filled(shell)
    soon = {"due_at": stamp(now() - DAY), "deadline_at": stamp(now() + timedelta(hours=20))}
    hints(shell, **dict.fromkeys(names, soon))
    enough = shell.run("plan", "--max-requests", "1000")
    tight = shell.run("plan", "--max-requests", "2")
    lines = shell.json("plan", "--max-requests", "2")
    late = [line for line in lines if line["message_type"] == "thread"]

    assert enough.exit_code == 0, enough.stdout
    assert tight.exit_code == 4
    assert "CANNOT MAKE THEIR DEADLINE" in tight.stdout
    assert tight.stderr.startswith(f"AT RISK: {len(late)} threads with a deadline within 7 days cannot be visited")
    assert 4 <= len(late) <= 6
    assert lines[0]["within_budget"] < 6
    assert all("no document says so" in line["why"] for line in late)
    assert (lines[-1]["too_late"], lines[-1]["exit_code"]) == (len(late), 4)


def test_a_plan_of_an_archive_that_was_never_backed_up_is_a_guess_and_says_so(shell: Shell) -> None:
    shell.ok("register", "thread_1", "conv_1")
    done = shell.ok("plan")

    assert "(a guess: no run was observed yet)" in done.stdout
    assert "tonight: 2 visits = 0 touched + 0 urgent + 2 new" in done.stdout
    assert "no deadlines are worked out yet" in done.stderr


def test_policies_that_changed_are_mentioned(shell: Shell) -> None:
    filled(shell, 1)
    (shell.archive.parent / "exporter.toml").write_text("[rhythm]\nmargin_days = 9\n", "utf-8")

    assert "the policies have changed since the last backup" in shell.ok("plan").stderr
    assert shell.run("plan", "-a", "nowhere").exit_code == 10


def test_a_plan_names_the_first_ten_and_says_how_many_more_there_are(shell: Shell) -> None:
    soon = {"due_at": stamp(now() - DAY), "deadline_at": stamp(now() + timedelta(hours=20))}
    hints(shell, **dict.fromkeys(filled(shell, 15), soon))
    done = shell.run("plan", "--max-requests", "1", "--rate", "0.001")
    late = shell.json("plan", "--max-requests", "1", "--rate", "0.001")[-1]["too_late"]

    assert done.exit_code == 4
    assert late > 10
    assert done.stdout.count("no document says so") == 10
    assert f"... and {late - 10} more: --json names all" in done.stdout
    assert "hours at 0.0 a second" in shell.run("plan", "--rate", "0.001").stdout
