"""The walk of one list: what it brings goes to the ledger, and then its place is noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from exporter.archive import Archive
from exporter.archive.catalog import BY_SESSION
from exporter.crawl._visit import UNRESUMABLE
from exporter.discovery._cursor import Cursor
from exporter.discovery._ledger import KNOWN, Ledger, Taken
from exporter.discovery._report import ENDS, Listed, ListState
from exporter.endpoint import endpoint_of
from exporter.errors import CannotList, ExporterError
from exporter.model import Gap, Page, Profile
from exporter.retention import Policies
from exporter.sources import Listable, Transport, load


class Walk:
    """The list of one source, as one profile sees it."""

    def __init__(
        self, archive: Archive, profile: Profile, source: str, *, session: bool, policies: Policies = KNOWN
    ) -> None:
        self._archive, self._profile, self._source, self._session = archive, profile, source, session
        self._policies = policies
        self._endpoint = endpoint_of(profile.base_url)
        self._ledger: Ledger | None = None
        self._numbers: Counter[str] = Counter()
        self._pages = 0
        self._gaps: list[Gap] = []
        self._notes: dict[str, None] = {}

    async def run(self, transport: Transport, on_page: Callable[[Taken], None], *, full: bool) -> None:
        """Walk on from where the last discovery ended; raises what ends the walk early."""
        source = load(self._source)(transport)
        if not isinstance(source, Listable):
            raise CannotList(f"{self._source}: this source has no list of its threads")
        cursor = Cursor(self._archive, self._source, self._endpoint, self._profile, session=self._session)
        notes = (BY_SESSION,) if self._session else ()
        self._ledger = ledger = Ledger(self._archive, self._profile.name, notes, self._policies)
        async for event in source.threads(None if full else cursor.position()):
            if isinstance(event, Gap):
                self._gaps.append(event)
                if event.code in UNRESUMABLE:
                    cursor.doubt()
                continue
            taken = ledger.take(event)
            self._count(event, taken)
            if UNRESUMABLE.isdisjoint(event.notes):
                cursor.keep(event, taken)
            else:
                cursor.doubt()
            on_page(taken)

    def ended(self, error: ExporterError | None = None) -> Listed:
        """Close the books, and say how the walk ended that this error ended, if one did."""
        if self._ledger is not None:
            self._ledger.close()
        state, code, why = self._how(error)
        return Listed(
            profile=self._profile.name,
            endpoint=self._endpoint,
            source=self._source,
            state=state,
            code=code,
            why=why,
            ids_from=getattr(load(self._source), "ids_from", None) if state == "not_listed" else None,
            notes=tuple(self._notes),
            **self._numbers,
        )

    def _how(self, error: ExporterError | None) -> tuple[ListState, str | None, str | None]:
        if error is not None:
            kind = next((kind for kind in ENDS if isinstance(error, kind)), None)
            state, code = ENDS[kind] if kind else ("failed", str(getattr(error, "code", "failed")))
            return "partial" if self._pages and state != "stopped" else state, code, str(error)
        if self._gaps:
            return "partial" if self._pages else "failed", self._gaps[0].code, self._gaps[0].detail
        if nameless := self._numbers["nameless"]:
            why = f"{nameless:,} objects have no id that can be asked for, so they cannot be registered"
            return "partial", "no_id", f"{self._source}: {why}"
        return "complete", None, None

    def _count(self, page: Page, taken: Taken) -> None:
        self._pages += 1
        self._notes.update(dict.fromkeys(page.notes))
        self._numbers.update(
            listed=taken.listed,
            registered=len(taken.registered),
            changed=len(taken.changed),
            unchanged=taken.unchanged,
            nameless=taken.nameless,
        )
