"""From a page of a list to the archive: of each thread its registration and its object, where they are news."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from exporter.archive import Archive
from exporter.archive.catalog import digest, owner_of, stamp
from exporter.crawl._activity import activity
from exporter.errors import UsageError
from exporter.model import Item, Page, Registration, ThreadRef, checked_id
from exporter.owner import following
from exporter.registry import registration_page
from exporter.retention import Policies, Standing, deadline

KNOWN = Policies()
"What is known of each source, and nothing that a user knows better."
RECENT = 10_000
"Threads written since the last seal, which the catalog does not know yet: what is held of a list of any length."


@dataclass(frozen=True, slots=True)
class Taken:
    """What one page of a list brought; all of it is archived."""

    source: str
    profile: str
    listed: int
    registered: tuple[ThreadRef, ...]
    changed: tuple[ThreadRef, ...]
    "Known before, with another object, or with more known of their owner."
    nameless: int
    "Objects without an id, or with one that cannot be part of a URL: they cannot be registered."
    last: ThreadRef | None
    "The last thread on the page; None where nothing there may be named: it was erased, or has no usable id."

    @property
    def unchanged(self) -> int:
        """Known before, and nothing new; or erased here, so that it stays out."""
        return self.listed - len(self.registered) - len(self.changed) - self.nameless


@dataclass(frozen=True, slots=True)
class _Had:
    """What was known of a thread before."""

    entry: Registration | None = None
    body: str | None = None
    "Digest of its newest object."


NOTHING = _Had()


class Ledger:
    """Writes down what one profile's lists bring."""

    def __init__(self, archive: Archive, profile: str, notes: tuple[str, ...] = (), policies: Policies = KNOWN) -> None:
        archive.seal()  # what the catalog says is compared, and it knows what is sealed
        self._archive, self._profile, self._notes, self._policies = archive, profile, notes, policies
        self._recent: dict[ThreadRef, _Had] = {}
        self._hints: dict[ThreadRef, dict[str, str | None]] = {}

    def take(self, page: Page) -> Taken:
        """Archive what is new on a page, with one write: when this returns, a crash cannot lose it."""
        named = [(thread, item) for thread, item in _named(page) if thread is not None]
        had = self._had(thread for thread, _ in named)
        erased = self._archive.erased(thread for thread, _ in named if had.get(thread, NOTHING).entry is None)
        registered: dict[ThreadRef, None] = {}
        changed: dict[ThreadRef, None] = {}
        write: list[Page] = []
        for thread, item in named:
            if thread in erased:
                continue
            before = had.get(thread, NOTHING)
            now = _Had(self._entry(thread, item, before), digest(item.body))
            if now == before:
                continue
            write += self._pages(page, item, before, now)
            had[thread] = self._recent[thread] = now
            if before.entry is None:
                registered[thread] = None
                self._hint(page, thread, item)
            elif thread not in registered:
                changed[thread] = None
        if write:
            self._archive.append(write)
        if len(self._recent) >= RECENT:
            self.close()
        return Taken(
            source=page.thread.source,
            profile=self._profile,
            listed=len(page.items),
            registered=tuple(registered),
            changed=tuple(changed),
            nameless=len(page.items) - len(named),
            last=named[-1][0] if named and named[-1][0] not in erased else None,
        )

    def close(self) -> None:
        """Let the catalog know what was written, and until when the new threads have to be visited."""
        self._archive.seal()
        self._archive.catalog.note_hints(self._hints)
        self._recent, self._hints = {}, {}

    def _hint(self, page: Page, thread: ThreadRef, item: Item) -> None:
        """Work out the deadline of a new thread from what its object tells: some are listed late in their time."""
        active = activity(replace(page, kind="thread", items=(item,)))
        if active is None:
            return
        policy = self._policies.of(self._profile, thread.source, thread.endpoint)
        last = deadline(Standing(thread, active_at=active, created_at=active), policy)
        self._hints[thread] = {"active_at": stamp(active), "deadline_at": stamp(last) if last else None}

    def _had(self, wanted: Iterable[ThreadRef]) -> dict[ThreadRef, _Had]:
        """What is known of these threads, here or in the catalog."""
        threads = list(dict.fromkeys(wanted))
        found = self._archive.catalog.find_all([one for one in threads if one not in self._recent])
        had = {one: _Had(owner_of(known) if known.registered_at else None, known.body) for one, known in found.items()}
        return had | {one: self._recent[one] for one in threads if one in self._recent}

    def _pages(self, page: Page, item: Item, before: _Had, now: _Had) -> Iterator[Page]:
        """What is to be written of one thread: its registration comes first."""
        assert now.entry is not None
        if now.entry != before.entry:
            yield replace(registration_page(now.entry), fetched_at=page.fetched_at)
        if now.body != before.body:
            thread, fresh = now.entry.thread, before.body is None
            yield Page(
                thread, "thread", (item,), None, False, page.fetched_at, "thread", fresh=fresh, notes=self._notes
            )

    def _entry(self, thread: ThreadRef, item: Item, before: _Had) -> Registration:
        """What is known of a thread once its object was listed."""
        known = before.entry or Registration(thread, self._profile)
        same = digest(item.body) == before.body
        return following(known, item.body, lambda: item.body if same else self._archived(thread))

    def _archived(self, thread: ThreadRef) -> bytes:
        """The thread's object as it was archived last."""
        newest = b""
        for record in self._archive.records(thread, "thread"):
            newest = record.body
        return newest


def _named(page: Page) -> Iterator[tuple[ThreadRef | None, Item]]:
    """The objects of a page with the threads that they are; None for one that cannot be asked for by its id."""
    for item in page.items:
        try:
            yield replace(page.thread, id=checked_id(item.id or "")), item
        except UsageError:
            yield None, item
