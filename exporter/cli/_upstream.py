"""`exporter erase --upstream` and `--everywhere`: what is said before anything is deleted on a server, and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli._numbers import many
from exporter.cli._output import Output, redacted
from exporter.model import BY_US, printable

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.erase import Asked
    from exporter.model import ThreadRef
    from exporter.upstream import Ended

SHOWN = 20
"Threads that people are shown before they say yes; `--json` names all."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be deleted on servers, and how."""

    archive: Path
    asked: Sequence[Asked]
    reference: str | None
    everywhere: bool
    "Whether what was deleted there is to be erased here, too."
    rate: float | None
    max_requests: int | None
    config: str | None


def plan(archive: Archive, wish: Wish, *, dry_run: bool) -> list[ThreadRef]:
    """Say what would be deleted where; return those threads that are there as far as we know. No server is asked."""
    from exporter.config import profiles
    from exporter.endpoint import endpoint_of
    from exporter.erase import choose

    out, there = Output.of(), list[Any]()
    reached = {endpoint_of(profile.base_url) for profile in profiles(wish.config).values()}
    counts = {"threads": 0, "messages": 0, "gone_already": 0, "not_reached": 0}
    for thread in sorted(choose(archive, wish.asked).threads):
        known = archive.catalog.find(thread)
        gone, known_here = known is not None and known.state == "gone", thread.endpoint in reached
        messages = sum(mark.count for _, mark, _ in archive.thread_pages(thread, "message"))
        what = "gone already" if gone else "no profile reaches its server" if not known_here else "to be deleted"
        counts["gone_already"] += gone
        counts["not_reached"] += not gone and not known_here
        if not gone:
            there.append(thread)
        counts["threads"] += what == "to be deleted"
        counts["messages"] += messages if what == "to be deleted" else 0
        text = f"{thread} at {printable(thread.endpoint)}: {many(messages, 'messages')} archived so far, {what}"
        fields = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
        if dry_run:
            out.item("thread", {**fields, "messages": messages, "what": what}, text)
        elif len(there) <= SHOWN:
            out.say(text)
    if len(there) > SHOWN and not dry_run:
        out.say(f"... and {len(there) - SHOWN:,} more")
    sentence = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items())
    if dry_run:
        out.summary(counts, f"dry run: would be deleted on the server: {sentence}; no server was asked")
    else:
        kept = "and erased here" if wish.everywhere else "the archive keeps them"
        out.say(f"to be deleted ON THE SERVER, after all of it is archived: {sentence}; {kept}")
    return there


def run(wish: Wish, ask: Callable[[int, str], None] | None) -> int:
    """Archive, delete on the servers, and erase here if that is wished; `ask` lets a person say yes first."""
    from exporter.archive import Archive
    from exporter.cli._signals import signals
    from exporter.config import profiles
    from exporter.crawl import Options, Stop
    from exporter.erase import choose, erase
    from exporter.erase import finish as finish_tables
    from exporter.upstream import delete_upstream, told

    out, stop, known = Output.of(), Stop(), profiles(wish.config)
    options = Options(full=True, rate=wish.rate, max_requests=wish.max_requests)
    with Archive.write(wish.archive) as archive:
        finish_tables(archive)
        threads = choose(archive, wish.asked).threads
        if ask is not None:
            there = plan(archive, wish, dry_run=False)
            what = "delete so many threads on their server" + (" and erase them here" if wish.everywhere else "")
            ask(len(threads if wish.everywhere else there), what)
        with signals(stop):
            done = delete_upstream(
                archive,
                known,
                threads,
                options,
                policies=known.policies,
                reference=wish.reference,
                on_ended=_tell,
                stop=stop,
            )
        away = [one.thread for one in done.ended if one.end in ("deleted", "gone")]
        if wish.everywhere and away and done.stopped is None:
            receipt = erase(archive, away, wish.asked, wish.reference, told(archive, done))
            out.item("receipt", receipt, json.dumps(receipt, indent=1))
    if done.stopped is not None:
        out.complain(f"exporter: {redacted(printable(str(done.stopped)))}")
    counts = {name: done.count(name) for name in ("deleted", "gone", "refused")}
    fields = {**counts, "left": len(threads) - len(done.ended), "requests": done.requests, "exit_code": done.exit_code}
    erased = wish.everywhere and done.stopped is None
    kept = f"{many(len(away), 'threads')} erased here" if erased else "the archive keeps all of them"
    begin = "NOT COMPLETE: " if done.exit_code else ""
    said = f"{counts['deleted']:,} deleted on the server, {counts['gone']:,} gone before, {counts['refused']:,} refused"
    left = f", {fields['left']:,} left" if fields["left"] else ""
    out.summary(fields, f"{begin}{said}{left}; {kept}")
    return done.exit_code


def _tell(ended: Ended) -> None:
    out, thread = Output.of(), ended.thread
    fields = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id, "why": ended.why or None}
    text = f"{thread}: deleted" if ended.end == "deleted" else f"{thread}: gone already"
    if ended.end == "refused":
        text = f"refused: {redacted(printable(ended.why))}"
    out.item(ended.end, {**fields, "reason": BY_US if ended.end == "deleted" else None, **ended.receipt}, text)
