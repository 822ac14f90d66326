"""Where OpenAI's own SDK ends a list early and says nothing, nothing is lost here, or a gap says so."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from exporter.sources import load
from tests.sources.fake import THREAD, FakeApi, item, ok
from tests.sources.lines import Line, bodies, gaps, gathered, seqs
from tests.sources.places import Place

COUNT = 125
AUTO_PAGERS: dict[str, Callable[[openai.OpenAI, str], Iterator[Any]]] = {
    "agents": lambda client, thread: iter(client.beta.agents.sessions.items.list(thread, limit=50, order="asc")),
    "assistants": lambda client, thread: iter(client.beta.threads.messages.list(thread, limit=50, order="asc")),
    "chatkit": lambda client, thread: iter(client.beta.chatkit.threads.list_items(thread, limit=50, order="asc")),
    "completions": lambda client, thread: iter(client.chat.completions.messages.list(thread, limit=50, order="asc")),
    "conversations": lambda client, thread: iter(client.conversations.items.list(thread, limit=50, order="asc")),
    "responses": lambda client, thread: iter(client.responses.input_items.list(thread, limit=50, order="asc")),
}


@pytest.fixture(params=AUTO_PAGERS)
def place(request: pytest.FixtureRequest, line: Line) -> Iterator[tuple[Place, str]]:
    found = Place(request.param)
    thread = f"{found.prefix}silent1"
    if thread not in line.state.shelves[found.shelf].holders:
        found.add_thread(line.state, thread)
        found.add(line.state, thread, COUNT)
    yield found, thread
    line.switch()


def with_sdk(line: Line, place: Place, thread: str) -> int:
    """How many objects the SDK's pager gives before it ends, without any error."""
    with openai.OpenAI(api_key="sk-sandbox-one", base_url=line.sandbox.url) as client:
        return sum(1 for _ in AUTO_PAGERS[place.source](client, thread))


def test_this_is_the_sdk_that_was_looked_at() -> None:
    assert importlib.metadata.version("openai").startswith("3.")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("lie", ["null_ids", "null_ids_and_cursor"])
def test_an_object_without_an_id_at_the_end_of_a_page(line: Line, place: tuple[Place, str], lie: str) -> None:
    line.switch(lies=[lie])
    theirs = with_sdk(line, *place)
    events = line.visit(place[1], runs=False)

    assert theirs == 50 or (lie == "null_ids" and theirs == COUNT)  # some of its pagers go by last_id
    if lie == "null_ids":
        assert (len(bodies(events)), gaps(events)) == (COUNT, [])
    else:
        assert gaps(events) == ["no_cursor"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_empty_page_that_promises_more(line: Line, place: tuple[Place, str]) -> None:
    line.switch(lies=["empty_page_has_more"], lies_only=f"/{place[1]}{place[0].tail}")

    assert with_sdk(line, *place) == COUNT  # and not a word of what was promised
    assert gaps(line.visit(place[1], runs=False)) == ["empty_page_has_more"]


class Hiccup(FakeApi):
    """Answers an empty page that promises more, once, in the middle of the list."""

    async def get(self, path: str, params: Any = (), headers: Any = None) -> Any:
        if dict(params).get("after") == "msg_0019" and not any(q.get("after") == "msg_0019" for _, q in self.calls):
            self.calls.append((path, dict(params)))
            return ok({"object": "list", "data": [], "first_id": None, "last_id": "msg_0019", "has_more": True})
        return await super().get(path, params, headers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_empty_page_in_the_middle_loses_the_rest_there_and_nothing_here() -> None:
    messages = [item(n, 1_700_000_000 + n) for n in range(45)]

    async def story() -> tuple[int, list[Any]]:
        api = Hiccup(messages, most=20)

        async def served(request: httpx2.Request) -> httpx2.Response:
            answer = await api.get(request.url.path.removeprefix("/v1"), list(request.url.params.multi_items()))
            return httpx2.Response(answer.status, content=answer.body, headers=dict(answer.headers))

        web = httpx2.AsyncClient(transport=httpx2.MockTransport(served))
        async with openai.AsyncOpenAI(api_key="sk-x", base_url="http://127.0.0.1:1/v1", http_client=web) as client:
            theirs = [one async for one in client.beta.threads.messages.list("thread_1", order="asc", limit=20)]
        return len(theirs), await gathered(load("assistants")(Hiccup(messages, most=20), False).pages(THREAD, {}))

    theirs, events = asyncio.run(story())

    assert theirs == 20
    assert (len(bodies(events)), gaps(events)) == (45, [])
    assert seqs(events, "messages") == list(range(45))
