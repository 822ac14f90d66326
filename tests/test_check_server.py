"""`check --server`: what the server has and the archive lacks is damage; what is new, changed or deleted is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from exporter.archive import Archive
from exporter.check._server import Asked, ask_server, sample
from exporter.cli import cli
from exporter.crawl import Options
from exporter.model import Finding, Page
from exporter.sandbox import Clock, State, running
from exporter.sources._shelf import Shelf
from tests.conftest import Bench

DAY = 86400
COUNTS = {"threads": 2, "conversations": 2, "chatkit": 2, "completions": 2, "responses": 2, "sessions": 2}


def contents(path: Path) -> dict[str, bytes]:
    """All files but SQLite's own, which reading may touch."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file() and "catalog.sqlite-" not in file.name)
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def asked(bench: Bench, count: int = 100, **options: Any) -> tuple[Asked, list[Finding]]:
    """Ask, and see that nothing is written."""
    found: list[Finding] = []
    before = contents(bench.path)
    done = ask_server(
        bench.path, {"default": bench.profile}, count, Options(**options), seed=1, on_finding=found.append
    )
    assert contents(bench.path) == before
    return done, found


def codes(found: list[Finding]) -> list[str]:
    return sorted(one.code for one in found)


@pytest.fixture
def archived(bench: Bench, clock: Clock) -> Bench:
    """A thread with a run, a conversation, a response, a completion; all archived."""
    state = bench.state
    thread = state.add_thread({"id": "thread_1", "created_at": int(clock.now()) - 9 * DAY})
    for number in range(5):
        state.add_message(thread, {"content": f"m{number}", "created_at": int(clock.now()) - 8 * DAY + number})
    conversation = state.add_conversation("conv_1")
    for number in range(5):
        state.add_item(conversation, {"type": "message", "role": "user", "content": f"i{number}"})
    state.add_response({"id": "resp_1", "status": "completed", "output": []})
    bench.backup(thread, conversation, "resp_1")
    clock.advance(DAY)
    return bench


def test_an_archive_that_has_all_has_no_finding(archived: Bench) -> None:
    done, found = asked(archived)

    assert (found, done.exit_code, done.threads, done.unread) == ([], 0, 3, 0)
    assert done.objects > 10
    assert done.requests > 5


def test_every_source_is_compared_and_an_archive_of_them_all_has_no_finding(tmp_path: Path) -> None:
    with running(State.seed(**COUNTS)) as server:
        bench = Bench(server.url, server.state, tmp_path / "archive")
        bench.backup(*server.state.ids())
        done, found = asked(bench)

        with Archive.open(bench.path) as archive:
            assert {known.thread.source for known in archive.catalog.known(state="complete")} >= {
                "agents", "assistants", "chatkit", "completions", "conversations", "responses",
            }  # fmt: skip
    assert (found, done.exit_code, done.unread) == ([], 0, 0)


def test_what_is_newer_than_the_last_visit_is_no_finding(archived: Bench) -> None:
    archived.state.add_message("thread_1", {"content": "new"})
    archived.state.add_item("conv_1", {"type": "message", "role": "user", "content": "new"})

    done, found = asked(archived)
    assert (found, done.exit_code) == ([], 0)


def test_what_the_archive_should_have_and_has_not_is_damage(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = bench.state.add_thread("thread_1")
    for number in range(5):
        bench.state.add_message(thread, {"content": f"m{number}"})
    pages = Shelf.pages

    async def forgetful(self: Shelf, *args: Any, **more: Any) -> Any:
        async for event in pages(self, *args, **more):
            if isinstance(event, Page) and event.kind == "message":
                yield replace(event, items=event.items[:2])
            else:
                yield event

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "pages", forgetful)
        bench.backup(thread)
    # so that the three lost ones are no news, something that is archived comes after them
    bench.state.add_message(thread, {"content": "last"})
    bench.backup()

    done, found = asked(bench)
    (one,) = found
    assert (one.code, one.severity, one.where) == ("server_missing", "damage", "assistants/thread_1")
    assert "3 objects of messages are not in the archive" in one.what
    assert "backup --full thread_1" in one.help
    assert done.exit_code == 5


def test_what_was_edited_since_is_a_note(archived: Bench) -> None:
    archived.state.add_message("thread_1", {"id": "msg_e", "content": "before"})
    archived.backup()
    archived.state.edit_message("thread_1", "msg_e", {"id": "msg_e", "content": "after"})

    done, found = asked(archived)
    assert [(one.code, one.severity, one.where) for one in found] == [("server_differs", "note", "assistants/thread_1")]
    assert "msg_e" in found[0].what
    assert done.exit_code == 0


def test_what_was_deleted_since_is_a_note_and_what_is_known_to_be_deleted_is_nothing(archived: Bench) -> None:
    archived.state.delete_item("conv_1", json.loads(archived.state.items("conv_1")[2])["id"])

    done, found = asked(archived)
    assert [(one.code, one.where) for one in found] == [("server_gone", "conversations/conv_1")]
    assert done.exit_code == 0

    archived.backup(full=True)
    assert asked(archived)[1] == []


def test_a_thread_that_is_gone_is_a_note_where_others_are_read_and_unread_where_none_is(archived: Bench) -> None:
    archived.state.add_thread("thread_2")
    archived.backup("thread_2")
    archived.state.delete("threads", "thread_1")
    done, found = asked(archived)
    assert [(one.code, one.where) for one in found] == [("server_gone", "assistants/thread_1")]
    assert done.exit_code == 0

    archived.state.delete("threads", "thread_2")
    done, found = asked(archived)
    assert codes(found) == ["server_unread", "server_unread"]
    assert done.exit_code == 3


@pytest.mark.parametrize("only", ["thread_1/messages", "conv_1/items"])
def test_a_list_that_cannot_be_walked_is_unread_and_nothing_of_it_is_said_to_be_gone(
    archived: Bench, only: str
) -> None:
    archived.state.switches = archived.state.switches.with_changes({"fault": "html", "only": only})

    done, found = asked(archived)
    (one,) = found
    assert (one.code, one.severity) == ("server_unread", "note")
    assert one.where.endswith(only.partition("/")[0])
    assert "messages could not be walked to a proven end" in one.what
    assert (done.exit_code, done.threads, done.unread) == (3, 2, 1)


def test_what_was_left_out_of_the_backup_is_not_missed(bench: Bench, clock: Clock) -> None:
    thread = bench.state.add_thread({"id": "thread_1", "created_at": int(clock.now()) - 9 * DAY})
    run = bench.state.add_run(thread, {"id": "run_1", "status": "completed", "created_at": int(clock.now()) - 9 * DAY})
    bench.backup(thread, runs=False)
    with Archive.open(bench.path) as archive:
        assert "runs" not in archive.catalog.positions(bench.ref(thread))
    clock.advance(DAY)

    assert (run, asked(bench)[1]) == ("run_1", [])


def test_the_newest_version_counts_and_what_came_back_is_there(archived: Bench, clock: Clock) -> None:
    archived.state.add_message("thread_1", {"id": "msg_e", "content": "before", "created_at": int(clock.now()) - DAY})
    said = json.loads(archived.state.items("conv_1")[-1])
    archived.backup()
    archived.state.edit_message("thread_1", "msg_e", {"id": "msg_e", "content": "after"})
    archived.state.delete_item("conv_1", said["id"])
    archived.backup(full=True)
    assert asked(archived)[1] == []

    archived.state.add_item("conv_1", said)
    assert codes(asked(archived)[1]) == ["server_differs"]
    clock.advance(60)
    archived.backup(full=True)
    assert asked(archived)[1] == []


def test_a_wrong_key_says_so_and_judges_nothing(archived: Bench) -> None:
    archived.key = "sk-wrong"

    done, found = asked(archived)
    assert done.exit_code == 12
    assert done.threads == 0
    assert set(codes(found)) <= {"server_unread"}


def test_a_budget_ends_it(archived: Bench) -> None:
    done, _ = asked(archived, max_requests=2)

    assert done.exit_code == 14
    assert done.requests <= 2


def test_a_seed_picks_the_same_threads_again(bench: Bench) -> None:
    bench.backup(*[bench.state.add_thread(f"thread_{number}") for number in range(30)])
    with Archive.open(bench.path) as archive:
        one, two, other = (sample(archive, 5, seed) for seed in (7, 7, 8))

    assert one == two != other
    assert len({known.thread for known in one}) == 5


@pytest.fixture
def told(archived: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("OPENAI_BASE_URL", archived.url)
    monkeypatch.setenv("OPENAI_API_KEY", archived.key)
    return archived


def run(bench: Bench, *words: str) -> Result:
    return CliRunner().invoke(cli, ["check", "-a", str(bench.path), *words])


def test_a_user_sees_the_seed_and_a_sentence(told: Bench) -> None:
    result = run(told, "--server", "2", "--json")

    summary = json.loads(result.stdout.splitlines()[-1])
    assert f"--seed {summary['seed']} picks the same again" in result.stderr
    assert (summary["threads"], summary["exit_code"], result.exit_code) == (2, 0, 0)
    again = json.loads(run(told, "--server", "2", "--seed", str(summary["seed"]), "--json").stdout.splitlines()[-1])
    assert again["objects"] == summary["objects"]


@pytest.mark.parametrize("words", [["--server", "0"], ["--server", "2", "--rebuild"], ["--seed", "3"], ["--rate", "2"]])
def test_what_does_not_go_together_is_a_mistake(told: Bench, words: list[str]) -> None:
    assert run(told, *words).exit_code == 2
