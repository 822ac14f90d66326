"""From a thread of the registry to the sources that may read it: by source, endpoint and profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.archive.catalog import Known
from exporter.crawl._options import Options
from exporter.endpoint import endpoint_of
from exporter.errors import (
    CredentialsRefused,
    ProfileUnusable,
    SourceError,
    SourceUnwell,
    Temporary,
    ThreadError,
    UsageError,
)
from exporter.model import Outcome, Profile, printable
from exporter.pacing import Pace
from exporter.sources import Source, load
from exporter.transport import Budget, HttpTransport

UNWELL = 10
"Threads in a row that met trouble which may pass, before their source is given up for this run."


class NoProfile(ThreadError):
    """No profile reaches the endpoint where the thread lives."""

    code = "no_profile"


class NoSource(ThreadError):
    """The thread lives in an API that this version does not speak."""

    code = "no_source"


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
    "Whether a thread was read through it that this profile saw before, or that the user named."
    seen: int = 0
    "Threads of this run that are there still as far as we know: this profile saw them before."
    left_out: int = 0
    "Threads that were not visited because it is closed."
    _unwell: int = 0

    @property
    def barred(self) -> bool:
        """Whether it is closed to this profile, while another may come in."""
        return isinstance(self.closed, CredentialsRefused | ProfileUnusable)

    def close(self, error: SourceError) -> None:
        """Ask this door nothing more."""
        self.closed = self.closed or error

    def fared(self, outcome: Outcome, *, proves: bool) -> None:
        """Note how a visit ended; closes when too many in a row met passing trouble.

        A visit `proves` by its success that the key is the right one still if its thread was read with it before; a
        thread that is new may be of another project, as the key may be by now.
        """
        self.reads = self.reads or (proves and outcome.state in ("complete", "partial"))
        self._unwell = self._unwell + 1 if _met_trouble(outcome) else 0
        if self._unwell >= UNWELL:
            self.close(
                SourceUnwell(
                    f"{self.name}: {self._unwell} threads in a row met a server or network that is unwell "
                    f"(profile {printable(self.profile)}); run again later, what was fetched is saved"
                )
            )


def _met_trouble(outcome: Outcome) -> bool:
    """Whether trouble that may pass kept us from the thread itself or a list of it; its files may lie elsewhere."""
    lists = [gap for gap in outcome.gaps if gap.list != "files"]
    return outcome.code == Temporary.code and (outcome.state == "failed" or bool(lists))


class Doors:
    """Opens each source once for each profile, late; remembers which have closed."""

    def __init__(self, profiles: Mapping[str, Profile], options: Options) -> None:
        self._profiles = profiles
        self._reaching: dict[str, list[str]] = {}
        for name, profile in profiles.items():
            self._reaching.setdefault(endpoint_of(profile.base_url), []).append(name)
        self._options = options
        self.several = len(profiles) > 1
        self._budget = Budget(options.max_requests)
        self._transports: dict[str, HttpTransport] = {}
        self._doors: dict[tuple[str, str], Door] = {}

    def to(self, known: Known) -> list[Door]:
        """The doors to a thread, that of its own profile first; `NoProfile` where its endpoint is reached by none."""
        thread = known.thread
        names = self._reaching.get(thread.endpoint, ())
        if not names:
            where = printable(thread.endpoint)
            raise NoProfile(f"{thread}: it lives at {where}, which no profile reaches; add one to exporter.toml")
        ordered = sorted(names, key=lambda name: name != known.profile)
        return [self._door(thread.source, name) for name in ordered]

    def _door(self, source: str, profile: str) -> Door:
        return self._doors.setdefault((source, profile), Door(source, profile))

    def source(self, door: Door) -> Source:
        """The source behind a door; `CredentialsRefused` or `ProfileUnusable` where the profile reaches none."""
        if door.source is None:
            try:
                found = load(door.name)
            except UsageError as error:
                raise NoSource(f"{error}; a newer version of exporter may know it") from None
            door.source = found(self.transport(door.profile), runs=self._options.runs)
        return door.source

    def transport(self, profile: str) -> HttpTransport:
        """The way to a profile's server, one for all its sources."""
        if profile not in self._transports:
            pace = Pace(self._options.jobs, self._options.rate)
            try:
                self._transports[profile] = HttpTransport(self._profiles[profile], pace, budget=self._budget)
            except UsageError as error:
                raise ProfileUnusable(str(error)) from None
        return self._transports[profile]

    def closed(self) -> Iterator[tuple[Door, SourceError]]:
        """The doors that closed, and why."""
        for door in self._doors.values():
            if door.closed is not None:
                yield door, door.closed

    @property
    def requests(self) -> int:
        """Requests sent, retries included."""
        return sum(transport.requests for transport in self._transports.values())

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
