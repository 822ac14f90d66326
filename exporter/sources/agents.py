"""Agent sessions: items, turns, traces, artifacts, and the subagents with items and turns of their own.

Turns wait for people, and a closed subagent can be resumed. So nothing unfinished is given up, and all subagents are
looked at again, each from where its lists were left, until the session has rested for a week.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import datetime

from exporter.errors import UsageError
from exporter.model import Gap, Page, Position, checked_id, now
from exporter.sources._asking import Children, Listing
from exporter.sources._deleting import Deleting
from exporter.sources._habits import STUCK, UNSETTLED
from exporter.sources._shelf import Shelf, Under
from exporter.sources._split import Piece, member
from exporter.sources._visit import Visit

REST = 7 * 24 * 3600.0
"Seconds without activity after which a session is taken to be at rest."


class AgentsSource(Deleting, Shelf):
    """`/agents/sessions`: hosted agents, in beta."""

    name = "agents"
    prefixes = ("asess_",)  # seen in examples only; other ids need `--source agents`
    path = "/agents/sessions"
    headers = {"OpenAI-Beta": "agents=v1"}  # noqa: RUF012 - a constant
    lists = (
        Under("messages", "/items"),
        Under("turns", "/turns", "run", runs=True),
        Under("subagents", "/subagents", "run"),
        Under("traces", "/traces", "step", runs=True),
        Under("artifacts", "/artifacts", "file"),
    )
    ids_from = (
        "Ids come from the application that opened the sessions: its database, its logs, or the webhook "
        "`agent.session.created`."
    )

    def _walk(self, visit: Visit, listing: Listing) -> AsyncIterator[Page | Gap]:
        if listing.list == "traces":
            return _each(visit.walk(replace(listing, settles=_published)), visit.after.get("traces"))
        again = listing.list == "subagents" and "subagents" in visit.after and not _rests(visit)
        listing = replace(listing, settles=_settles(visit))
        return visit.walk(listing, Position() if again else None)

    def _children(self, visit: Visit, under: Under) -> Children | None:
        def theirs(subagent: Piece) -> AsyncIterator[Page | Gap]:
            return self._subagent(visit, subagent)

        return theirs if under.list == "subagents" else None

    async def _subagent(self, visit: Visit, subagent: Piece) -> AsyncIterator[Page | Gap]:
        """Walk the lists of one subagent."""
        for under in self.lists[: 2 if self._runs else 1]:
            kind = "items" if under.list == "messages" else under.list
            name = f"{kind}:{subagent.id or ''}"
            try:
                path = f"{visit.own.path}/subagents/{checked_id(subagent.id or '')}{under.tail}"
            except UsageError as error:
                thread = visit.thread
                yield Gap(thread, name, None, "no_id", f"{thread}: {kind} of a subagent cannot be asked for: {error}")
                continue
            listing = Listing(visit.thread, under.kind, name, path, headers=self.headers, parent=subagent.id)
            async for event in visit.walk(replace(listing, settles=_settles(visit))):
                yield event


def _rests(visit: Visit) -> bool:
    """Whether the session, just read, has not been active for long."""
    if not visit.asked:
        return False
    try:
        active = float(member(visit.object.body, "last_active_at"))
    except ValueError:
        return False
    return now().timestamp() - active > REST


def _settles(visit: Visit) -> Callable[[Piece, datetime], bool]:
    rests = _rests(visit)
    return lambda piece, _: rests or piece.status not in UNSETTLED


def _published(trace: Piece, at: datetime) -> bool:
    """Whether no trace of an earlier turn will appear any more, and this one is whole: after a day, we believe."""
    return trace.time is None or at.timestamp() - trace.time > STUCK


async def _each(pages: AsyncIterator[Page | Gap], position: Position | None) -> AsyncIterator[Page | Gap]:
    """Make a page of each object, as each hangs on a turn of its own; the cursor moves with the last one."""
    before = position or Position()
    async for event in pages:
        if isinstance(event, Page) and event.list == "traces":
            for page in _split(event, before):
                yield page
            before = event.position
        else:
            yield event


def _split(page: Page, before: Position) -> Iterator[Page]:
    for n, item in enumerate(page.items[:-1]):
        kept = replace(page, cursor=before.cursor, next_seq=before.seq, more=True, notes=())
        yield replace(kept, items=(item,), seq=page.seq + n, parent=item.id)
    last = page.items[-1:]
    seq = page.seq + len(page.items) - len(last)
    yield replace(page, items=last, seq=seq, next_seq=page.position.seq, parent=last[0].id if last else None)
