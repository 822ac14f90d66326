"""From a thread of the registry to the source that reads it: by source, endpoint and profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.archive.catalog import Known
from exporter.errors import SourceError, ThreadError
from exporter.model import Profile, printable
from exporter.pacing import Pace
from exporter.sources import Source, load
from exporter.transport import SdkTransport, endpoint_of


class NoProfile(ThreadError):
    """No profile reaches the endpoint where the thread lives."""

    code = "no_profile"


@dataclass(frozen=True, slots=True)
class Door:
    """A source as one profile reaches it."""

    name: str
    profile: str
    source: Source


class Doors:
    """Opens each source once for each profile, late; remembers which have closed."""

    def __init__(
        self, profiles: Mapping[str, Profile], jobs: int, rate: float | None, budget: int | None, *, runs: bool
    ) -> None:
        self._profiles = profiles
        self._endpoints = {name: endpoint_of(profile.base_url) for name, profile in profiles.items()}
        self._jobs, self._rate, self._budget, self._runs = jobs, rate, budget, runs
        self._transports: dict[str, SdkTransport] = {}
        self._doors: dict[tuple[str, str], Door] = {}
        self._closed: dict[Door, SourceError] = {}

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
        return self._door(thread.source, name)

    def _door(self, source: str, profile: str) -> Door:
        key = (source, profile)
        if key not in self._doors:
            self._doors[key] = Door(source, profile, load(source)(self._transport(profile), runs=self._runs))
        return self._doors[key]

    def _transport(self, profile: str) -> SdkTransport:
        if profile not in self._transports:
            pace = Pace(self._jobs, self._rate)
            self._transports[profile] = SdkTransport(self._profiles[profile], pace, budget=self._budget)
        return self._transports[profile]

    def close(self, door: Door, error: SourceError) -> bool:
        """Ask this door nothing more; tell whether it was open until now."""
        return self._closed.setdefault(door, error) is error

    def is_closed(self, door: Door) -> bool:
        """Whether an error of the whole source closed this door."""
        return door in self._closed

    @property
    def requests(self) -> int:
        """Requests sent, retries included."""
        return sum(transport.requests for transport in self._transports.values())

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
