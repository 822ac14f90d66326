"""Registers every thread that a source lists, with what its object says about its owner, page by page.

Lists are walked one after the other: only the page that follows the last one can be asked for. What a page brought is
archived before the next is asked for, and then the place is noted where the list goes on; so a discovery can end
anywhere, and the next one asks for what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from exporter.archive import Archive
from exporter.crawl import Options, Stop
from exporter.discovery._ledger import KNOWN, Taken
from exporter.discovery._report import Discovered, Listed, Number
from exporter.discovery._walking import Walk
from exporter.errors import BudgetReached, ExporterError, ProfileUnusable, SourceError, ThreadError, UsageError
from exporter.model import Profile
from exporter.pacing import Pace
from exporter.retention import Policies
from exporter.sources import load, names
from exporter.transport import Budget, HttpTransport, with_session


def discover(
    archive: Archive,
    profiles: Mapping[str, Profile],
    options: Options,
    *,
    sources: Sequence[str] = (),
    session: bool = False,
    policies: Policies = KNOWN,
    on_page: Callable[[Taken], None] = lambda _: None,
    on_list: Callable[[Listed], None] = lambda _: None,
    stop: Stop | None = None,
) -> Discovered:
    """Register what these sources list, or all where none is named, as each of the profiles sees it.

    With `session`, lists are asked for with a profile's browser session instead of its key. The `policies` tell until
    when a thread that is found has to be visited. Of the options, `full`, `rate` and `max_requests` count. Raises
    `ArchiveError` where the archive cannot be written, and `UsageError` for an unknown source or a profile without a
    session; whatever else happens stands in what it returns.
    """
    for name in sources:
        load(name)
    reached = [with_session(one) if session else one for one in profiles.values()]
    stop = stop or Stop()
    discovery = _Discovery(archive, options, on_page, on_list, session=session, policies=policies)
    stopped = asyncio.run(discovery.run(reached, sources or names(), stop))
    archive.seal()
    stop.bind(None)
    return Discovered(tuple(discovery.lists), discovery.requests, stopped, frozenset(sources))


class _Discovery:
    """One discovery, from its first request to its last page."""

    def __init__(
        self,
        archive: Archive,
        options: Options,
        on_page: Callable[[Taken], None],
        on_list: Callable[[Listed], None],
        *,
        session: bool,
        policies: Policies,
    ) -> None:
        self._archive, self._options, self._session, self._policies = archive, options, session, policies
        self._on_page, self._on_list = on_page, on_list
        self._budget = Budget(options.max_requests)
        self.lists: list[Listed] = []
        self.requests = 0

    async def run(self, profiles: Sequence[Profile], sources: Sequence[str], stop: Stop) -> ExporterError | None:
        """Walk all lists; return what ended that early."""
        loop, walking = asyncio.get_running_loop(), asyncio.create_task(self._walk_all(profiles, sources, stop))
        stop.bind(lambda: loop.call_soon_threadsafe(walking.cancel))
        try:
            await walking
        except BudgetReached as reached:
            return reached
        except asyncio.CancelledError:
            if stop.exit_code is None:
                raise
            return stop.error()
        finally:
            stop.bind(lambda: None)
        return None

    async def _walk_all(self, profiles: Sequence[Profile], sources: Sequence[str], stop: Stop) -> None:
        for profile in profiles:
            walks = [
                Walk(self._archive, profile, source, session=self._session, policies=self._policies)
                for source in sources
            ]
            try:
                transport = HttpTransport(profile, Pace(rate=self._options.rate), budget=self._budget)
            except SourceError as error:
                self._none(walks, error)
            except UsageError as error:
                self._none(walks, ProfileUnusable(str(error)))
            else:
                async with transport:
                    for walk in walks:
                        await self._walk(walk, transport, stop)

    def _none(self, walks: Sequence[Walk], error: SourceError) -> None:
        for walk in walks:
            self._end(walk.ended(error))

    async def _walk(self, walk: Walk, transport: HttpTransport, stop: Stop) -> None:
        """Walk one list and note how that ended; raises what ends the others too."""
        before = transport.requests
        try:
            await walk.run(transport, self._on_page, full=self._options.full)
        except (SourceError, ThreadError) as error:
            self._end(walk.ended(error))
        except BudgetReached as reached:
            self._end(walk.ended(reached))
            raise
        except asyncio.CancelledError:
            self._end(walk.ended(stop.error()))
            raise
        else:
            self._end(walk.ended())
        finally:
            self.requests += transport.requests - before

    def _end(self, listed: Listed) -> None:
        self.lists.append(listed)
        self._on_list(listed)


__all__ = ["Discovered", "Listed", "Number", "Taken", "discover"]
