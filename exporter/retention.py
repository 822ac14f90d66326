"""When will a source forget a thread, and when is its next visit due? Pure functions, no I/O and no clock.

The guarantee: where R days without activity delete a thread, one that was visited at v loses nothing as long as it is
visited again before v + R, because whatever is written after v starts the R days anew. So v + R is the deadline, and
the visit is due a margin before it. Everything sooner is freshness: a thread that is active is looked at every night,
one that grows cold ever more rarely, and never more rarely than the guarantee. A jitter of its own for each thread
and visit spreads what was registered together over the nights.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from exporter.model import ThreadRef

Anchor = Literal["activity", "created", "none"]
Confidence = Literal["documented", "observed", "claimed", "configured"]
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPREAD = 0.3
"The part of an interval that the jitter may take off."
CROWDED = 1.25
"Nights that are busier than this, against the usual one, are spread."
DOUBLINGS = 3
"How often the wait doubles that follows a second night of failure: 2, 4 and then 8 days."
QUARANTINE = DOUBLINGS + 1
"Nights of failure, over a week, after which a thread is tried every 8 days and named, so that a person looks."


@dataclass(frozen=True, slots=True)
class Policy:
    """When a source forgets a thread, as far as is known."""

    why: str
    "Where this is known from; a sentence for people."
    ttl: timedelta | None = None
    "How long after its anchor a thread is deleted; None: not by itself."
    anchor: Anchor = "none"
    ends: datetime | None = None
    "When the API itself ends, with all that is in it."
    final: bool = False
    "Whether a thread never changes once it was archived whole: one visit is enough."
    confidence: Confidence = "documented"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often threads are visited."""

    margin: timedelta = 5 * DAY
    "How long before a deadline a visit is due: for nights that fail, and for what the server does early."
    least: timedelta = DAY
    "The shortest time between two visits that nobody asked for."
    most: timedelta = 30 * DAY
    "The longest that a thread is left alone, whatever its source promises."
    sweep: timedelta = 28 * DAY
    "Within this time every thread is walked from its beginning: that finds edits and deletions."
    warmth: float = 0.25
    "A thread is looked at again after this part of the time for which it has been quiet."


RHYTHM = Rhythm()


@dataclass(frozen=True, slots=True)
class Policies:
    """What is known and what was configured, for all profiles."""

    said: Mapping[tuple[str, str], Policy] = field(default_factory=dict)
    "What the user knows better, by profile and source."
    rhythm: Rhythm = RHYTHM

    def of(self, profile: str, source: str, endpoint: str) -> Policy:
        """Return the policy of a source as a profile reaches it."""
        return self.said.get((profile, source)) or policy(source, endpoint)

    def digest(self) -> str:
        """Return a name that changes when any of it does: what was worked out with another is worked out again."""
        told = repr((sorted(self.said.items()), self.rhythm, sorted(POLICIES.items()), FOUNDRY_CLASSIC))
        return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a thread when its next visit is worked out."""

    thread: ThreadRef
    visited_at: datetime | None = None
    "When it was last walked to its end; None: never yet."
    active_at: datetime | None = None
    "When something last happened in it, as far as is known."
    created_at: datetime | None = None
    failed_at: datetime | None = None
    "When the newest visit failed; None: it did not."
    failures: int = 0
    "Nights on which it failed since the last visit that did not."


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a thread is to be visited."""

    due: datetime | None
    "From when on a visit is welcome; None: never again."
    deadline: datetime | None
    "When something may be lost unless it was visited before; None: waiting loses nothing."
    interval: timedelta
    "How long it is left alone: one night's share of it is what a usual night has to do."


def policy(source: str, endpoint: str) -> Policy:
    """Return what is known of a source at an endpoint; for an unknown one, that it forgets nothing."""
    azure = ".azure.com" in endpoint or ".azure.us" in endpoint
    if azure and source == "assistants":
        return FOUNDRY_CLASSIC
    return POLICIES.get(source, UNKNOWN) if not azure else UNKNOWN


FOUNDRY_CLASSIC = Policy(
    "Foundry keeps classic threads until they are deleted, and retires the API on 2027-03-31 (learn.microsoft.com)",
    ends=datetime(2027, 3, 31, tzinfo=UTC),
)
UNKNOWN = Policy("nothing is known about how long this server keeps threads", confidence="claimed")
POLICIES = {
    "assistants": Policy(
        "users report that threads vanish after 60 days without activity; no document says so",
        ttl=60 * DAY,
        anchor="activity",
        confidence="claimed",
    ),
    "conversations": Policy("conversations are kept until they are deleted (OpenAI, Your data)"),
    "chatkit": Policy(
        "threads are kept until they are deleted; the workflows behind them end on 2026-11-30 with Agent Builder",
        ends=datetime(2026, 11, 30, tzinfo=UTC),
        confidence="claimed",
    ),
    "completions": Policy(
        "stored completions are commonly said to be kept for 30 days; no document gives a number",
        ttl=30 * DAY,
        anchor="created",
        final=True,
        confidence="claimed",
    ),
    "responses": Policy(
        "responses expire 30 days after they were created (OpenAI, Conversation state)",
        ttl=30 * DAY,
        anchor="created",
        final=True,
    ),
    "agents": Policy("sessions are kept until they are deleted (OpenAI, Your data)"),
}
"What is known of each source; docs/guide.md has the table for people, and a profile may say otherwise."


def schedule(standing: Standing, known: Policy, rhythm: Rhythm = RHYTHM) -> Schedule:
    """Return when the next visit is due, and until when it must have happened.

    A thread that was never visited is due since ever. A deadline in the past stays: it says what may be lost already.
    """
    last, visited = deadline(standing, known), standing.visited_at
    if standing.failed_at is not None:
        return _again(standing, standing.failed_at, last, rhythm)
    if visited is None:
        return Schedule(EPOCH, last, rhythm.least)
    if known.final:
        return Schedule(None, None, rhythm.most)
    interval = _interval(standing, visited, known, rhythm)
    return Schedule(visited + interval * (1 - SPREAD * jitter(standing.thread, visited)), last, interval)


def night(usual: float) -> int:
    """Return how many visits a night makes that has no budget: those of a usual night and a quarter more.

    `usual` is the sum over all threads of a day's share of their interval. What is due beyond that waits for the next
    night, unless its deadline does not: so one crowded night becomes several that are not.
    """
    return math.ceil(usual * CROWDED)


def deadline(standing: Standing, known: Policy) -> datetime | None:
    """Return when the source may delete something of the thread that the archive lacks; None where it never does."""
    visited = standing.visited_at
    if known.final and visited is not None:
        return None
    dates = [known.ends] if known.ends is not None and (visited is None or visited < known.ends) else []
    since = standing.created_at
    if known.anchor == "activity":
        since = visited or standing.active_at or since
    if known.ttl is not None and known.anchor != "none" and since is not None:
        dates.append(since + known.ttl)
    return min(dates, default=None)


def _again(standing: Standing, failed: datetime, last: datetime | None, rhythm: Rhythm) -> Schedule:
    """Return when a thread whose visit failed is tried again: later each night, but before its deadline.

    After the first night of failure it is due at once: whoever mends a key and runs again need not wait.
    """
    if standing.failures <= 1:
        return Schedule(failed, last, rhythm.least)
    wait = rhythm.least * 2 ** min(standing.failures - 1, DOUBLINGS)
    due = failed + wait
    if last is not None and last - rhythm.margin < due:
        due = max(last - rhythm.margin, failed + rhythm.least)
    return Schedule(due, last, wait)


def _interval(standing: Standing, visited: datetime, known: Policy, rhythm: Rhythm) -> timedelta:
    """Return for how long a thread may be left alone after a visit."""
    least, most = rhythm.least, rhythm.most
    if known.ttl is not None and known.anchor == "activity":
        # of a short life half is margin enough
        most = min(most, known.ttl - min(rhythm.margin, known.ttl / 2))
        least = min(least, most)
    if known.ends is not None and visited < known.ends:
        # ever sooner as the end comes near: what is written after the last visit is lost with the API
        most = min(most, (known.ends - visited) / 2)
    quiet = visited - (standing.active_at or standing.created_at or visited)
    return max(least, min(quiet * rhythm.warmth, most))


def elapsed(thread: ThreadRef, since: timedelta, most: timedelta, at: datetime) -> bool:
    """Whether a time is over that is a little shorter for each thread, so that not all come in one night."""
    return since > most * (1 - SPREAD) and since > most * (1 - SPREAD * jitter(thread, at))


def jitter(thread: ThreadRef, visited: datetime) -> float:
    """Return a number from 0 to 1 that is another for each thread and visit, and always the same for these two."""
    said = f"{thread.source} {thread.endpoint} {thread.id} {visited.date()}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest()) / 2**64
