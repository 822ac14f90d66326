"""Follows links: where one leads is registered with the same owner, and visited in the same run.

A link also proves something: what an object points to was there once. So a thread that only a link names, and that
the server does not have, is no mistake of ours: it expired or was deleted before anybody came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from exporter.archive.catalog import Catalog, Known
from exporter.crawl._agenda import Agenda
from exporter.model import Link, Page, Registration, ThreadRef, checked_id
from exporter.registry import registration_page


class Links:
    """Where the threads of one run point to."""

    def __init__(
        self,
        catalog: Catalog,
        agenda: Agenda,
        on_link: Callable[[Registration], None],
        erased: Callable[[Iterable[ThreadRef]], Collection[ThreadRef]] = lambda _: (),
    ) -> None:
        self._catalog = catalog
        self._agenda = agenda
        self._on_link = on_link
        self._erased = erased
        self._pointed: dict[ThreadRef, str] = {}
        self.registered = 0

    def follow(self, link: Link, owner: Known, profile: str, unseen: list[ThreadRef]) -> Iterator[Page]:
        """Yield the registration of where a link leads, if that is news; once it is taken, it will be visited.

        What is known stays as it is, and what was erased stays out. What was never seen is added to `unseen`.
        `UsageError` where the link leads to no id.
        """
        checked_id(link.to.id)
        if link.to == link.thread:
            return
        known = self._catalog.find(link.to)
        if known is None and self._erased([link.to]):
            return
        if known is None or not known.seen_at:
            unseen.append(link.to)
        if known is None:
            known = _found(link, owner, profile)
            if not self._agenda.claim(known):
                return
            entry = Registration(known.thread, profile, known.user, known.customer, None, known.tags or None, known.via)
            yield registration_page(entry)
            self.registered += 1
            self._on_link(entry)
        elif self._agenda.everything or known.state == "gone" or not self._agenda.claim(known):
            return
        self._agenda.add(known)

    def prove(self, threads: Iterable[ThreadRef], profile: str) -> None:
        """Note that this profile read, in this run, what points to these threads."""
        self._pointed.update(dict.fromkeys(threads, profile))

    def pointed(self, thread: ThreadRef) -> str | None:
        """The profile that read, in this run, what points to a thread; None for none."""
        return self._pointed.get(thread)


def _found(link: Link, owner: Known, profile: str) -> Known:
    return Known(
        thread=link.to,
        profile=profile,
        user=owner.user,
        customer=owner.customer,
        title=None,
        tags=owner.tags,
        via=str(link.thread),
        state="new",
        code=None,
        error=None,
        registered_at=None,
        seen_at=None,
        visited_at=None,
        body=None,
    )
