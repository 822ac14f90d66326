"""`exporter erase --upstream` and `--everywhere`: what is said before anything is deleted on a server, and after."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli._numbers import many
from exporter.cli._output import Output, redacted
from exporter.model import BY_US, ThreadRef, printable

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.erase import Asked
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
    without_files: bool
    "Whether threads are deleted, too, whose files could not be had."


def plan(archive: Archive, wish: Wish, *, dry_run: bool) -> list[ThreadRef]:
    """Say what would be deleted where; return those threads that are there as far as we know. No server is asked."""
    from exporter.config import profiles
    from exporter.endpoint import endpoint_of
    from exporter.erase import choose

    out, there, total = Output.of(), list[ThreadRef](), 0
    reached = {endpoint_of(profile.base_url) for profile in profiles(wish.config).values()}
    others: Counter[str] = Counter()
    for number, thread in enumerate(sorted(choose(archive, wish.asked).threads)):
        messages = sum(mark.count for _, mark, _ in archive.thread_pages(thread, "message"))
        why = _hindrance(archive, thread, reached)
        what = why or "to be deleted"
        if why:
            others[why] += 1
        else:
            there.append(thread)
            total += messages
        text = f"{thread} at {printable(thread.endpoint)}: {many(messages, 'messages')} archived so far, {what}"
        fields = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
        if dry_run:
            out.item("thread", {**fields, "messages": messages, "what": what}, text)
        elif number < SHOWN:
            out.say(text)
    count = len(there) + others.total()
    if count > SHOWN and not dry_run:
        out.say(f"... and {count - SHOWN:,} more")
    rest = "".join(f"; not {many(value, 'threads')}: {why}" for why, value in others.items())
    sentence = f"{many(len(there), 'threads')} with {many(total, 'messages')} archived so far{rest}"
    if dry_run:
        counts = {"threads": len(there), "messages": total, "others": others.total()}
        out.summary(counts, f"dry run: would be deleted on the server: {sentence}; no server was asked")
    else:
        kept = "ERASED HERE, TOO" if wish.everywhere else "the archive keeps them"
        out.say(f"to be deleted ON THE SERVER, once all of it is archived: {sentence}; {kept}")
    return there


def _hindrance(archive: Archive, thread: ThreadRef, reached: Collection[str]) -> str | None:
    """Say why a thread is not deleted on its server, as far as that is known without asking it."""
    from exporter.errors import UsageError
    from exporter.sources import Deletable, load

    known = archive.catalog.find(thread)
    if known is not None and known.state == "gone":
        return "gone already"
    if thread.endpoint not in reached:
        return "no profile reaches its server"
    with suppress(UsageError):
        if isinstance(load(thread.source), Deletable):
            return None
    return "exporter knows of no way to delete threads of its source"


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
                without_files=wish.without_files,
                on_ended=_tell,
                stop=stop,
            )
        away = [one.thread for one in done.ended if one.end in ("deleted", "gone")]
        if wish.everywhere and away and done.stopped is None:
            receipt = erase(archive, away, wish.asked, wish.reference, told(archive, done))
            out.item("receipt", receipt, json.dumps(receipt, indent=1))
    for why in (*done.told, *([done.stopped] if done.stopped else [])):
        out.complain(f"exporter: {redacted(printable(str(why)))}")
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
