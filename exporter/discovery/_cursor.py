"""Where a list goes on at the next discovery: a hint beside the truth, which may be lost and is never believed blindly.

It is noted after the pages that it follows are durable. It names the thread that was registered last before it:
where the registry lacks that one, as after a damaged journal or beside an older copy of the segments, the hint is
ahead of the truth, and the list is walked from its beginning.
"""

from __future__ import annotations

import json

from exporter.archive import Archive
from exporter.discovery._ledger import Taken
from exporter.model import Page, Position, Profile, ThreadRef


class Cursor:
    """The place in the list of one source, as one profile sees it.

    Two profiles may have keys of two projects, whose lists must not mix: so each has a cursor of its own.
    """

    def __init__(self, archive: Archive, source: str, endpoint: str, profile: Profile, *, session: bool) -> None:
        self._archive, self._source, self._endpoint = archive, source, endpoint
        whose = [profile.name, profile.organization, profile.project, "session" if session else "key"]
        self._key = "discover:" + json.dumps([source, endpoint, *whose])
        self._newest: str | None = None
        self._doubted = False

    def position(self) -> Position | None:
        """Where to go on; None for the beginning."""
        try:
            told = json.loads(self._archive.catalog.fact(self._key) or "null")
            position = Position(told["cursor"], told["seq"], told["more"])
            newest = str(told["newest"])
        except (ValueError, KeyError, TypeError):
            return None
        known = self._archive.catalog.find(ThreadRef(self._source, self._endpoint, newest))
        if known is None or not known.registered_at:
            return None
        self._newest = newest
        return position

    def keep(self, page: Page, taken: Taken) -> None:
        """Note where the list goes on after a page that is archived."""
        if taken.registered:
            self._newest = taken.registered[-1].id
        elif self._newest is None and taken.last is not None:
            self._newest = taken.last.id
        if self._doubted or self._newest is None or (page.items and taken.last is None):
            return  # a place must not name what was erased
        at = page.position
        if at.cursor is not None and self._archive.erased([ThreadRef(self._source, self._endpoint, at.cursor)]):
            return
        told = {"cursor": at.cursor, "seq": at.seq, "more": at.more, "newest": self._newest}
        self._archive.catalog.note_fact(self._key, json.dumps(told))

    def doubt(self) -> None:
        """Forget the place: this server's cursors prove nothing, so the next discovery begins again."""
        if not self._doubted:
            self._doubted = True
            self._archive.catalog.note_fact(self._key, "null")
