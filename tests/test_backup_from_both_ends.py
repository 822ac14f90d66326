"""Whole backups of one long thread that is walked from both ends: what is on the disk is always its beginning."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from exporter.archive import Archive
from exporter.crawl import Options, backup
from tests.conftest import KEY, Bench, rows

COUNT = 2_345


def filled(bench: Bench, count: int = COUNT) -> str:
    """Add a thread of so many messages, some of which share a second."""
    name = bench.state.add_thread("thread_long")
    for n in range(count):
        body = {"id": f"msg_{n:05d}", "role": "user", "created_at": 1_760_000_000 + n // 2, "content": []}
        bench.state.add_message(name, body)
    return name


def back(bench: Bench) -> int:
    """How many pages were asked for from the end."""
    return sum(query.get("order") == "desc" for query in bench.asked("/messages"))


def test_a_long_thread_is_archived_in_its_order_and_tabled_once(bench: Bench) -> None:
    name = filled(bench)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.01})
    report = bench.backup(name)
    asked = len(bench.asked("/messages"))
    seconds = bench.backup()

    assert (report.exit_code, report.records) == (0, COUNT + 1)
    assert bench.lines(name) == bench.state.messages(name)
    assert [row["seq"] for row in sorted(rows(bench.path), key=lambda row: row["message_id"])] == list(range(COUNT))
    assert back(bench) >= 5
    assert asked <= -(-COUNT // 100) + 5
    assert (seconds.records, len(bench.asked("/messages")) - asked) == (0, 1)


def test_a_budget_of_requests_is_spent_on_what_is_kept(bench: Bench) -> None:
    name = filled(bench)
    report = bench.backup(name, max_requests=12)

    assert report.exit_code == 14
    assert back(bench) == 0
    assert len(bench.lines(name)) == 1_000  # beside it, the thread's own object and a look at what the cursor means


def test_few_jobs_and_a_rate_are_one_chain(bench: Bench) -> None:
    name = filled(bench, 700)
    bench.backup(name, jobs=3)
    bench.backup(name, full=True, rate=500)

    assert back(bench) == 0
    assert bench.lines(name) == bench.state.messages(name)


def test_what_was_had_from_both_ends_is_looked_at_from_one(bench: Bench) -> None:
    name = filled(bench)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.01})
    bench.backup(name)
    before = back(bench)
    report = bench.backup(full=True)

    assert (report.exit_code, report.records) == (0, 0)
    assert back(bench) == before >= 5
    assert len(rows(bench.path)) == COUNT


def test_what_is_written_and_deleted_while_both_ends_are_walked(bench: Bench) -> None:
    name, pages = filled(bench), 0
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.01})
    bench.register([name])

    def on_page(_: object) -> None:
        nonlocal pages
        pages += 1
        if pages == 5:
            for number in (COUNT - 1, COUNT - 2, COUNT // 2, COUNT // 2 - 1, 900, 10):
                bench.state.delete_message(name, f"msg_{number:05d}")
            for number in range(150):
                bench.state.add_message(name, {"id": f"msg_new_{number}", "role": "user", "content": []})

    with Archive.write(bench.path) as archive:
        report = backup(archive, {"default": bench.profile}, Options(), everything=True, on_page=on_page)
    bench.backup()

    assert report.exit_code == 0
    assert set(bench.state.messages(name)) <= set(bench.lines(name))
    assert len(bench.lines(name)) == len(set(bench.lines(name))) <= COUNT + 150


def test_killed_at_any_moment_what_is_there_is_the_beginning_and_nothing_is_lost_or_doubled(bench: Bench) -> None:
    chance, name = random.Random(11), filled(bench)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.04})
    command = [sys.executable, "-m", "exporter", "backup", "-a", str(bench.path), name]
    environment = {**os.environ, "OPENAI_BASE_URL": bench.url, "OPENAI_API_KEY": KEY}
    for _ in range(4):
        asked = len(bench.state.requests)
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            began = time.monotonic()
            while len(bench.state.requests) < asked + 4 and time.monotonic() - began < 20:
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.5))
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        kept = bench.lines(name)
        assert kept == bench.state.messages(name)[: len(kept)]
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.0})

    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert bench.lines(name) == bench.state.messages(name)
    assert len(rows(bench.path)) == COUNT
