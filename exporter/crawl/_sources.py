"""From a thread of the registry to the source that reads it: by source, endpoint and profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.archive.catalog import Known
from exporter.crawl._options import Options
from exporter.endpoint import endpoint_of
from exporter.errors import ProfileUnusable, SourceError, SourceUnwell, ThreadError, UsageError
from exporter.model import Profile, printable
from exporter.pacing import Pace
from exporter.sources import Source, load
from exporter.transport import Budget, SdkTransport

UNWELL = 10
"Threads in a row that met trouble which may pass, before their source is given up for this run."


class NoProfile(ThreadError):
    """No profile reaches the endpoint where the thread lives."""

    code = "no_profile"


@dataclass(eq=False, slots=True)
class Door:
    """A source as one profile reaches it, and how it fares in this run."""

    name: str
    profile: str
    source: Source | None = None
    "None until the first thread needs it."
    closed: SourceError | None = None
    "Why it is asked nothing more."
    reads: bool = False
    "Whether a thread was read to its end through it."
    _unwell: int = 0

    def close(self, error: SourceError) -> bool:
        """Ask this door nothing more; tell whether it was open until now."""
        first = self.closed is None
        self.closed = self.closed or error
        return first

    def fared(self, *, well: bool) -> None:
        """Note how a thread fared; raises `SourceUnwell` when too many in a row met passing trouble."""
        self._unwell = 0 if well else self._unwell + 1
        self.reads = self.reads or well
        if self._unwell >= UNWELL:
            raise SourceUnwell(
                f"{self.name}: {self._unwell} threads in a row met a server or network that is unwell "
                f"(profile {self.profile}); run again later, what was fetched is saved"
            )


class Doors:
    """Opens each source once for each profile, late; remembers which have closed."""

    def __init__(self, profiles: Mapping[str, Profile], options: Options) -> None:
        self._profiles = profiles
        self._endpoints = {name: endpoint_of(profile.base_url) for name, profile in profiles.items()}
        self._options = options
        self._budget = Budget(options.max_requests)
        self._transports: dict[str, SdkTransport] = {}
        self._doors: dict[tuple[str, str], Door] = {}

    def of(self, known: Known) -> Door:
        """The door to a thread; `NoProfile` where its endpoint is reached by none."""
        thread = known.thread
        name = known.profile
        if self._endpoints.get(name) != thread.endpoint:
            reaching = [other for other, endpoint in self._endpoints.items() if endpoint == thread.endpoint]
            if not reaching:
                where = printable(thread.endpoint)
                raise NoProfile(f"{thread}: it lives at {where}, which no profile reaches; add one to exporter.toml")
            name = reaching[0]
        return self._doors.setdefault((thread.source, name), Door(thread.source, name))

    def source(self, door: Door) -> Source:
        """The source behind a door; `CredentialsRefused` or `ProfileUnusable` where the profile reaches none."""
        if door.source is None:
            door.source = load(door.name)(self._transport(door.profile), runs=self._options.runs)
        return door.source

    def _transport(self, profile: str) -> SdkTransport:
        if profile not in self._transports:
            pace = Pace(self._options.jobs, self._options.rate)
            try:
                self._transports[profile] = SdkTransport(self._profiles[profile], pace, budget=self._budget)
            except UsageError as error:
                raise ProfileUnusable(str(error)) from None
        return self._transports[profile]

    @property
    def requests(self) -> int:
        """Requests sent, retries included."""
        return sum(transport.requests for transport in self._transports.values())

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
