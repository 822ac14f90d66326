"""A crawl against a live sandbox: what is asked, what is kept, how each thread ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import stamina

from exporter.archive import Archive
from exporter.archive.catalog import stamp
from exporter.crawl import Options, Stop, _writer, backup
from exporter.crawl._writer import Writer
from exporter.endpoint import endpoint_of
from exporter.errors import CredentialsRefused, Damaged, DiskFull
from exporter.model import Page, Profile, Registration, Secret, ThreadRef, now
from exporter.registry import register
from exporter.sources._probes import NOBODY
from tests.conftest import Bench, loads, rows


def filled(bench: Bench, count: int, thread: str = "thread_a") -> str:
    """Add a thread of so many messages, a second apart."""
    bench.state.add_thread(thread)
    for i in range(count):
        body = {
            "role": "user",
            "created_at": 1_760_000_000 + i,
            "content": [{"type": "text", "text": {"value": str(i)}}],
        }
        bench.state.add_message(thread, {"id": f"msg_{thread}_{i}", **body})
    return thread


def test_three_hundred_messages_take_three_requests_of_a_hundred_and_one_that_proves_their_end(bench: Bench) -> None:
    filled(bench, 300)
    bench.state.requests.clear()

    report = bench.backup("thread_a")

    asked = bench.asked("/messages")
    assert report.exit_code == 0
    assert [(p["limit"], p["order"]) for p in asked] == [("100", "asc")] * 4
    assert [p.get("after") for p in asked] == [None, "msg_thread_a_99", "msg_thread_a_199", "msg_thread_a_299"]
    assert bench.lines("thread_a") == bench.state.messages("thread_a")
    assert len(rows(bench.path)) == 300


def test_a_second_backup_downloads_nothing_again(bench: Bench) -> None:
    filled(bench, 130)
    bench.backup("thread_a")
    bench.state.requests.clear()

    report = bench.backup()

    assert (report.records, report.visited, report.exit_code) == (0, 1, 0)
    assert bench.asked("/messages") == [{"limit": "100", "order": "asc", "after": "msg_thread_a_129"}]
    assert len(bench.lines("thread_a")) == 130


def test_what_is_written_later_is_added_once(bench: Bench) -> None:
    filled(bench, 5)
    bench.backup("thread_a")
    bench.state.add_message("thread_a", {"id": "msg_new", "role": "assistant", "content": []})

    report = bench.backup()

    assert report.records == 1
    assert bench.lines("thread_a") == bench.state.messages("thread_a")
    assert [r["message_id"] for r in rows(bench.path)].count("msg_new") == 1


def test_a_full_walk_of_named_threads_is_of_those_and_visits_what_is_due_as_ever(bench: Bench) -> None:
    threads = [filled(bench, 3, f"thread_{n}") for n in range(3)]
    bench.backup(*threads)
    for thread in threads:
        for body in map(loads, bench.state.messages(thread)[:1]):
            bench.state.edit_message(thread, body["id"], body | {"metadata": {"edited": "yes"}})
        bench.state.add_message(thread, {"content": "new"})
    with Archive.write(bench.path) as archive:
        archive.catalog.touch(threads, (), now())

    report = bench.backup(full=True, everything=False, only=threads[:1])

    assert (report.exit_code, report.visited) == (0, 3)
    edited = {row["thread_id"] for row in rows(bench.path) if row["revision"]}
    assert edited == set(threads[:1])
    assert sum(row["text"] == "new" for row in rows(bench.path)) == 3


def test_a_full_walk_finds_edits_and_keeps_one_row(bench: Bench) -> None:
    filled(bench, 3)
    bench.backup("thread_a")
    body = {"id": "msg_thread_a_1", "role": "user", "created_at": 1_760_000_001, "content": [], "metadata": {"e": "1"}}
    bench.state.edit_message("thread_a", "msg_thread_a_1", body)

    bench.backup(full=True)

    revisions = {r["message_id"]: r["revision"] for r in rows(bench.path)}
    assert revisions == {"msg_thread_a_0": 0, "msg_thread_a_1": 1, "msg_thread_a_2": 0}
    assert [r["revision"] for r in rows(bench.path, "revisions")] == [0, 1]


def test_one_failing_thread_stops_no_other(bench: Bench) -> None:
    good = [filled(bench, 2, f"thread_{i}") for i in range(5)]

    report = bench.backup(*good, "thread_never_there")

    assert report.exit_code == 3
    assert (report.complete, report.failed, report.registered) == (5, 1, 6)
    assert [(e.thread.id, e.code) for e in report.errors] == [("thread_never_there", "not_found")]
    assert "doctor" in str(report.errors[0].error)


def test_a_thread_seen_before_and_named_by_its_404_is_gone_and_its_rows_stay(bench: Bench) -> None:
    bench.backup(filled(bench, 2), filled(bench, 2, "thread_b"))
    bench.state.delete_thread("thread_a")

    report = bench.backup()

    assert (report.exit_code, report.gone, report.complete) == (0, 1, 1)
    assert len(rows(bench.path)) == 4
    gone = [r for r in rows(bench.path, "threads") if r["state"] == "gone"]
    assert [(r["thread_id"], r["deleted_reason"]) for r in gone] == [("thread_a", "gone")]


def test_what_is_gone_is_not_asked_for_every_night_and_does_not_count_as_vanishing_again(bench: Bench) -> None:
    threads = [filled(bench, 1, f"thread_{i}") for i in range(20)]
    bench.backup(*threads)
    for start in (0, 5):
        for thread in threads[start : start + 5]:
            bench.state.delete_thread(thread)
        bench.backup()
    bench.state.requests.clear()

    report = bench.backup()

    assert (report.exit_code, report.gone, report.visited) == (0, 10, 10)
    assert not [r for r in bench.state.requests if r.status == 404 and NOBODY not in r.path]


def test_a_404_without_a_witness_marks_nothing(bench: Bench) -> None:
    bench.backup(filled(bench, 2))
    bench.state.delete_thread("thread_a")

    report = bench.backup()

    assert (report.exit_code, report.gone, report.failed) == (3, 0, 1)
    assert report.errors[0].code == "unwitnessed"
    assert "`exporter backup thread_a ID`" in (report.errors[0].error or "")

    new = filled(bench, 1, "thread_new")
    told = bench.backup(new, everything=False, only=["thread_a", new])

    assert (told.exit_code, told.gone, told.complete) == (0, 1, 1)


def test_where_only_what_is_gone_was_due_another_thread_is_the_witness(bench: Bench) -> None:
    threads = [filled(bench, 1, f"thread_{i}") for i in range(6)]
    bench.backup(*threads)
    for thread in threads[:5]:  # the last is the one in which something happened last
        bench.state.delete_thread(thread)
    with Archive.write(bench.path) as archive:
        archive.catalog.touch([threads[0]], (), now())
        archive.catalog.note_hints({bench.ref(threads[5]): {"active_at": stamp(now() + timedelta(minutes=1))}})

    report = bench.backup(everything=False)

    assert (report.exit_code, report.gone, report.visited) == (0, 1, 2)


def test_many_threads_vanishing_at_once_stop_the_run_and_mark_nothing(bench: Bench) -> None:
    threads = [filled(bench, 1, f"thread_{i}") for i in range(20)]
    bench.backup(*threads)
    for thread in threads[:6]:
        bench.state.delete_thread(thread)

    report = bench.backup()
    accepted = bench.backup(accept_gone=True)

    assert (report.exit_code, report.gone) == (13, 0)
    assert "--accept-gone" in report.stopped[0]
    assert (accepted.exit_code, accepted.gone) == (0, 6)


def test_an_api_that_is_removed_stops_the_source_and_marks_nothing(bench: Bench) -> None:
    bench.backup(filled(bench, 2), filled(bench, 2, "thread_b"))
    bench.state.switches = bench.state.switches.with_changes({"fault": "api_removed"})

    report = bench.backup()

    assert (report.exit_code, report.gone, report.complete) == (13, 0, 2)


def test_a_wrong_key_is_twelve_and_leaves_the_threads_as_they_were(bench: Bench) -> None:
    filled(bench, 2)
    bench.key = "sk-wrong-0123456789"

    report = bench.backup("thread_a")

    assert (report.exit_code, report.never_visited) == (12, 1)
    assert "sk-wrong-0123456789" not in str(report)


def test_one_refused_source_lets_the_others_finish(bench: Bench) -> None:
    filled(bench, 2)
    bench.state.add_conversation("conv_a")
    bench.state.switches = bench.state.switches.with_changes({"fault": "wrong_region", "only": "/conversations"})

    report = bench.backup("thread_a", "conv_a")

    assert (report.exit_code, report.complete, report.never_visited) == (3, 1, 1)


def test_a_profile_without_a_key_lets_the_others_finish(bench: Bench) -> None:
    bench.register([filled(bench, 1), filled(bench, 1, "thread_b")])
    elsewhere = bench.url.replace("127.0.0.1", "localhost")
    keyless = replace(bench.profile, name="keyless", key=NoSecret(""), base_url=elsewhere)
    with Archive.write(bench.path) as archive:
        there = replace(bench.ref("thread_a"), endpoint=endpoint_of(elsewhere))
        register(archive, [Registration(there, profile="keyless")])
        report = backup(archive, {"default": bench.profile, "keyless": keyless}, Options(), everything=True)

    assert (report.exit_code, report.complete, report.never_visited) == (3, 2, 1)
    assert report.stopped == ("no key here; 1 thread of assistants not visited (profile keyless)",)


@pytest.mark.parametrize("url", ["http://example.invalid/v1", "https://user:word@example.invalid/v1"])
def test_an_address_that_no_key_is_sent_to_is_two_and_leaves_the_threads_as_they_were(bench: Bench, url: str) -> None:
    profile = replace(bench.profile, base_url=url)
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(ThreadRef("assistants", endpoint_of(url), "thread_a"))])
        report = backup(archive, {"default": profile}, Options(), everything=True)

    assert (report.exit_code, report.failed, report.never_visited) == (2, 0, 1)
    assert "example.invalid" in report.stopped[0]
    assert "word" not in report.stopped[0].replace("password", "")


class NoSecret(Secret):
    """A key that is nowhere, as a profile's whose variable is not set."""

    def reveal(self) -> str:
        raise CredentialsRefused("no key here")

    def __bool__(self) -> bool:
        return bool(self.reveal())


def test_a_server_that_is_unwell_is_given_up_instead_of_waited_for_thread_by_thread(bench: Bench) -> None:
    bench.register([filled(bench, 1, f"thread_{i}") for i in range(60)])
    bench.state.switches = bench.state.switches.with_changes({"fault": "error_503"})

    with stamina.set_testing(True, attempts=2), Archive.write(bench.path) as archive:
        report = backup(archive, {"default": bench.profile}, Options(jobs=4), everything=True)

    assert report.exit_code == 75
    assert "10 threads in a row" in report.stopped[0]
    assert report.requests < 40


@pytest.mark.parametrize("pattern", ["messages/2025-10.parquet", "segments/*/*/*.zst"])
def test_a_file_that_vanished_is_no_success_and_the_new_pages_are_kept(bench: Bench, pattern: str) -> None:
    bench.backup(filled(bench, 3))
    bench.state.add_message("thread_a", {"id": "msg_new", "role": "user", "content": []})
    victim = max(bench.path.glob(pattern))
    kept = victim.read_bytes()
    victim.unlink()

    with pytest.raises(Damaged, match=victim.name):
        bench.backup()

    victim.write_bytes(kept)
    bench.backup()
    assert bench.lines("thread_a") == bench.state.messages("thread_a")
    assert len(rows(bench.path)) == 4


def test_one_budget_is_shared_by_all_profiles(bench: Bench) -> None:
    bench.register([filled(bench, 1), filled(bench, 1, "thread_b")])
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("thread_a"), profile="other")])
        profiles = {"default": bench.profile, "other": replace(bench.profile, name="other")}
        report = backup(archive, profiles, Options(max_requests=3, jobs=1), everything=True)

    assert (report.exit_code, report.requests) == (14, 3)


def test_a_thread_of_another_endpoint_is_never_asked_of_this_one(bench: Bench) -> None:
    filled(bench, 2)
    bench.backup("thread_a")
    elsewhere = {"default": Profile(base_url="http://127.0.0.1:9/v1", key=Secret("sk-x"))}

    with Archive.write(bench.path) as archive:
        report = backup(archive, elsewhere, Options(), everything=True)

    assert report.exit_code == 3
    assert report.errors[0].code == "no_profile"
    assert report.requests == 0


def test_a_budget_ends_the_run_and_the_next_goes_on(bench: Bench) -> None:
    filled(bench, 500)

    first = bench.backup("thread_a", max_requests=3, jobs=1)
    kept = len(bench.lines("thread_a"))
    last = bench.backup()

    assert (first.exit_code, first.requests) == (14, 3)
    assert kept in {100, 200, 300}
    assert last.exit_code == 0
    assert bench.lines("thread_a") == bench.state.messages("thread_a")
    assert len(rows(bench.path)) == 500


def test_too_long_a_run_is_ended_by_its_duration(bench: Bench) -> None:
    filled(bench, 2)
    bench.state.switches = bench.state.switches.with_changes({"latency": 30.0})

    began = time.monotonic()
    report = bench.backup("thread_a", max_duration=0.3)

    assert report.exit_code == 14
    assert time.monotonic() - began < 5


def test_a_stop_keeps_what_was_fetched(bench: Bench) -> None:
    filled(bench, 2000)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.05})
    bench.register(["thread_a"])
    stop, pages = Stop(), list[Page]()

    def on_page(page: Page) -> None:
        pages.append(page)
        if len(pages) == 4:
            threading.Thread(target=stop.request, args=(143,)).start()

    with Archive.write(bench.path) as archive:
        report = backup(archive, {"default": bench.profile}, Options(), everything=True, on_page=on_page, stop=stop)
    kept = bench.lines("thread_a")
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.0})
    bench.backup()

    assert report.exit_code == 143
    assert len(kept) >= 200
    assert kept == bench.state.messages("thread_a")[: len(kept)]
    assert bench.lines("thread_a") == bench.state.messages("thread_a")


def test_many_conversations_at_once_all_arrive_whole(bench: Bench) -> None:
    for i in range(60):
        bench.state.add_conversation(f"conv_{i}")
        for j in range(i):
            bench.state.add_item(f"conv_{i}", {"id": f"msg_{j}", "type": "message", "role": "user", "content": str(j)})
    bench.state.switches = bench.state.switches.with_changes({"rate": 300.0, "burst": 5})

    report = bench.backup(*(f"conv_{i}" for i in range(60)), jobs=32)

    assert (report.exit_code, report.complete) == (0, 60)
    for i in range(60):
        assert list(map(loads, bench.lines(f"conv_{i}"))) == list(map(loads, bench.state.items(f"conv_{i}")))


def test_runs_come_with_their_steps(bench: Bench) -> None:
    filled(bench, 1)
    bench.state.add_run("thread_a", {"id": "run_1", "status": "completed"})
    bench.state.add_step("thread_a", "run_1", {"id": "step_1", "status": "completed"})
    bench.state.add_step("thread_a", "run_1", {"id": "step_2", "status": "completed"})

    bench.backup("thread_a")
    without = bench.backup(runs=False)

    assert [loads(body)["id"] for body in bench.lines("thread_a", "run")] == ["run_1"]
    assert [(r["run_id"], r["step_id"]) for r in rows(bench.path, "steps")] == [
        ("run_1", "step_1"),
        ("run_1", "step_2"),
    ]
    assert without.records == 0


def test_a_run_whose_id_is_a_path_costs_its_steps_and_nothing_else(bench: Bench) -> None:
    filled(bench, 2)
    bench.state.add_run("thread_a", {"id": "../../../secrets", "status": "completed"})

    report = bench.backup("thread_a")

    assert (report.exit_code, report.errors[0].code) == (3, "no_id")
    assert len(bench.lines("thread_a")) == 2
    assert len(bench.lines("thread_a", "run")) == 1
    assert not [r for r in bench.state.requests if "secrets" in r.path]


def test_a_run_under_way_is_seen_again_until_it_is_final(bench: Bench) -> None:
    filled(bench, 1)
    bench.state.add_run("thread_a", {"id": "run_1", "status": "in_progress"})
    bench.backup("thread_a")
    run = loads(bench.lines("thread_a", "run")[0])
    bench.state.edit_run("thread_a", "run_1", {**run, "status": "completed"})

    bench.backup()

    assert [(r["run_id"], r["status"], r["revision"]) for r in rows(bench.path, "runs")] == [("run_1", "completed", 1)]


def test_a_full_disk_reaches_everybody_who_puts_pages() -> None:
    def full(pages: object) -> None:
        raise DiskFull("archive: the disk is full")

    page = Page(ThreadRef("assistants", "http://x", "thread_a"), "message", (), None, False, now(), "messages")

    async def story() -> None:
        writer = Writer(full, lambda _: None)
        running = asyncio.create_task(writer.run())
        await writer.put(page)
        writer.then(lambda: heard.append("archived"))
        await running
        with pytest.raises(DiskFull):
            writer.then(lambda: heard.append("ended"))
        with pytest.raises(DiskFull):
            await writer.put(replace(page, seq=1))
        with pytest.raises(DiskFull):
            writer.check()

    heard: list[str] = []
    asyncio.run(story())

    assert not heard


def test_fetchers_wait_where_pages_that_wait_for_the_disk_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(ThreadRef("assistants", "http://x", "thread_a"), "message", (), None, False, now(), "messages")
    monkeypatch.setattr(_writer, "WAITING_BYTES", 10 * _writer.PAGE_BYTES)
    disk, put, together = threading.Event(), list[int](), list[int]()

    async def fetch(writer: Writer) -> None:
        for number in range(25):
            await writer.put(page)
            put.append(number)

    async def story() -> None:
        loop, taken = asyncio.get_running_loop(), asyncio.Event()

        def append(pages: Sequence[Page]) -> None:
            together.append(len(pages))
            loop.call_soon_threadsafe(taken.set)
            assert disk.wait(10)

        writer = Writer(append, lambda _: None)
        running, fetching = asyncio.create_task(writer.run()), asyncio.create_task(fetch(writer))
        await taken.wait()
        assert len(put) == 10
        disk.set()
        await asyncio.wait_for(fetching, 10)
        writer.close()
        await asyncio.wait_for(running, 10)

    asyncio.run(asyncio.wait_for(story(), 30))

    assert together == [10, 10, 5]


def test_nobody_hears_of_a_visit_before_its_pages_are_archived() -> None:
    page = Page(ThreadRef("assistants", "http://x", "thread_a"), "message", (), None, False, now(), "messages")
    heard: list[object] = []

    async def story() -> None:
        writer = Writer(lambda pages: heard.append(len(pages)), lambda _: None)
        running = asyncio.create_task(writer.run())
        writer.then(lambda: heard.append("nothing waits"))
        await writer.put(page)
        writer.then(lambda: heard.append("one"))
        await writer.put(page)
        writer.then(lambda: heard.append("two"))
        writer.close()
        await running

    asyncio.run(story())

    assert heard == ["nothing waits", 2, "one", "two"]


def test_the_key_is_in_no_file(bench: Bench, tmp_path: Path) -> None:
    bench.backup(filled(bench, 2), "thread_missing")

    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"sk-sandbox" not in written


def test_nights_of_few_requests_come_to_an_end_where_many_threads_are_walked_at_once(bench: Bench) -> None:
    bench.register([filled(bench, 1, f"thread_{i:02}") for i in range(12)])

    nights = [bench.backup(everything=False, max_requests=7) for _ in range(12)]

    assert all(night.requests <= 7 for night in nights)
    assert nights[0].complete > 0
    assert nights[-1].complete == 12
