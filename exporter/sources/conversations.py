"""Conversations and their items.

Everything that `include[]` can open is asked for: without it, images, search results and outputs of code are null.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from exporter.model import Positions, ThreadRef, checked_id
from exporter.sources import Container, Event, Transport
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from exporter.sources._visit import thread_page

INCLUDE = tuple(
    ("include[]", value)
    for value in (
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    )
)


class ConversationsSource:
    """`/conversations`: what replaced threads."""

    name = "conversations"
    prefixes: tuple[str, ...] = ("conv_",)

    def __init__(self, transport: Transport, runs: bool = True) -> None:  # noqa: ARG002 - conversations have no runs
        self._desk = Desk(transport)

    async def pages(
        self, thread: ThreadRef, after: Positions, container: Container | None = None
    ) -> AsyncIterator[Event]:
        """Yield the conversation, then its items."""
        path = f"/conversations/{checked_id(thread.id)}"
        yield await thread_page(self._desk, thread, path, after)
        listing = Listing(thread, "message", "messages", f"{path}/items", INCLUDE)
        async for event in walk(self._desk, listing, after.get("messages")):
            yield event
