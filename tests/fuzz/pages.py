"""Whole visits of servers that answer anything, in every source."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import strategies as st

from exporter.model import Gap, Page, Position, ThreadRef
from exporter.sources import Answer, load, names
from exporter.sources._asking import Desk
from exporter.sources._refs import artifacts, refs, stores
from exporter.sources._shelf import Shelf
from tests.fuzz._inputs import as_json, listed, objects, texts

STATUSES = st.sampled_from([200, 200, 200, 200, 204, 301, 400, 401, 403, 404, 404, 422, 429, 500, 503])
ANSWERS = st.tuples(STATUSES, listed() | objects.map(as_json) | texts)
INPUT = st.tuples(st.sampled_from(names()), st.lists(ANSWERS, max_size=25), st.booleans())
MOST = 2000
"Requests after which a walk counts as one that never ends."
ENDPOINT = "http://127.0.0.1:1/v1"
IDS = {"conversations": "conv_1", "responses": "resp_1", "completions": "chatcmpl-1", "chatkit": "cthr_1"}


class Anything:
    """A transport whose server says what it wants, then nothing more."""

    endpoint = ENDPOINT

    def __init__(self, answers: Sequence[tuple[int, bytes]], name: str) -> None:
        self._answers, self._name, self.asked = list(answers), name, 0

    async def get(self, *_: object, **__: object) -> Answer:
        self.asked += 1
        assert self.asked < MOST, "the walk does not end"
        if self._answers:
            status, body = self._answers.pop(0)
            return Answer(status, {"content-type": "application/json"}, body)
        own = as_json({"id": self._name, "object": "thread", "data": [], "has_more": False})
        return Answer(200, {"content-type": "application/json"}, own)


async def _walk(name: str, answers: Sequence[tuple[int, bytes]], again: bool) -> None:
    thread = ThreadRef(name, ENDPOINT, IDS.get(name, "thread_1"))
    after = {"thread": Position(None, 1, False), "messages": Position("msg_1", 2, False)} if again else {}
    source = load(name)(transport := Anything(answers, thread.id))
    assert isinstance(source, Shelf)
    source._desk = Desk(transport, lambda _: asyncio.sleep(0))
    async for event in source.pages(thread, after):
        assert not isinstance(event, Gap) or event.detail
        for item in event.items if isinstance(event, Page) else ():
            assert b"\n" not in item.body
        if isinstance(event, Page):
            list(refs(event))
            list(artifacts(event))
            list(stores(item.body for item in event.items))


def parse(data: tuple[str, Sequence[tuple[int, bytes]], bool]) -> None:
    asyncio.run(_walk(*data))
