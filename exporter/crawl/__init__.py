"""Threads and sources in, archive out: workers walk threads, one writer commits pages, one outcome per thread.

A failed thread never stops the others; a failed source stops itself, for one profile; a full disk, a budget or Ctrl-C
stop the run with everything fetched so far committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.archive import Archive
from exporter.crawl._agenda import Agenda
from exporter.crawl._ahead import Ahead
from exporter.crawl._crawl import NO_POLICIES, Crawl, Listeners
from exporter.crawl._options import Options
from exporter.crawl._plan import Plan, plan
from exporter.crawl._recall import work_out
from exporter.crawl._report import Report
from exporter.crawl._sources import Doors
from exporter.crawl._stop import Stop
from exporter.crawl._verification import Verified, last, verify
from exporter.errors import Damaged
from exporter.model import Outcome, Page, Profile, Registration, ThreadRef, now
from exporter.registry import register_touched
from exporter.retention import Policies


def backup(
    archive: Archive,
    profiles: Mapping[str, Profile],
    options: Options,
    *,
    only: Sequence[ThreadRef] = (),
    everything: bool = False,
    policies: Policies = NO_POLICIES,
    on_reschedule: Callable[[int], None] = lambda _: None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_page: Callable[[Page], None] = lambda _: None,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
    on_link: Callable[[Registration], None] = lambda _: None,
    stop: Stop | None = None,
) -> Report:
    """Visit threads, commit what they hold, publish the tables, verify what was written and a part of the rest.

    Visits the threads that are due and those that `only` names, or `everything`, and what they point to. A `full` walk
    is of those that are named, where some are and it is not of everything:
    `on_reschedule` hears of it where all schedules have to be worked out again first, `on_plan` before the first
    visit, `on_link` of each thread that a link adds to the registry. Returns the run's report, which its manifest
    holds too. Raises `ArchiveError` where the archive cannot be written or a committed file is missing, and
    `Interrupted` where the tables were interrupted; what was archived stays so in each case.
    """
    started_at, began, stop = now(), archive.manifest(), stop or Stop()
    archive.seal()  # what the catalog says is planned, and it knows what is sealed
    register_touched(archive)
    doors = Doors(profiles, options)
    work_out(archive, policies, on_reschedule)
    planned = plan(archive, only, everything=everything, full=options.full, rhythm=policies.rhythm)
    on_plan(planned)
    ahead = Ahead(archive.catalog, planned.threads)
    agenda = Agenda(iter(ahead), everything=planned.everything)
    listeners = Listeners(on_page, on_outcome, on_link)
    crawl = Crawl(archive, doors, options, agenda, listeners, ahead=ahead, named=only, policies=policies)

    async def run() -> None:
        try:
            await crawl.run(stop)
        finally:
            await doors.aclose()

    asyncio.run(run())
    stop.bind(None)
    report = _report(archive, crawl, started_at, doors.requests)
    crawl.timetable.finish()
    archive.seal(report.to_json())
    if stop.exit_code is not None:
        return report
    report = replace(report, files=_publish(archive))
    return _verified(report, verify(archive, began, (now() - started_at).total_seconds()))


def _verified(report: Report, done: Verified) -> Report:
    """Add what was found damaged, which outweighs whatever else went wrong."""
    code = Damaged.exit_code if done.damages else report.exit_code
    return replace(report, exit_code=code, verified_bytes=done.bytes, unverified=done.left, findings=done.damages)


def _report(archive: Archive, crawl: Crawl, started_at: datetime, requests: int) -> Report:
    archive.seal()  # the counts below are the catalog's, which knows what is sealed
    states, tally, before = archive.catalog.count(), crawl.tally, last(archive.catalog)
    return Report(
        command="backup",
        run=archive.run,
        started_at=started_at,
        finished_at=now(),
        exit_code=tally.exit_code(),
        registered=sum(states.values()),
        complete=states.get("complete", 0),
        partial=states.get("partial", 0),
        gone=states.get("gone", 0),
        failed=states.get("failed", 0),
        never_visited=states.get("new", 0),
        visited=tally.visited,
        requests=requests,
        records=tally.records,
        errors=tuple(tally.errors),
        stopped=tuple(tally.told),
        remarks=tuple(tally.remarks),
        linked=crawl.links.registered,
        sources=tally.sources,
        blobs=tally.blobs,
        blob_bytes=tally.blob_bytes,
        verified_before=before.told() if before else None,
    )


def _publish(archive: Archive) -> int:
    """Bring the tables up to date; return how many files changed."""
    from exporter.tables import publish

    for name in archive.missing():
        raise Damaged(f"{archive.path / name}: it is missing; this run's pages are archived. See `exporter check`")
    since = int(archive.catalog.fact("published") or 0)
    newest = archive.manifest()
    published = publish(archive, since)
    archive.note_published(newest)
    return published.files


__all__ = ["Options", "Plan", "Report", "Stop", "backup", "plan", "work_out"]
