"""Assistants threads: messages, runs, and the steps of each run.

Steps are walked before the run that they hang on counts as had, so a crash between the two forgets neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from exporter.errors import UsageError
from exporter.model import Gap, Page, checked_id
from exporter.sources._asking import Children, Listing
from exporter.sources._deleting import Deleting
from exporter.sources._shelf import Shelf, Under
from exporter.sources._split import Piece
from exporter.sources._visit import Visit

FOUND_TEXT = (("include[]", "step_details.tool_calls[*].file_search.results[*].content"),)


class AssistantsSource(Deleting, Shelf):
    """`/threads`: gone on OpenAI since August 2026, alive on other servers."""

    name = "assistants"
    prefixes = ("thread_",)
    path = "/threads"
    headers = {"OpenAI-Beta": "assistants=v2"}  # noqa: RUF012 - a constant
    lists = (Under("messages", "/messages"), Under("runs", "/runs", "run", runs=True))
    ids_from = (
        "Ids come from the application that made the threads (its database, its logs); where the server lists "
        "them to a browser only, `exporter discover --session` asks as one."
    )

    def _children(self, visit: Visit, under: Under) -> Children | None:
        def steps(run: Piece) -> AsyncIterator[Page | Gap]:
            return self._steps(visit, run)

        return steps if under.list == "runs" else None

    async def _steps(self, visit: Visit, run: Piece) -> AsyncIterator[Page | Gap]:
        name = f"steps:{run.id or ''}"
        try:
            path = f"{visit.own.path}/runs/{checked_id(run.id or '')}/steps"
        except UsageError as error:
            thread = visit.thread
            yield Gap(thread, name, None, "no_id", f"{thread}: steps of a run cannot be asked for: {error}")
            return
        listing = Listing(visit.thread, "step", name, path, FOUND_TEXT, self.headers, run.id)
        async for event in visit.walk(listing):
            yield event
