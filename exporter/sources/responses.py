"""Stored responses: each is one turn, with what was said (its input items) and what was answered (its output).

A chain is walked back by links: a response points to the one before it, and to the conversation that it belongs to.
So each turn is archived once, by its own response, whoever points to it, and whenever its own 30 days end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from exporter.errors import Temporary, UsageError
from exporter.model import Gap, Item, Link, ThreadRef, checked_id
from exporter.sources import Event, Transport
from exporter.sources._chain import Earlier, earlier
from exporter.sources._deleting import Deleting
from exporter.sources._embedding import Embedding
from exporter.sources._habits import UNSETTLED
from exporter.sources._shelf import Under
from exporter.sources._split import Piece, elements, member, piece
from exporter.sources._visit import Visit
from exporter.sources.conversations import INCLUDE
from exporter.text import string

OPENED = frozenset({
    "code_interpreter_call", "computer_call_output", "file_search_call", "reasoning", "web_search_call"
})  # fmt: skip
"Items with fields that only include[] opens; lists of responses are not known to obey it."


class ResponsesSource(Deleting, Embedding):
    """`/responses`: what OpenAI keeps for 30 days."""

    name = "responses"
    prefixes = ("resp_",)
    path = "/responses"
    params = INCLUDE
    lists = (Under("messages", "/input_items", params=INCLUDE),)
    answers = "output"
    waits = (0.0,)
    doubtful = True
    ids_from = (
        "Ids come from the answers that the application got (its logs, its traces, the `previous_response_id` it "
        "sends); the rest of a chain is found from its last response. Where the server lists them to a browser only, "
        "`exporter discover --session` asks as one."
    )

    def __init__(self, transport: Transport, runs: bool = True) -> None:
        super().__init__(transport, runs)
        self._repeats: bool | None = None
        "Whether this server's input items hold the turns before, too; None until a chain has told."

    def _suffices(self, listed: Piece) -> bool:
        items = elements(listed.body, "output")
        whole = member(listed.body, "output")[:1] == b"[" and not any(_type(item) in OPENED for item in items)
        return whole and listed.status not in UNSETTLED  # it may have been finished long since, so age says nothing

    def _items(self, own: Piece) -> Iterator[Item]:
        return (Item(piece(item).id, item) for item in elements(own.body, "output"))

    async def _said(self, visit: Visit) -> AsyncIterator[Event]:
        """Walk the input items, without those that the response before holds."""
        try:
            before = await self._before(visit)
        except Temporary as error:
            yield visit.gap("messages", error.code, str(error))
            return
        listing = replace(self._listing(visit, self.lists[0]), omits=before)
        async for event in visit.walk(listing):
            yield event
        if before is not None and before.told is not None:
            self._repeats = self._repeats or before.told

    async def _before(self, visit: Visit) -> Earlier | None:
        """Return what the response before holds; None where nothing of it can be repeated, or it is gone."""
        previous = _previous(visit.object)
        if previous is None or self._repeats is False:
            return None
        try:
            path = f"{self.path}/{checked_id(previous)}"
        except UsageError:
            return None
        thread = replace(visit.thread, id=previous)
        own = replace(visit.own, thread=thread, path=path, waits=())
        items = replace(self._listing(visit, self.lists[0]), thread=thread, path=f"{path}/input_items", waits=())
        return await earlier(self._desk, visit.object, own, items)

    def _links(self, visit: Visit) -> Iterator[Link | Gap]:
        conversation = member(visit.object.body, "conversation")
        if conversation[:1] == b"{":
            conversation = member(conversation, "id")
        for source, name in (("conversations", string(conversation)), (self.name, _previous(visit.object))):
            if not name:
                continue
            try:
                to = ThreadRef(source, visit.thread.endpoint, checked_id(name))
            except UsageError as error:
                yield Gap(
                    visit.thread, "links", None, "bad_link", f"{visit.thread}: it points to a thread, but {error}"
                )
            else:
                yield Link(visit.thread, to)


def _previous(own: Piece) -> str | None:
    name = string(member(own.body, "previous_response_id"))
    return name if name and name != own.id else None


def _type(item: bytes) -> str | None:
    return string(member(item, "type"))
