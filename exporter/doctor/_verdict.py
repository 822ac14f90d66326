"""Why no profile sees a thread: the surest reason in a sentence, then what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from exporter.doctor._advice import advice
from exporter.doctor._ids import Named, cut_short
from exporter.doctor._known import Kept
from exporter.doctor._look import Look
from exporter.doctor._places import place_of
from exporter.doctor._sights import Sight
from exporter.doctor._sources import exit_code
from exporter.errors import CredentialsRefused, NotFound, SourceGone, Temporary, UsageError
from exporter.model import Profile, printable
from exporter.retention import policy

REMOVED = {
    ("assistants", "openai"): "OpenAI removed the Assistants API on 2026-08-26, with all threads in it",
    ("assistants", "azure"): "Azure OpenAI retired its Assistants on 2026-08-26",
    ("assistants", "foundry"): "Microsoft retires Foundry's classic threads on 2027-03-31",
}
"What is known of the end of an API, by source and by whose server it is."


@dataclass(frozen=True, slots=True)
class Asked:
    """What was looked for, and all that was found."""

    named: Named
    sights: Sequence[Sight]
    kept: Sequence[Kept]
    profiles: Sequence[Profile]


@dataclass(frozen=True, slots=True)
class Why:
    """The reason, and what to do."""

    reason: str
    "One word, for programs; the words are listed in `docs/guide.md`."
    what: str
    help: str
    exit_code: int
    paste: str = ""


def verdict(asked: Asked) -> Look:
    """Say who sees the thread, or why nobody does."""
    return _look(asked.named, _seen(asked) or _elsewhere(asked) or _unseen(asked))


def no_thread(named: Named) -> Look:
    """Say that an id names something else."""
    return _look(named, Why("other_kind", named.other, named.help, UsageError.exit_code))


def _look(named: Named, why: Why) -> Look:
    facts = {"thread": named.id, "source": named.source, "reason": why.reason}
    return Look(
        "verdict", named.id, "bad" if why.exit_code else "good", why.what, why.help, why.exit_code, why.paste, facts
    )


def _seen(asked: Asked) -> Why | None:
    """Say who sees the thread, and how it comes into the archive."""
    sees = [sight for sight in asked.sights if sight.sees]
    if not sees:
        return None
    first = sees[0]
    names = list(dict.fromkeys(sight.profile.name for sight in sees))
    who = f"profile{'s' if len(names) > 1 else ''} {', '.join(map(printable, names))}"
    what = f"{who} see{'s' if len(names) == 1 else ''} it, as a thread of {first.source}"
    known = [one.known for one in asked.kept if one.known.thread.endpoint == first.endpoint]
    mine = next((one for one in known if one.thread.source == first.source), None)
    option = "" if asked.named.source == first.source else f" --source {first.source}"
    command = f"`exporter backup {asked.named.id}{option} --profile {printable(first.profile.name)}`"
    if mine is None:
        there = " at that address" if asked.kept else ""
        return Why("seen", what, f"the archive does not know it{there}: {command}", 0)
    if mine.profile not in names:
        tried = any(sight.profile.name == mine.profile for sight in asked.sights)
        but = "which does not see it" if tried else "which was not asked"
        return Why("seen", what, f"the archive has it under profile {printable(mine.profile)}, {but}: {command}", 0)
    return Why("seen", what, "", 0)


def _elsewhere(asked: Asked) -> Why | None:
    """Say that it lives at an endpoint to which no profile goes."""
    tried = {sight.endpoint for sight in asked.sights}
    if not asked.kept or any(one.known.thread.endpoint in tried for one in asked.kept):
        return None
    known = asked.kept[0].known
    where = printable(known.thread.endpoint)
    what = f"it lives at {where}, as the archive knows, and no profile that was tried goes there"
    return Why("no_profile", what, "add a profile for that address:", 3, _lines(where, known.profile))


def _unseen(asked: Asked) -> Why:
    reasons: tuple[tuple[type[Exception], Callable[[Asked, Sight], Why]], ...] = (
        (NotFound, _not_found),
        (SourceGone, _removed),
        (CredentialsRefused, _refused),
        (Temporary, _unwell),
    )
    home = _home(asked)
    sure = (sight for kind, _ in reasons for sight in asked.sights if isinstance(sight.error, kind))
    for sight in (*home, *sure):
        for kind, why in reasons:
            if isinstance(sight.error, kind):
                return why(asked, sight)
    return _odd(asked)


def _odd(asked: Asked) -> Why:
    for sight in asked.sights:
        if (no := sight.refused) and no.status in (400, 422) and asked.named.id in no.text:
            what = f"the server does not take this for an id of {sight.source}: {no.message}"
            return Why("odd_id", what, "look at how it was copied, and at what it is the id of", 3)
    error = asked.sights[0].error
    assert error is not None
    return Why("odd_answer", "no server answered as it should", str(error), exit_code(error))


def _home(asked: Asked) -> list[Sight]:
    """Return what the profiles were told that saw the thread before: they know best."""
    mine = {(one.known.thread, one.known.profile) for one in asked.kept if one.last_there}
    places = {(thread.source, thread.endpoint, profile) for thread, profile in mine}
    return [sight for sight in asked.sights if (sight.source, sight.endpoint, sight.profile.name) in places]


def _not_found(asked: Asked, sight: Sight) -> Why:
    named = asked.named
    before = next((one for one in asked.kept if one.last_there and one.known.thread.source == sight.source), None)
    unclear = _unclear(asked)
    if before is not None:
        day = (before.last_there or "")[:10]
        what = f"it was there on {day}, so it was deleted or has expired: {policy(sight.source, sight.endpoint).why}"
        safe = (
            f"{before.archived:,} objects of it are archived: `exporter show {named.id}`; " if before.archived else ""
        )
        return Why("deleted", what, f"{safe}nothing more can be fetched from the server{unclear}", 3)
    if named.source is None:
        return Why("unknown_id", f"no profile knows this id; {named.other}", f"{named.help}{unclear}", 3)
    what = (
        "the server answers, and says that the key's project has no such thread. Another project's key is the usual "
        "reason, for each project has its own threads; of one that was deleted servers say the same"
    )
    if place_of(sight.endpoint).owner == "openai" and cut_short(named.id):
        what += ". Look also at how it was copied: ids of threads have 24 characters after thread_"
    if place_of(sight.endpoint).owner == "foundry":
        what += ". Foundry may also hide a thread that belongs to one user of the application (docs/azure.md)"
    help_ = f"make a key in the project that made the thread, and add it as a profile{unclear}:"
    return Why("other_project", what, help_, 3, _lines(sight.endpoint, _free(asked.profiles), sight.profile))


def _unclear(asked: Asked) -> str:
    """Name the profiles that could not be asked: one of them may see it."""
    told = {sight.profile.name for sight in asked.sights if isinstance(sight.error, NotFound)}
    dumb = (sight for sight in asked.sights if isinstance(sight.error, CredentialsRefused | Temporary))
    names = dict.fromkeys(printable(sight.profile.name) for sight in dumb if sight.profile.name not in told)
    return f" (profile {', '.join(names)} could not be asked and may see it: see above)" if names else ""


def _removed(asked: Asked, sight: Sight) -> Why:
    known = REMOVED.get((sight.source, place_of(sight.endpoint).owner))
    what = f"the API of {sight.source} is not at {sight.endpoint} any more: its answer does not even name the thread"
    what += f". {known}" if known else "; or the base URL is wrong"
    archived = sum(one.archived for one in asked.kept)
    has = f"{archived:,} objects of it are archived: `exporter show {asked.named.id}`"
    help_ = has if archived else "nothing can be fetched from there; look for what the application itself kept"
    return Why("api_removed", what, help_, SourceGone.exit_code)


def _refused(asked: Asked, sight: Sight) -> Why:
    no, who = sight.refused, f"profile {printable(sight.profile.name)}"
    reason, what = "key_refused", f"no key was accepted: {sight.error}"
    if no is not None and no.code == "incorrect_hostname":
        reason, what = "wrong_region", f"{who} asks in the wrong region, so nobody could look"
    elif no is not None and no.code in ("mismatched_project", "mismatched_organization"):
        reason, what = no.code, f"{who} names another {no.code.removeprefix('mismatched_')} than that of its key"
    elif no is not None and no.scopes:
        reason, what = "missing_scope", f"the key of {who} lacks {', '.join(no.scopes)}, so nobody could look"
    help_ = advice(sight.profile, sight.endpoint, no) if no else "set its key, then look again"
    return Why(reason, what, help_ + _also(asked, sight), CredentialsRefused.exit_code)


def _also(asked: Asked, sight: Sight) -> str:
    names = {one.profile.name for one in asked.sights if one.profile.name != sight.profile.name}
    return f" (profile {', '.join(map(printable, sorted(names)))}: see above)" if names else ""


def _unwell(_: Asked, sight: Sight) -> Why:
    assert sight.error is not None
    what = f"{sight.endpoint} is unwell, or cannot be reached from here"
    return Why("unwell", what, "look at the address, and try again later", exit_code(sight.error))


def _free(profiles: Iterable[Profile]) -> str:
    taken = {profile.name for profile in profiles}
    return next(one for one in ("other", *(f"other{n}" for n in range(2, len(taken) + 3))) if one not in taken)


def _lines(endpoint: str, name: str, like: Profile | None = None) -> str:
    """Return what to paste into exporter.toml."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", name) or "other"
    lines = [f"[profiles.{name}]", f'base_url = "{endpoint}"']
    if like is not None and like.auth != "bearer":
        lines.append(f'auth = "{like.auth}"')
    if like is not None and like.api_version:
        lines.append(f'api_version = "{printable(like.api_version)}"')
    if like is None or like.auth != "entra":
        lines.append(f'api_key_env = "{re.sub("[^A-Z0-9_]", "_", name.upper())}_API_KEY"')
    return "\n".join(lines)
