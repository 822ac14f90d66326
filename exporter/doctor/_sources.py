"""Looks at one source as one profile reaches it: does it answer, does it list, and how.

A source is asked for a thread of the archive, else for one that nobody has: it is alive when it says that it has none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, cast

from exporter.doctor._advice import advice
from exporter.doctor._cards import Card, Does
from exporter.doctor._look import Look
from exporter.doctor._probe import Probe, Refused, knock, refused, told
from exporter.doctor._reach import There
from exporter.doctor._traits import Traits, observe
from exporter.errors import (
    BudgetReached,
    CannotList,
    CredentialsRefused,
    ExporterError,
    Lie,
    NotFound,
    ProfileUnusable,
    SourceGone,
    Temporary,
)
from exporter.model import Profile, ThreadRef, printable
from exporter.sources import Listable, SourceClass, load

MOST = 6
"Requests for one source; retries are not counted."
NOBODY = "0exporter0doctor0"
"Ends an id that no server has given to anything."
TEMPORARY = 75
"Exit code: the server is unwell, try again later."


@dataclass(frozen=True, slots=True)
class Examined:
    """A source as one profile reaches it."""

    card: Card
    error: ExporterError | None
    "What came instead of an answer."
    refused: Refused | None
    heard: bool = False
    "Whether anything at all came from the server."
    claims: bool = False
    "It claims to have a thread that nobody made."
    no_list: ExporterError | None = None
    ids_from: str = ""


async def examine(name: str, server: There, known: ThreadRef | None) -> Examined:
    """Ask a source a few harmless questions: for this thread, if one is known."""
    probe = Probe(server.way, MOST, twice=known is not None, identity=server.identity)
    thread = known or nobody(name, probe.endpoint)
    error = await knock(hasty(name)(probe, runs=False).pages(thread, {}), probe)
    last = refused(probe.last)
    claims = known is None and error is None
    does = _does(error, last, thread.id)
    card = Card(name, probe.endpoint, _whose(server), server.profile.name, does, requests=probe.asked)
    if does != "answers":
        card = replace(card, code=_code(error, last), scopes=last.scopes if last else ())
        return Examined(card, error, last, heard=probe.last is not None or server.way.last_date is not None)
    found = await _lists(Examined(card, None, None, heard=True, claims=claims), probe)
    return replace(found, card=replace(found.card, project=_whose(server)))


async def _lists(found: Examined, probe: Probe) -> Examined:
    """Ask for the list of all threads, then for what any list does."""
    source = load(found.card.source)(listing := probe.again(), runs=False)
    card, no_list, ids_from = found.card, None, ""
    if isinstance(source, Listable):
        ids_from = source.ids_from
        no_list = await knock(source.threads(None), listing)
        lists = None if no_list and not isinstance(no_list, CannotList | CredentialsRefused) else no_list is None
        last = refused(listing.last) if no_list else None
        card = replace(card, lists=lists, scopes=last.scopes if last else ())
    rest = listing.again()
    question = listing.question or probe.question
    if question is not None:
        traits = await observe(rest, question)
        seen_on: Literal["threads", "thread"] = "threads" if listing.question else "thread"
        card = replace(card, seen_on=seen_on, **{one.name: getattr(traits, one.name) for one in fields(Traits)})
    card = replace(card, requests=probe.asked + listing.asked + rest.asked)
    return replace(found, card=card, no_list=no_list, ids_from=ids_from)


def hasty(name: str) -> SourceClass:
    """Return a source that does not wait for what may be found a little later."""
    source = load(name)
    return cast("SourceClass", type(source.__name__, (source,), {"waits": ()})) if isinstance(source, type) else source


def nobody(source: str, endpoint: str) -> ThreadRef:
    """Name a thread that nobody has."""
    prefix = next(iter(load(source).prefixes), "")
    return ThreadRef(source, endpoint, f"{prefix}{NOBODY}")


def _whose(server: There) -> str:
    profile = server.profile
    return server.identity.get("openai-project") or profile.project or f"profile {printable(profile.name)}"


def _does(error: ExporterError | None, last: Refused | None, thread_id: str) -> Does:
    if error is None or isinstance(error, NotFound | BudgetReached):
        return "answers"
    # Azure says the same of an API that a version lacks and of a version that it lacks
    if isinstance(error, SourceGone | ProfileUnusable):
        return "removed"
    if isinstance(error, CredentialsRefused):
        return "refused"
    if isinstance(error, Temporary):
        return "unwell"
    # a server that checks how its ids look has read this one
    read = last is not None and last.status in (400, 422) and thread_id in last.text
    return "answers" if read else "odd"


def _code(error: ExporterError | None, last: Refused | None) -> str | None:
    return (last.code if last else None) or (error.code if isinstance(error, Lie) else None)


def exit_code(error: ExporterError) -> int:
    """Return the code to end with when this is what was found."""
    return TEMPORARY if isinstance(error, Temporary) else error.exit_code


def look(found: Examined, profile: Profile, *, needed: bool, alone: bool) -> Look:
    """Say how a source is; `needed`: the archive has threads of it, `alone`: nothing of the profile does better."""
    card = found.card
    subject = f"profile {printable(profile.name)}, {card.source}"
    facts = {"ids_from": found.ids_from or None, "needed": needed, **_facts(card)}
    if card.does == "answers":
        what, help_ = _answers(found)
        return Look("source", subject, "note" if found.claims else "good", what, help_, facts=facts)
    error = found.error
    assert error is not None
    what, help_ = told(error, found.refused), ""
    if card.does == "removed":
        what, help_ = f"removed, or never there ({what})", "nothing can be fetched from it; what is archived stays"
    elif card.does == "refused":
        help_ = advice(profile, card.endpoint, found.refused)
    if card.does in ("removed", "refused") and not needed and not alone:
        return Look("source", subject, "note", what, help_, facts=facts)
    return Look("source", subject, "bad", what, help_, exit_code(error), facts=facts)


def _answers(found: Examined) -> tuple[str, str]:
    card = found.card
    said = ["answers"]
    help_ = ""
    if found.claims:
        said.append("but claims to have a thread that nobody made")
        help_ = "do not trust an empty thread of it"
    if card.lists:
        said.append("lists its threads")
    elif card.lists is False:
        said.append("does not list its threads to this key")
        lacks = f"its list needs {', '.join(card.scopes)}. " if card.scopes else ""
        help_ = help_ or f"{lacks}{found.ids_from}"
    elif found.no_list is not None:
        said.append(f"its list could not be had ({found.no_list})")
    return ", ".join([*said, *traits(card)]), help_


def traits(card: Card) -> list[str]:
    """Say what was seen of a list."""
    said = []
    if card.page_maximum is not None:
        how = {"named": "at most {}", "capped": "{}", "above": "{} and more"}[card.page_maximum_from or "capped"]
        said.append(f"{how.format(card.page_maximum)} a page")
    if card.default_order:
        said.append(f"{'newest' if card.default_order == 'desc' else 'oldest'} first unless asked")
    if card.order_obeyed is not None:
        said.append("obeys order" if card.order_obeyed else "ignores order")
    return said


def _facts(card: Card) -> dict[str, object]:
    return {name: value for name, value in asdict(card).items() if name not in ("first_at", "last_at")}
