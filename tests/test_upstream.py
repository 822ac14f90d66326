"""Deleting on servers: only what the archive holds to the last byte, and never without a word of it in the archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from exporter.archive import Archive
from exporter.archive._proof import proof
from exporter.check import check
from exporter.cli import cli
from exporter.crawl import Options, Stop
from exporter.errors import ExporterError
from exporter.model import BY_US, Gap, Item, Page, Profile, Registration, Secret, now
from exporter.outlook import learned
from exporter.registry import register
from exporter.retention import Policies
from exporter.sandbox import State, running
from exporter.sources import Deletable, load, names
from exporter.sources._shelf import Shelf, Under
from exporter.upstream import Deleted, _Upstream, delete_upstream
from tests.conftest import KEY, Bench, rows
from tests.erasing import left

SHELVES = {
    "assistants": "threads",
    "conversations": "conversations",
    "chatkit": "chatkit",
    "completions": "completions",
    "responses": "responses",
    "agents": "sessions",
}


def deleted(bench: Bench, *threads: str, **options: Any) -> Deleted:
    """Delete these on the server."""
    with Archive.write(bench.path) as archive:
        refs = [bench.ref(one) for one in threads]
        return delete_upstream(
            archive, {"default": bench.profile}, refs, Options(full=True, **options), policies=Policies()
        )


def ends(done: Deleted) -> dict[str, str]:
    return {one.thread.id: one.end for one in done.ended}


def sent(bench: Bench) -> list[str]:
    """Paths of the requests to delete."""
    return [request.path for request in bench.state.requests if request.method == "DELETE"]


def states(bench: Bench) -> dict[str, tuple[str, str | None]]:
    with Archive.open(bench.path) as archive:
        return {known.thread.id: (known.state, known.code) for known in archive.catalog.known()}


def whole(path: Path) -> bool:
    return not [one for one in check(path, rebuild=True) if one.severity == "damage"]


def run(bench: Bench, *words: str, **more: Any) -> Result:
    env = {"OPENAI_API_KEY": bench.key, "OPENAI_BASE_URL": bench.url, "EXPORTER_CONFIG": None}
    done = CliRunner().invoke(cli, ["erase", *words, "-a", str(bench.path)], env=env, **more)
    if done.exception is not None and not isinstance(done.exception, (SystemExit, ExporterError)):
        raise done.exception
    return done


@pytest.fixture
def archived(bench: Bench) -> Bench:
    """Three threads of two messages each, and a conversation; all archived."""
    for number in range(3):
        thread = bench.state.add_thread({"id": f"thread_{number}"})
        for text in ("one", "two"):
            bench.state.add_message(thread, {"content": f"{text} of {number}"})
    bench.state.add_item(bench.state.add_conversation("conv_1"), {"type": "message", "role": "user", "content": "i"})
    bench.backup("thread_0", "thread_1", "thread_2", "conv_1")
    return bench


@pytest.mark.parametrize("name", names())
def test_every_source_deletes_what_is_archived_and_the_archive_keeps_it(name: str, tmp_path: Path) -> None:
    with running(State.seed(**{SHELVES[name]: 3})) as server:
        bench = Bench(server.url, server.state, tmp_path / "archive")
        held = [one for one in server.state.ids() if bench.ref(one).source == name]
        bench.backup(*held)
        before = {one: bench.lines(one) for one in held}
        assert issubclass(load(name), Deletable)  # type: ignore[arg-type]

        done = deleted(bench, *held[:2])

        assert ends(done) == dict.fromkeys(held[:2], "deleted")
        assert (done.exit_code, len(sent(bench))) == (0, 2)
        assert set(server.state.shelves[SHELVES[name]].holders).isdisjoint(held[:2])
        assert held[2] in server.state.shelves[SHELVES[name]].holders
        assert {one: bench.lines(one)[: len(before[one])] for one in held} == before
        assert {one: states(bench)[one] for one in held[:2]} == dict.fromkeys(held[:2], ("gone", BY_US))
        assert whole(bench.path)


def test_the_tables_and_the_record_say_who_deleted_it_and_with_what_answer(archived: Bench) -> None:
    deleted(archived, "thread_0")

    table = {row["thread_id"]: (row["state"], row["deleted_reason"]) for row in rows(archived.path, "threads")}
    assert table["thread_0"] == ("gone", "deleted_by_us")
    assert table["thread_1"] == ("complete", None)
    said = json.loads(archived.lines("thread_0", "visit")[-1])
    assert said["upstream"]["status"] == 200
    assert json.loads(said["upstream"]["answer"])["deleted"] is True
    assert (said["upstream"]["messages"], "active" in said) == (2, False)
    report = archived.backup(full=True)
    assert (report.exit_code, report.gone) == (0, 1)
    assert states(archived)["thread_0"] == ("gone", BY_US)
    reasons = {row["thread_id"]: row["deleted_reason"] for row in rows(archived.path, "threads")}
    assert reasons["thread_0"] == "deleted_by_us"


def test_the_receipt_names_what_the_archive_held_and_holds(archived: Bench) -> None:
    with Archive.open(archived.path) as archive:
        before = proof(archive, archived.ref("thread_0"))

    (one,) = deleted(archived, "thread_0").ended

    assert one.receipt["archive_sha256"] == before.sha256
    assert (before.records, before.messages) == (one.receipt["records"], 2)


def test_what_came_since_the_last_backup_is_archived_first(archived: Bench) -> None:
    archived.state.add_message("thread_0", {"content": "news"})

    assert ends(deleted(archived, "thread_0")) == {"thread_0": "deleted"}
    assert b"news" in archived.lines("thread_0")[-1]
    assert "news" in {row["text"] for row in rows(archived.path)}


def test_what_comes_while_others_are_deleted_keeps_its_thread(archived: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = archived.state.delete

    def writing(shelf: str, name: str) -> Any:
        if name == "thread_0":
            archived.state.add_message("thread_1", {"content": "at the last moment"})
        return real(shelf, name)

    monkeypatch.setattr(archived.state, "delete", writing)

    done = deleted(archived, "thread_0", "thread_1", "thread_2")

    assert ends(done) == {"thread_0": "deleted", "thread_1": "refused", "thread_2": "deleted"}
    assert (done.exit_code, states(archived)["thread_1"][0]) == (3, "complete")
    assert "thread_1" in next(one.why for one in done.ended if one.end == "refused")
    assert ends(deleted(archived, "thread_1")) == {"thread_1": "deleted"}
    assert b"at the last moment" in archived.lines("thread_1")[-1]


def test_a_thread_that_cannot_be_had_whole_is_not_deleted(archived: Bench) -> None:
    archived.state.switches = archived.state.switches.with_changes(
        {"fault": "error_500", "only": "/thread_0/messages", "times": 0}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.transport.backoff", lambda _: False)
        done = deleted(archived, "thread_0", "thread_1")

    assert (ends(done), done.exit_code) == ({"thread_0": "refused", "thread_1": "deleted"}, 3)
    assert sent(archived) == ["/v1/threads/thread_1"]


def test_a_thread_whose_archive_is_damaged_is_not_deleted(archived: Bench) -> None:
    for segment in archived.path.glob("segments/*/*/*.zst"):
        data = bytearray(segment.read_bytes())
        data[-20] ^= 1
        segment.chmod(0o600)
        segment.write_bytes(data)

    done = deleted(archived, "conv_1", "thread_0")

    assert (set(ends(done).values()), done.exit_code, sent(archived)) == ({"refused"}, 5, [])
    assert all("what is archived of it is damaged" in one.why for one in done.ended)


def test_a_thread_of_which_a_file_is_damaged_is_not_deleted(bench: Bench) -> None:
    thread = bench.state.add_thread({"id": "thread_0"})
    bench.state.add_file({"id": "file_1", "filename": "a.txt", "purpose": "vision"}, b"hello")
    picture = {"type": "image_file", "image_file": {"file_id": "file_1"}}
    bench.state.add_message(thread, {"content": [picture]})
    bench.backup(thread)
    (blob,) = (file for file in bench.path.glob("blobs/sha256/*/*") if file.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"hullo")

    done = deleted(bench, thread)

    assert (ends(done), done.exit_code, sent(bench)) == ({thread: "refused"}, 5, [])
    blob.write_bytes(b"hello")
    (one,) = deleted(bench, thread).ended
    assert (one.end, one.receipt["files"]) == ("deleted", 1)


@pytest.mark.parametrize("fault", ["error_500", "error_503", "reset", "html", "quota", "wrong_region", "api_removed"])
def test_a_refusal_is_told_and_the_thread_stays(archived: Bench, fault: str) -> None:
    archived.state.switches = archived.state.switches.with_changes({"fault": fault, "method": "DELETE"})

    done = deleted(archived, "thread_0", "conv_1")

    assert (ends(done), done.exit_code) == ({"thread_0": "refused", "conv_1": "refused"}, 3)
    assert states(archived)["thread_0"][0] == "complete"
    assert len(sent(archived)) <= 4
    archived.state.switches = archived.state.switches.with_changes({"fault": ""})
    assert deleted(archived, "thread_0", "conv_1").exit_code == 0


@pytest.mark.parametrize("fault", ["cut_json", "truncated", "wrong_length"])
def test_an_answer_that_is_cut_is_asked_about_and_not_sent_again(archived: Bench, fault: str) -> None:
    archived.state.switches = archived.state.switches.with_changes({"fault": fault, "method": "DELETE"})

    done = deleted(archived, "thread_0")

    assert (ends(done), done.exit_code, len(sent(archived))) == ({"thread_0": "deleted"}, 0, 1)
    (one,) = done.ended
    assert one.receipt["status"] is None


def test_a_request_that_comes_too_early_is_sent_again(archived: Bench) -> None:
    archived.state.switches = archived.state.switches.with_changes({"fault": "storm", "method": "DELETE", "times": 2})

    assert (ends(deleted(archived, "thread_0")), len(sent(archived))) == ({"thread_0": "deleted"}, 3)


def test_a_source_that_takes_no_deletion_is_asked_once(archived: Bench) -> None:
    archived.state.switches = archived.state.switches.with_changes({"fault": "wrong_region", "method": "DELETE"})

    done = deleted(archived, "thread_0", "thread_1")
    assert (ends(done), done.exit_code) == ({"thread_0": "refused", "thread_1": "refused"}, 3)
    assert sent(archived) == ["/v1/threads/thread_0"]
    assert all(one.why.startswith(f"{one.thread}: not deleted: ") for one in done.ended)
    assert all("us.api.openai.com" in one.why for one in done.ended)


def looking(monkeypatch: pytest.MonkeyPatch, bench: Bench, *events: Any) -> None:
    """Let what is looked at once more before a thread is deleted end with these."""
    pages, looked = Shelf.pages, _Upstream._look

    async def look(self: _Upstream, *args: Any) -> None:
        async def more(self: Shelf, *args: Any, **how: Any) -> Any:
            async for event in pages(self, *args, **how):
                yield event
            for event in events:
                yield event

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Shelf, "pages", more)
            await looked(self, *args)

    monkeypatch.setattr(_Upstream, "_look", look)
    assert bench.state


def said(bench: Bench, **fields: Any) -> Page:
    """A page with one message, as a source gives it."""
    body = json.dumps({"id": "msg_x", "object": "thread.message", **fields}).encode()
    return Page(bench.ref("thread_0"), "message", (Item("msg_x", body),), "msg_x", False, now(), "messages")


def test_what_only_bears_another_signature_did_not_come_after_it_was_read(
    archived: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = "https://files.example/x?se=2026&sig="
    archived.state.add_message("thread_0", {"id": "msg_x", "content": f"{where}one"})
    archived.backup()
    body = json.loads(archived.lines("thread_0")[-1])
    assert body["id"] == "msg_x"
    again = json.loads(json.dumps(body).replace("sig=one", "sig=two"))
    looking(monkeypatch, archived, said(archived, **{**again, "id": "msg_x"}))

    assert ends(deleted(archived, "thread_0")) == {"thread_0": "deleted"}
    looking(monkeypatch, archived, said(archived, content="another"))
    assert ends(deleted(archived, "thread_1")) == {"thread_1": "refused"}


def test_a_thread_that_cannot_be_looked_at_to_its_end_is_not_deleted(
    archived: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking(monkeypatch, archived, Gap(archived.ref("thread_0"), "messages", None, "stuck", "it repeats itself"))

    (one,) = deleted(archived, "thread_0").ended
    assert (one.end, sent(archived)) == ("refused", [])
    assert one.why.endswith("it could not be asked for once more, so it is not deleted: it repeats itself")


@pytest.mark.parametrize("most", range(1, 12, 3))
def test_a_budget_that_ends_before_all_is_read_again_deletes_nothing_that_was_not(archived: Bench, most: int) -> None:
    done = deleted(archived, "thread_0", "thread_1", "thread_2", max_requests=most)

    assert done.exit_code == 14
    assert len(sent(archived)) == done.count("deleted")
    assert {one.end for one in done.ended} <= {"deleted"}


def test_no_redirect_is_followed(archived: Bench) -> None:
    archived.state.switches = archived.state.switches.with_changes(
        {"fault": "redirect", "method": "DELETE", "elsewhere": archived.url.removesuffix("/v1")}
    )

    done = deleted(archived, "thread_0")

    assert (ends(done), done.exit_code) == ({"thread_0": "refused"}, 3)
    assert set(sent(archived)) == {"/v1/threads/thread_0"}
    assert "thread_0" in archived.state.shelves["threads"].holders


@pytest.mark.parametrize("client", ["lean", "sdk"])
def test_both_ways_to_a_server_delete(archived: Bench, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_CLIENT", client)

    assert ends(deleted(archived, "thread_0", "conv_1")) == {"thread_0": "deleted", "conv_1": "deleted"}


def test_a_crash_between_deleting_and_noting_is_mended_by_the_next_visit(
    archived: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashed(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crashed

    with monkeypatch.context() as patch:
        patch.setattr("exporter.upstream._Upstream._note", crash)
        with pytest.raises(Crashed):
            deleted(archived, "thread_0", "thread_1")
    assert "thread_0" not in archived.state.shelves["threads"].holders
    assert states(archived)["thread_0"][0] == "complete"

    assert archived.backup().exit_code == 0
    assert states(archived)["thread_0"] == ("gone", "gone")
    assert ends(deleted(archived, "thread_0", "thread_1")) == {"thread_0": "gone", "thread_1": "deleted"}
    assert len(archived.lines("thread_0")) == 2


def test_many_that_we_deleted_ourselves_are_no_alarm(bench: Bench) -> None:
    held = [bench.state.add_thread({"id": f"thread_{number}"}) for number in range(12)]
    bench.backup(*held)

    assert deleted(bench, *held[:10]).count("deleted") == 10
    assert bench.backup(full=True).exit_code == 0
    with Archive.open(bench.path) as archive:
        assert all(known.gone_at is None for known in archive.catalog.known())


def test_a_budget_ends_it_between_two_threads(archived: Bench) -> None:
    done = deleted(archived, "thread_0", "thread_1", "thread_2", max_requests=14)

    assert done.exit_code == 14
    assert len(sent(archived)) == done.count("deleted") < 3
    assert deleted(archived, "thread_0", "thread_1", "thread_2").exit_code == 0
    assert not {"thread_0", "thread_1", "thread_2"} & set(archived.state.shelves["threads"].holders)


@pytest.fixture
def elsewhere() -> Iterator[Bench]:
    with running(State()) as server:
        yield Bench(server.url, server.state, Path())


def test_of_two_endpoints_only_the_one_where_the_thread_lives_is_told(archived: Bench, elsewhere: Bench) -> None:
    elsewhere.state.add_message(elsewhere.state.add_thread({"id": "thread_0"}), {"content": "another one"})
    profiles = {
        "default": archived.profile,
        "other": Profile("other", base_url=elsewhere.url, key=Secret(KEY)),
    }
    there = elsewhere.ref("thread_0")
    with Archive.write(archived.path) as archive:
        register(archive, [Registration(there, profile="other")])
        done = delete_upstream(archive, profiles, [there], Options(full=True), policies=Policies())

    assert [(one.thread, one.end) for one in done.ended] == [(there, "deleted")]
    assert (sent(archived), sent(elsewhere)) == ([], ["/v1/threads/thread_0"])


def test_the_command_lists_and_asks_and_dry_run_asks_no_server(archived: Bench) -> None:
    before = len(archived.state.requests)

    dry = run(archived, "--upstream", "thread_0", "thread_1", "--dry-run")
    assert (dry.exit_code, len(archived.state.requests)) == (0, before)
    assert "2 threads with 4 messages" in dry.output
    nobody = run(archived, "--upstream", "thread_0")
    assert (nobody.exit_code, sent(archived)) == (2, [])
    assert run(archived, "--upstream", "--everywhere", "thread_0", "--yes").exit_code == 2
    assert run(archived, "--rate", "3", "thread_0", "--yes").exit_code == 2

    done = run(archived, "--upstream", "thread_0", "--yes", "--reference", "T-1")
    assert (done.exit_code, sent(archived)) == (0, ["/v1/threads/thread_0"])
    assert "1 deleted on the server" in done.output
    assert json.loads(archived.lines("thread_0", "visit")[-1])["upstream"]["reference"] == "T-1"
    assert len(archived.lines("thread_0")) == 2
    again = run(archived, "--upstream", "thread_0", "--yes")
    assert (again.exit_code, len(sent(archived))) == (0, 1)


def test_a_source_that_cannot_delete_says_so(archived: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(Shelf):
        name, prefixes, path, ids_from = "assistants", ("thread_",), "/threads", ""
        headers = {"OpenAI-Beta": "assistants=v2"}  # noqa: RUF012 - a constant
        lists = (Under("messages", "/messages"),)

    for place in ("exporter.sources.load", "exporter.crawl._sources.load"):
        monkeypatch.setattr(place, lambda _: Kept)

    dry = run(archived, "--upstream", "thread_0", "--dry-run")
    assert "0 threads with 0 messages" in dry.output
    assert "knows of no way" in dry.output
    done = run(archived, "--upstream", "thread_0", "--yes")
    assert (done.exit_code, sent(archived)) == (3, [])
    assert "assistants/thread_0: exporter knows of no way to delete" in done.output


def test_a_key_that_sees_nothing_deletes_nothing_and_marks_nothing(archived: Bench) -> None:
    archived.key = "sk-sandbox-two"  # of another project, whose threads are others

    done = run(archived, "--everywhere", "thread_0", "thread_1", "conv_1", "--yes")

    assert (done.exit_code, sent(archived)) == (3, [])
    assert set(states(archived)) == {"thread_0", "thread_1", "thread_2", "conv_1"}
    assert "gone" not in {state for state, _ in states(archived).values()}
    assert not (archived.path / "receipts").exists()


def test_a_refused_key_is_told_with_its_code(archived: Bench) -> None:
    archived.key = "sk-nobody"

    done = run(archived, "--upstream", "thread_0", "conv_1", "--yes")

    assert (done.exit_code, sent(archived)) == (12, [])
    assert "2 refused" in done.output


def test_everywhere_erases_here_what_was_deleted_there_and_nothing_else(archived: Bench) -> None:
    archived.state.switches = archived.state.switches.with_changes(
        {"fault": "error_500", "method": "DELETE", "only": "thread_1"}
    )

    done = run(archived, "--everywhere", "thread_0", "thread_1", "--yes", "--json")

    assert done.exit_code == 3
    assert left(archived.path, [archived.ref("thread_0")]) == []
    assert len(archived.lines("thread_1")) == 2
    (receipt,) = (json.loads(file.read_bytes()) for file in (archived.path / "receipts").iterdir())
    assert [one["status"] for one in receipt["upstream"]] == [200]
    assert "thread_0" not in json.dumps(receipt)
    assert whole(archived.path)


def test_a_signal_ends_it_between_two_threads(archived: Bench) -> None:
    stop = Stop()
    with Archive.write(archived.path) as archive:
        refs = [archived.ref(one) for one in ("thread_0", "thread_1")]
        done = delete_upstream(
            archive,
            {"default": archived.profile},
            refs,
            Options(full=True),
            policies=Policies(),
            on_ended=lambda _: stop.request(130),
            stop=stop,
        )

    assert (ends(done), done.exit_code) == ({"thread_0": "deleted"}, 130)
    assert sent(archived) == ["/v1/threads/thread_0"]
    assert states(archived)["thread_0"] == ("gone", BY_US)
    table = {row["thread_id"]: row["state"] for row in rows(archived.path, "threads")}
    assert (table["thread_0"], table["thread_1"]) == ("gone", "complete")


def test_status_is_no_alarm_and_nothing_is_learned(archived: Bench) -> None:
    deleted(archived, "thread_0", "thread_1")

    env = {"EXPORTER_CONFIG": None}
    said = CliRunner().invoke(cli, ["status", "--json", "-a", str(archived.path)], env=env)
    assert said.exit_code == 0
    with Archive.open(archived.path) as archive:
        assert learned(archive.catalog) == []


@pytest.mark.parametrize("answer", ["2", "1"])
def test_people_are_asked_with_the_number_of_threads(
    archived: Bench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.cli._confirming.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))

    done = run(archived, "--upstream", "thread_0", "thread_1", input=f"{answer}\n")

    assert "Type 2 to delete so many threads on their server" in done.output
    assert (done.exit_code, len(sent(archived))) == ((0, 2) if answer == "2" else (2, 0))


def test_an_encrypted_archive_is_read_back_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "0" * 64)
    Archive.create(bench.path, encrypted=True)
    bench.state.add_message(bench.state.add_thread({"id": "thread_0"}), {"content": "one"})
    bench.backup("thread_0")

    assert ends(deleted(bench, "thread_0")) == {"thread_0": "deleted"}
    assert len(bench.lines("thread_0")) == 1


def test_a_thread_that_was_only_heard_of_is_refused(archived: Bench) -> None:
    done = deleted(archived, "thread_9")

    assert (ends(done), done.exit_code, sent(archived)) == ({"thread_9": "refused"}, 3, [])


PDF = b"a report" * 40


@pytest.fixture
def session(bench: Bench) -> str:
    """A session whose agent made a file; not archived yet."""
    made = bench.state.add_session()
    bench.state.add_session_item(made, {"type": "message", "role": "user", "content": []})
    bench.state.add_artifact(made, {"id": "art_1", "path": "/out/report.pdf"}, PDF)
    return made


WITHOUT = {
    "refused": {"fault": "redirect", "elsewhere": "ftp://127.0.0.1"},
    "not_found": {"fault": "api_removed"},
    "size_differs": {"fault": "cut_json"},
}


@pytest.mark.parametrize("reason", WITHOUT)
def test_a_thread_is_not_deleted_without_the_content_of_a_file_that_dies_with_it(
    bench: Bench, session: str, reason: str
) -> None:
    bench.state.switches = bench.state.switches.with_changes({**WITHOUT[reason], "only": "/content"})
    assert bench.backup(session).exit_code == 0
    (table,) = rows(bench.path, "files")
    assert table["reason"] == reason

    done = run(bench, "--upstream", session, "--yes")

    assert (done.exit_code, sent(bench)) == (3, [])
    assert "artifact art_1 is not archived whole" in done.output
    assert "--without-files" in done.output
    bench.state.switches = bench.state.switches.with_changes({"fault": ""})
    assert ends(deleted(bench, session)) == {session: "deleted"}
    (table,) = rows(bench.path, "files")
    assert (table["reason"], table["bytes"]) == (None, len(PDF))


def test_a_file_larger_than_is_kept_keeps_its_thread(bench: Bench, session: str) -> None:
    (one,) = (bench.backup(session), deleted(bench, session, max_file_bytes=10))[1].ended
    assert one.end == "deleted"  # it was had before

    other = bench.state.add_session()
    bench.state.add_artifact(other, {"id": "art_2"}, PDF)
    bench.backup(other, max_file_bytes=10)
    (one,) = deleted(bench, other, max_file_bytes=10).ended
    assert (one.end, "art_2" in one.why) == ("refused", True)


def test_an_attachment_and_a_container_s_file_keep_their_threads_too(bench: Bench) -> None:
    chat = bench.state.add_chatkit_thread("cthr_1")
    gone = {**bench.state.add_attachment(b"bytes"), "preview_url": None}
    bench.state.add_chatkit_item(chat, {"type": "chatkit.user_message", "thread_id": chat, "attachments": [gone]})
    conversation = bench.state.add_conversation("conv_1")
    cited = {"type": "container_file_citation", "container_id": "cntr_0", "file_id": "cfile_1"}
    text = {"type": "output_text", "text": "see", "annotations": [cited]}
    bench.state.add_item(conversation, {"type": "message", "role": "assistant", "content": [text]})
    bench.backup(chat, conversation)
    assert {row["reason"] for row in rows(bench.path, "files")} == {"no_address", "expired"}

    done = deleted(bench, chat, conversation)

    assert (ends(done), sent(bench)) == ({chat: "refused", conversation: "refused"}, [])


def test_a_file_that_is_not_deleted_with_its_thread_does_not_keep_it(bench: Bench) -> None:
    thread = bench.state.add_thread({"id": "thread_0"})
    bench.state.add_message(thread, {"attachments": [{"file_id": "file-none", "tools": []}]})
    bench.backup(thread)
    assert [row["reason"] for row in rows(bench.path, "files")] == ["not_found"]

    assert ends(deleted(bench, thread)) == {thread: "deleted"}


def test_who_says_so_deletes_without_contents_that_cannot_be_had(bench: Bench, session: str) -> None:
    bench.state.switches = bench.state.switches.with_changes({"fault": "api_removed", "only": "/content"})
    bench.backup(session)

    assert run(bench, "--without-files", session, "--yes").exit_code == 2
    done = run(bench, "--upstream", "--without-files", session, "--yes")

    assert (done.exit_code, len(sent(bench))) == (0, 1)
