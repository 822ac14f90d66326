"""A big archive, put together without a server: what it holds depends on nothing but its size.

Threads of several users and customers over two years, each with a few messages up to twenty thousand; texts are words
drawn as in any language, a few often and most of them seldom; some threads are in Chinese and Japanese. The same pages
that a visit writes go through the same `append`, `seal` and `publish`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from exporter.archive import Archive
from exporter.model import Item, Page, Registration, ThreadRef
from exporter.registry import register
from exporter.tables import publish

ENDPOINT = "https://api.example/v1"
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 700
MEAN = 25
"Messages of a thread, on average."
LONGEST = 20_000
PAGE = 100
WORDS = [a + b + c for a in ("ba", "ko", "ri", "tem", "lu") for b in ("na", "si", "dor", "e") for c in ("k", "ta", "m")]
SELDOM = 60_000
EAST = "我们今天在东京开会讨论项目进度和预算安排会議の資料を明日までに送ってください東京都の天気は晴れです"


def build(path: Path, messages: int) -> None:
    """Make an archive of so many messages, with its tables."""
    Archive.create(path)
    rand = random.Random(1)
    with Archive.write(path) as archive:
        sizes = list(_sizes(messages, rand))
        register(archive, (_owned(number) for number in range(len(sizes))))
        batch: list[Page] = []
        for number, size in enumerate(sizes):
            batch += _thread(number, size, len(sizes), rand)
            if len(batch) > 1_000:
                archive.append(batch)
                batch.clear()
        archive.append(batch)
        archive.seal()
        publish(archive, 0)
        archive.note_published(archive.manifest())


def ref(number: int) -> ThreadRef:
    """Return the thread of a number; number 0 is the longest."""
    return ThreadRef("assistants", ENDPOINT, f"thread_big{number:08d}")


def _sizes(messages: int, rand: random.Random) -> Iterator[int]:
    left = messages
    size = min(LONGEST, messages // 10)
    while left > 0:
        yield min(size, left)
        left -= size
        size = 1 + int(rand.expovariate(1 / (MEAN - 1)))


def _owned(number: int) -> Registration:
    user = f"user{number % 997}"
    return Registration(ref(number), user=user, customer=f"customer{number % 41}", title=f"Question {number} of {user}")


def _thread(number: int, size: int, threads: int, rand: random.Random) -> Iterator[Page]:
    thread, at = ref(number), BEGIN + timedelta(days=DAYS * number / threads)
    body = orjson.dumps({"id": thread.id, "object": "thread", "created_at": int(at.timestamp()), "metadata": {}})
    yield Page(thread, "thread", (Item(thread.id, body),), None, False, at, "thread", 0)
    for first in range(0, size, PAGE):
        items = []
        for seq in range(first, min(first + PAGE, size)):
            at += timedelta(seconds=rand.expovariate(1 / 60))
            items.append(_message(thread, seq, at, rand, east=number % 20 == 7))
        last = first + PAGE >= size
        yield Page(thread, "message", tuple(items), items[-1].id, not last, at, "messages", first)


def _message(thread: ThreadRef, seq: int, at: datetime, rand: random.Random, *, east: bool) -> Item:
    name = f"msg_{thread.id[-8:]}_{seq}"
    text = _east(rand) if east else " ".join(_word(rand) for _ in range(rand.randrange(10, 90)))
    body = {
        "id": name,
        "object": "thread.message",
        "created_at": int(at.timestamp()),
        "assistant_id": None if seq % 2 == 0 else "asst_1",
        "thread_id": thread.id,
        "run_id": None if seq % 2 == 0 else f"run_{seq}",
        "status": "completed",
        "role": "assistant" if seq % 2 else "user",
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }
    return Item(name, orjson.dumps(body))


def _word(rand: random.Random) -> str:
    if rand.random() < 0.7:
        return WORDS[int(len(WORDS) * rand.random() ** 3)]
    return f"w{int(SELDOM * rand.random() ** 2)}"


def _east(rand: random.Random) -> str:
    begin = rand.randrange(len(EAST))
    return "".join(EAST[(begin + step) % len(EAST)] for step in range(rand.randrange(8, 120)))
