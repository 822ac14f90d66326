"""Sixty nights against a server that forgets: what was written is archived, once, for a fraction of the requests."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from exporter.archive import Archive
from exporter.crawl import Options, Report, backup
from exporter.crawl import _sources as crawl_sources
from exporter.model import Registration, ThreadRef
from exporter.registry import register
from exporter.retention import DAY, Policies, Policy
from exporter.sandbox import Clock
from exporter.sandbox.clock import Retention
from exporter.sources import source_of
from tests.conftest import Bench, rows

NIGHTS, THREADS, DAYS = 60, 60, 20
SECONDS = 86_400.0
LISTS = {"thread": 2, "conv": 1, "cthr": 1}
"Lists that a visit without a plan would ask for, beside the thread itself, by the ids of threads."


def add(bench: Bench, thread: str, number: int, at: float) -> str:
    body = {"id": f"msg_{number:06d}", "created_at": int(at)}
    state = bench.state
    if thread.startswith("conv"):
        return str(state.add_item(thread, {"type": "message", "role": "user", "content": str(number), **body}))
    if thread.startswith("cthr"):
        return str(state.add_chatkit_item(thread, {"type": "user_message", **body}))
    return str(state.add_message(thread, {"content": str(number), **body}))


def made(bench: Bench, number: int) -> str:
    if number % 3 == 0:
        return bench.state.add_thread(f"thread_{number}")
    if number % 3 == 1:
        return bench.state.add_conversation(f"conv_{number}")
    return bench.state.add_chatkit_thread({"id": f"cthr_{number}"})


def alive(bench: Bench, thread: str) -> bool:
    shelf = {"thread": "threads", "conv": "conversations", "cthr": "chatkit"}[thread.split("_", maxsplit=1)[0]]
    return bench.state.holder(shelf, thread) is not None


def fair(bench: Bench, threads: list[str], report: Report) -> bool:
    """Whether a night was good, but for threads of a source of which none of these is left to bear witness."""
    left = {source_of(thread) for thread in threads if alive(bench, thread)}
    lonely = [one for one in report.errors if one.code == "unwitnessed" and one.thread.source not in left]
    return report.exit_code == (3 if lonely else 0) and len(lonely) == len(report.errors) and not report.stopped


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [3, 60])
def test_nothing_that_was_ever_written_is_missing_after_sixty_nights(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    endpoint = f"http://seed-{seed}"
    # schedules differ by endpoint, and a sandbox has another port each time
    monkeypatch.setattr(crawl_sources, "endpoint_of", lambda _: endpoint)
    forgets = Policy("the test says so", ttl=DAYS * DAY, anchor="activity")
    sources = ("assistants", "conversations", "chatkit")
    policies = Policies({("default", source): forgets for source in sources})
    for shelf in ("threads", "conversations", "chatkit"):
        bench.state.retention[shelf] = Retention(DAYS * SECONDS, "activity")
    threads = [made(bench, number) for number in range(THREADS)]
    written = {add(bench, thread, number, clock.now()): thread for number, thread in enumerate(threads)}
    Archive.create(bench.path)
    asked: list[int] = []
    all_visited = 0
    for night in range(NIGHTS):
        new: list[str] = []
        for _ in range(rng.choice((0, 1, 1, 2)) if night else 0):
            clock.advance(rng.random() * SECONDS / 3)
            warm = [thread for thread in threads[-40:] if alive(bench, thread)]
            if rng.random() < 0.3 or not warm:
                new.append(made(bench, len(threads)))
                threads.append(new[-1])
                warm = new
            thread = rng.choice(warm)
            written[add(bench, thread, len(written), clock.now())] = thread
        clock.advance(SECONDS - clock.now() % SECONDS)
        begin = len(bench.state.requests)
        all_visited += sum(1 + LISTS[thread.split("_", maxsplit=1)[0]] for thread in threads if alive(bench, thread))
        with Archive.write(bench.path) as archive:
            named = [ThreadRef(source_of(thread) or "", endpoint, thread) for thread in (new if night else threads)]
            register(archive, map(Registration, named))
            report = backup(archive, {"default": bench.profile}, Options(accept_gone=True), policies=policies)
        asked.append(len(bench.state.requests) - begin)
        old = [thread for thread in threads if thread not in new]
        assert fair(bench, old, report), (night, report.stopped, report.errors)
    with Archive.write(bench.path) as archive:
        # what was written last waits for its thread to be due; what a thread had when it was forgotten can wait no more
        backup(archive, {"default": bench.profile}, Options(accept_gone=True), everything=True, policies=policies)
    found = Counter((row["thread_id"], row["message_id"]) for row in rows(bench.path))
    known = {row["thread_id"]: row["state"] for row in rows(bench.path, "threads")}
    print(f"{NIGHTS} nights, {len(threads)} threads, {len(written)} messages:")
    print(f"{sum(asked)} requests, {all_visited} had every thread been visited every night")

    assert found == Counter({(thread, message): 1 for message, thread in written.items()})
    assert "gone" in known.values()
    assert sum(asked) < all_visited / 2
    assert max(asked[1:]) < 3 * len(threads)
    assert json.dumps(sorted(known)) == json.dumps(sorted(threads))
