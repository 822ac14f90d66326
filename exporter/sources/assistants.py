"""Assistants threads: messages, runs, and the steps of each run.

Steps are walked before the run that they hang on counts as had, so a crash between the two forgets neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from exporter.errors import UsageError
from exporter.model import Gap, Page, Positions, ThreadRef, checked_id
from exporter.sources import Container, Event, Transport
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from exporter.sources._split import Piece
from exporter.sources._visit import thread_page

BETA = {"OpenAI-Beta": "assistants=v2"}
FOUND_TEXT = (("include[]", "step_details.tool_calls[*].file_search.results[*].content"),)


class AssistantsSource:
    """`/threads`: gone on OpenAI since August 2026, alive on other servers."""

    name = "assistants"
    prefixes: tuple[str, ...] = ("thread_",)

    def __init__(self, transport: Transport, runs: bool = True) -> None:
        self._desk, self._runs = Desk(transport), runs

    async def pages(
        self, thread: ThreadRef, after: Positions, container: Container | None = None
    ) -> AsyncIterator[Event]:
        """Yield the thread, then its messages, then its runs with their steps."""
        path = f"/threads/{checked_id(thread.id)}"
        yield await thread_page(self._desk, thread, path, after, BETA)
        lists = [Listing(thread, "message", "messages", f"{path}/messages", headers=BETA)]
        if self._runs:
            lists.append(self._runs_of(thread, path, after))
        for listing in lists:
            async for event in walk(self._desk, listing, after.get(listing.list)):
                yield event

    def _runs_of(self, thread: ThreadRef, path: str, after: Positions) -> Listing:
        def steps(run: Piece) -> AsyncIterator[Page | Gap]:
            return self._steps(thread, path, run, after)

        return Listing(thread, "run", "runs", f"{path}/runs", headers=BETA, children=steps)

    async def _steps(self, thread: ThreadRef, path: str, run: Piece, after: Positions) -> AsyncIterator[Page | Gap]:
        name = f"steps:{run.id or ''}"
        try:
            steps = f"{path}/runs/{checked_id(run.id or '')}/steps"
        except UsageError as error:
            yield Gap(thread, name, None, "no_id", f"{thread}: steps of a run cannot be asked for: {error}")
            return
        listing = Listing(thread, "step", name, steps, FOUND_TEXT, headers=BETA, parent=run.id)
        async for event in walk(self._desk, listing, after.get(name)):
            yield event
