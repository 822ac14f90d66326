"""Looks at a profile: its key, whom the server takes it for, its clock, and every source behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.config import LateSecret
from exporter.doctor._advice import advice
from exporter.doctor._archive import Needs
from exporter.doctor._cards import Card
from exporter.doctor._look import Look
from exporter.doctor._places import place_of
from exporter.doctor._probe import told
from exporter.doctor._reach import There, beside, first_then_others, there
from exporter.doctor._sources import Examined, examine, exit_code, look
from exporter.endpoint import endpoint_of
from exporter.errors import CredentialsRefused, ExporterError, Temporary
from exporter.model import Profile, printable
from exporter.sources import names

SKEW = 60.0
"Seconds that clocks may differ."

KeyState = Literal["valid", "refused", "missing", "unknown"]
KEYS = {"valid": "is valid", "refused": "was refused", "missing": "is missing", "unknown": "could not be tried"}


@dataclass(slots=True)
class Visited:
    """Everything that was found out about one profile."""

    profile: Profile
    sources: list[Examined] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    skew: float | None = None
    requests: int = 0
    error: ExporterError | None = None
    "What prevented it, or ended it early."

    @property
    def stopped(self) -> Examined | None:
        """The source whose answer made it pointless to ask the others."""
        return next((one for one in self.sources if _hopeless(one)), None)

    @property
    def key(self) -> KeyState:
        """What is known of the key."""
        if isinstance(self.error, CredentialsRefused):
            return "missing"
        if any(one.card.does == "answers" or (one.refused and one.refused.allowed) for one in self.sources):
            return "valid"
        return "refused" if any(one.card.does == "refused" for one in self.sources) else "unknown"


async def visit_all(profiles: Sequence[Profile], needs: Needs) -> list[Visited]:
    """Look at every profile with every source."""

    async def visit(profile: Profile) -> Visited:
        return await _visit(profile, needs)

    return await beside(profiles, visit)


async def _visit(profile: Profile, needs: Needs) -> Visited:
    found = Visited(profile)
    try:
        async with there(profile) as server:
            try:
                await _sources(server, needs, found)
            finally:
                found.identity, found.skew, found.requests = server.identity, server.skew, server.way.requests
    except ExporterError as error:
        found.error = error
    return found


async def _sources(server: There, needs: Needs, found: Visited) -> None:
    endpoint = server.way.endpoint

    async def ask(name: str) -> Examined:
        one = await examine(name, server, needs.samples.get((name, endpoint, found.profile.name)))
        found.sources.append(one)
        return one

    needed = [name for name in names() if (name, endpoint, found.profile.name) in needs.needed]
    todo = [*needed, *(name for name in names() if name not in needed)]
    await first_then_others(todo, ask, lambda one: not _hopeless(one))


def looks(found: Visited, needs: Needs) -> Iterator[Look]:
    """Say how a profile is, its sources, and its clock."""
    yield _profile(found)
    sources = sorted(found.sources, key=lambda one: one.card.source)
    does = {one.card.does for one in sources}
    for one in sources if found.stopped is None else ():
        needed = (one.card.source, one.card.endpoint, found.profile.name) in needs.needed
        # an API that is not there prevents nothing that a refusal does not
        alone = "answers" not in does and (one.card.does != "removed" or "refused" not in does)
        yield look(one, found.profile, needed=needed, alone=alone)
    if found.skew is not None:
        yield _clock(found.profile, found.skew)


def cards(found: Visited) -> list[Card]:
    """Return what was seen of the server."""
    return [one.card for one in found.sources]


def _profile(found: Visited) -> Look:
    profile = found.profile
    subject = f"profile {printable(profile.name)}"
    facts = _facts(found)
    try:
        endpoint = endpoint_of(profile.base_url)
    except ExporterError as error:
        return Look("profile", subject, "bad", str(error), exit_code=error.exit_code, facts=facts)
    about = f"{endpoint} ({place_of(endpoint).text}), {_login(profile)}"
    if trouble := found.error:
        return Look("profile", subject, "bad", f"{about}; {trouble}", "", exit_code(trouble), facts=facts)
    stopped = found.stopped
    if stopped is not None and stopped.error is not None:
        no, code = stopped.refused, exit_code(stopped.error)
        help_ = advice(profile, endpoint, no) if no else ""
        return Look("profile", subject, "bad", f"{about}; {_refusal(found, stopped)}", help_, code, facts=facts)
    said = "; ".join([about, f"the key {KEYS[found.key]}", *_identity(found), f"{found.requests:,} requests"])
    if found.key == "refused":
        return Look("profile", subject, "bad", said, advice(profile, endpoint, None), 12, facts=facts)
    return Look("profile", subject, "good", said, facts=facts)


def _refusal(found: Visited, stopped: Examined) -> str:
    assert stopped.error is not None
    said = told(stopped.error, stopped.refused)
    if isinstance(stopped.error, Temporary):
        return f"nobody answers ({said}), or the address is wrong"
    return f"the key {KEYS[found.key]} ({said})" if stopped.refused else said


def _login(profile: Profile) -> str:
    late = isinstance(profile.key, LateSecret)
    if profile.auth == "entra" and not late and not profile.key:
        return f"Entra ID, tokens by azure-identity for {profile.entra_scope}"
    how = {"bearer": "bearer", "api-key": "header api-key", "entra": "Entra ID"}[profile.auth]
    place = _key_from(profile)
    return f"{how}, key from {place}" if place else f"{how}, no key"


def _key_from(profile: Profile) -> str | None:
    """Say where the key comes from; None where there is none."""
    if isinstance(profile.key, LateSecret):
        return profile.key.key_from or None
    return "the program" if profile.key else None


def _identity(found: Visited) -> Iterator[str]:
    """Say as whom the profile comes, as it is set and as the server says."""
    for what in ("organization", "project"):
        asked, told = getattr(found.profile, what), found.identity.get(f"openai-{what}")
        if asked and told and asked != told:
            yield f"{what} {printable(asked)} (the server says {told})"
        elif asked or told:
            yield f"{what} {printable(str(asked or told))}"
    if region := found.identity.get("x-ms-region"):
        yield f"region {region}"


def _hopeless(one: Examined) -> bool:
    """Whether no other source of the profile could say anything else."""
    return not one.heard or (one.refused is not None and one.refused.of_the_key)


def _facts(found: Visited) -> dict[str, object]:
    profile = found.profile
    stopped = found.stopped
    asked = {one.card.source for one in found.sources}
    endpoint, place = None, None
    try:
        endpoint = endpoint_of(profile.base_url)
        place = place_of(endpoint)
    except ExporterError:
        pass
    return {
        "profile": profile.name,
        "endpoint": endpoint,
        "place": place and place.owner,
        "region": found.identity.get("x-ms-region") or (place and place.region),
        "auth": profile.auth,
        "key_from": _key_from(profile),
        "key": found.key,
        "code": (stopped and stopped.refused and stopped.refused.code) or None,
        "organization": profile.organization,
        "project": profile.project,
        "answered_organization": found.identity.get("openai-organization"),
        "answered_project": found.identity.get("openai-project"),
        "clock_skew": found.skew,
        "requests": found.requests,
        "not_asked": [name for name in names() if name not in asked],
    }


def _clock(profile: Profile, skew: float) -> Look:
    subject = f"profile {printable(profile.name)}, clock"
    facts = {"profile": profile.name, "skew": skew}
    if abs(skew) <= SKEW:
        return Look("clock", subject, "good", "agrees with the server's", facts=facts)
    what = f"this machine is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the server"
    return Look("clock", subject, "note", what, "set this machine's clock: deadlines depend on it", facts=facts)
