"""What stands between you and a backup: keys, addresses, APIs, clock, archive, disk.

Each look is a small question that changes nothing. A source is asked for a thread that nobody has: the API is alive
when it says that it has none. Looking for a thread asks every profile and names who sees it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.archive import Archive, read_id
from exporter.archive._lock import Lock
from exporter.endpoint import endpoint_of
from exporter.errors import (
    CredentialsRefused,
    ExporterError,
    Lie,
    Locked,
    NotFound,
    SourceGone,
    Temporary,
    UsageError,
)
from exporter.model import Gap, Profile, ThreadRef, checked_id
from exporter.pacing import Pace
from exporter.sources import load, names, source_of
from exporter.transport import SdkTransport

NOBODY = "0exporter0doctor0"
"Ends an id that no server has given to anything."
SKEW = 60.0
"Seconds that clocks may differ."
TEMPORARY = 75
"Exit code: the server is unwell, try again later."
FREE = 2**30
"Bytes of free disk below which a backup is at risk."


@dataclass(frozen=True, slots=True)
class Look:
    """One thing that was looked at."""

    subject: str
    state: Literal["good", "note", "bad"]
    what: str
    help: str = ""
    exit_code: int = 0


def everything(profiles: Sequence[Profile], archive: Path) -> Iterator[Look]:
    """Look at every profile with every source, then at the archive."""
    for profile in profiles:
        yield from asyncio.run(_profile(profile))
    yield from _archive(archive)


def thread(profiles: Sequence[Profile], thread_id: str, source: str | None = None) -> Iterator[Look]:
    """Look for a thread with every profile; where none sees it, say why as far as the answers tell."""
    checked_id(thread_id)
    source = source or source_of(thread_id)
    if source is None:
        raise UsageError(f"{thread_id}: what kind of thread is it? Say --source {' or '.join(names())}")
    found = []
    for profile in profiles:
        error = asyncio.run(_ask_alone(profile, source, thread_id))
        found.append(error)
        yield _seen(profile, source, error)
    if None not in found:
        yield _nobody(source, thread_id, [error for error in found if error])


def _seen(profile: Profile, source: str, error: ExporterError | None) -> Look:
    subject = f"profile {profile.name}"
    if error is None:
        return Look(subject, "good", f"sees this thread ({source} at {endpoint_of(profile.base_url)})")
    return Look(subject, "note", str(error))


def _nobody(source: str, thread_id: str, errors: Sequence[ExporterError]) -> Look:
    """Say why no profile sees a thread: the surest reason first."""
    for kind, what, help_ in (
        (NotFound, "every profile that could ask was told that there is none", _NOT_FOUND),
        (SourceGone, f"the API of {source} does not answer there any more", "nothing can be fetched from it now"),
        (CredentialsRefused, "no key was accepted", "set a valid key for the project that made this thread"),
    ):
        for error in errors:
            if isinstance(error, kind):
                return Look(thread_id, "bad", what, help_, error.exit_code)
    return Look(thread_id, "bad", "no server answered as it should", "try again later", _code(errors[0]))


_NOT_FOUND = (
    "it has expired or was deleted, or it belongs to a project whose key is in no profile: "
    "servers say the same for both. Add that project's key as a profile and look again"
)


async def _ask_alone(profile: Profile, source: str, thread_id: str) -> ExporterError | None:
    try:
        async with SdkTransport(profile, Pace(1, None), attempts=2, patience=20.0) as transport:
            return await _ask(transport, source, thread_id)
    except ExporterError as error:
        return error


async def _ask(transport: SdkTransport, source: str, thread_id: str) -> ExporterError | None:
    """Ask for a thread's first page; None when the server has it."""
    pages = load(source)(transport, runs=False).pages(ThreadRef(source, transport.endpoint, thread_id), {})
    try:
        async for got in pages:
            return Lie(got.detail, got.code) if isinstance(got, Gap) else None
    except ExporterError as error:
        return error
    return None


async def _profile(profile: Profile) -> list[Look]:
    subject = f"profile {profile.name}"
    try:
        transport = SdkTransport(profile, Pace(1, None), attempts=2, patience=20.0)
    except ExporterError as error:
        return [Look(subject, "bad", str(error), exit_code=error.exit_code)]
    looks = [Look(subject, "good", f"{transport.endpoint}, {'a key' if profile.key else 'no key'} is set")]
    async with transport:
        for source in names():
            prefix = load(source).prefixes[0]
            answer = await _ask(transport, source, f"{prefix}{NOBODY}")
            looks.append(_source(subject, source, answer))
    return [*_judged(looks), *_clock(subject, transport)]


def _code(error: ExporterError) -> int:
    return TEMPORARY if isinstance(error, Temporary) else error.exit_code


def _source(subject: str, source: str, answer: ExporterError | None) -> Look:
    where = f"{subject}, {source}"
    if isinstance(answer, NotFound):
        return Look(where, "good", "answers")
    if answer is None:
        return Look(where, "note", "answers, but claims to have a thread that nobody made", "do not trust emptiness")
    return Look(where, "bad", str(answer), exit_code=_code(answer))


def _judged(looks: list[Look]) -> list[Look]:
    """An API that is not there is no failure while another one of the same profile answers."""
    if not any(look.state == "good" and ", " in look.subject for look in looks):
        return looks
    return [
        Look(look.subject, "note", look.what, look.help) if look.exit_code == SourceGone.exit_code else look
        for look in looks
    ]


def _clock(subject: str, transport: SdkTransport) -> Iterator[Look]:
    if transport.last_date is None or transport.last_seen is None:
        return
    skew = transport.last_seen - transport.last_date.timestamp()
    if abs(skew) > SKEW:
        fast = "ahead of" if skew > 0 else "behind"
        help_ = "set this machine's clock: deadlines and dates depend on it"
        yield Look(f"{subject}, clock", "note", f"this machine is {abs(skew):,.0f} s {fast} the server", help_)
    else:
        yield Look(f"{subject}, clock", "good", "agrees with the server's")


def _archive(path: Path) -> Iterator[Look]:
    subject = f"archive {path}"
    if not path.exists():
        yield Look(subject, "note", "there is none yet; the first backup makes it")
    else:
        try:
            read_id(path)
            with Archive.open(path) as archive:
                counts = archive.catalog.count()
            yield Look(subject, "good", f"can be read, {sum(counts.values()):,} threads")
            yield _lock(path)
        except ExporterError as error:
            yield Look(subject, "bad", str(error), exit_code=error.exit_code)
    home = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    free = shutil.disk_usage(home).free
    state: Literal["good", "note"] = "good" if free >= FREE else "note"
    yield Look("disk", state, f"{free / 2**30:,.1f} GiB free", "" if state == "good" else "make room for the archive")


def _lock(path: Path) -> Look:
    if not (path / ".exporter" / "holder.json").exists():
        return Look("lock", "good", "nobody is writing")
    try:  # a note may be left of a process that died
        with Lock(path):
            return Look("lock", "good", "nobody is writing")
    except Locked as error:
        return Look("lock", "note", str(error))
