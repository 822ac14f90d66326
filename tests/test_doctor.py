"""What the doctor concludes, from answers that no sandbox can give: real hosts, odd lists, other ways to log in."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from exporter.config import profiles
from exporter.doctor import _advice, _archive, _cards, _ids, _places, _profiles, _sights, _traits, _verdict
from exporter.doctor._archive import Needs
from exporter.doctor._probe import Probe, Question, knock, refused
from exporter.doctor._sights import Sight
from exporter.doctor._sources import Examined
from exporter.errors import (
    BadAnswer,
    BudgetReached,
    CannotList,
    CredentialsRefused,
    ExporterError,
    Lie,
    NotFound,
    SourceGone,
    Temporary,
    UsageError,
)
from exporter.model import Auth, Gap, Item, Link, Page, Profile, Secret, ThreadRef
from exporter.sources import NO_HEADERS, Answer, SourceClass
from tests.archive.making import in_memory
from tests.archive.test_reading import as_nobody

OPENAI = "https://api.openai.com/v1"
Params = dict[str, str]


# Places


@pytest.mark.parametrize(
    ("endpoint", "owner", "region"),
    [
        (OPENAI, "openai", "global"),
        ("https://eu.api.openai.com/v1", "openai", "eu"),
        ("https://mtls-us.api.openai.com/v1", "openai", "us"),
        ("https://api.openai.com.evil.example/v1", "other", None),
        ("https://acme.openai.azure.com/openai/v1", "azure", None),
        ("https://acme.services.ai.azure.com/api/projects/p", "foundry", None),
        ("http://[::1]:8000/v1", "local", None),
        ("https://llm.example/v1", "other", None),
    ],
)
def test_a_host_tells_whose_server_it_is_and_where(endpoint: str, owner: str, region: str | None) -> None:
    place = _places.place_of(endpoint)

    assert (place.owner, place.region) == (owner, region)


@pytest.mark.parametrize(
    ("endpoint", "said", "advice"),
    [
        (OPENAI, "Please make your request to us.api.openai.com", 'set base_url = "https://us.api.openai.com/v1"'),
        (
            "https://us.api.openai.com/v1",
            "your request to api.openai.com.",
            'set base_url = "https://api.openai.com/v1"',
        ),
        (OPENAI, "make your request to api.openai.com", "https://eu.api.openai.com/v1"),
        (OPENAI, "This endpoint is for others; see evil.example", "https://jp.api.openai.com/v1"),
    ],
)
def test_the_host_to_try_is_the_one_that_is_named_or_all(endpoint: str, said: str, advice: str) -> None:
    told = _places.other_host(endpoint, said)

    assert advice in told
    assert "evil" not in told


# Ids


def test_a_key_is_no_id_and_is_not_repeated() -> None:
    for text in ("sk-proj-abcdef", '"sess-abcdef"', "eyJhbGciOi.J9.x"):
        with pytest.raises(UsageError) as error:
            _ids.read(text)
        assert "abcdef" not in str(error.value)
        assert "eyJ" not in str(error.value)


def test_two_ids_in_one_text_are_no_id() -> None:
    with pytest.raises(UsageError):
        _ids.read("thread_abcdef and thread_ghijkl")


# Traits


class Server:
    """A list that answers as it is told to."""

    endpoint = "https://llm.example/v1"

    def __init__(self, answer: Callable[[Params], Any]) -> None:
        self._answer = answer

    async def get(
        self,
        path: str,  # noqa: ARG002 - a transport's signature
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = NO_HEADERS,  # noqa: ARG002
    ) -> Answer:
        got = self._answer(dict(params))
        return got if isinstance(got, Answer) else Answer(200, {}, json.dumps(got).encode())


def observed(answer: Callable[[Params], Any], *, ordered: bool = True, most: int = 6) -> _traits.Traits:
    async def observe() -> _traits.Traits:
        probe = Probe(Server(answer), most)
        first = await probe.ask("/list", (("limit", "1"), ("order", "asc")), {})
        return await _traits.observe(probe, Question("/list", (), {}, ordered, first))

    return asyncio.run(observe())


def honest(params: Params, *, count: int = 150, default: str = "asc") -> Any:
    order = list(range(count)) if params.get("order", default) == "asc" else list(range(count))[::-1]
    limit = int(params["limit"])
    return {"data": [{"id": str(n), "created_at": n} for n in order[:limit]], "has_more": limit < count}


def test_a_list_that_gives_more_than_a_backup_asks_for() -> None:
    assert observed(honest) == _traits.Traits(101, "above", "asc", True)


def test_a_list_that_takes_no_order_shows_its_own() -> None:
    def desc(params: Params) -> Any:
        assert "order" not in params or params == {"limit": "1", "order": "asc"}
        return honest({"limit": params["limit"], "order": "desc"})

    assert observed(desc, ordered=False) == _traits.Traits(101, "above", "desc", None)


def test_a_list_without_ids_and_times_obeys_order_all_the_same() -> None:
    def nameless(params: Params) -> Any:
        got = honest(params, default="desc")
        return {"data": [{"text": one["id"]} for one in got["data"]], "has_more": got["has_more"]}

    assert observed(nameless) == _traits.Traits(101, "above", "desc", True)


def test_a_list_that_shows_nothing_newest_first_is_not_said_to_obey() -> None:
    def empty(params: Params) -> Any:
        return {"data": [], "has_more": False} if params.get("order") == "desc" else honest(params)

    assert observed(empty) == _traits.Traits(101, "above", None)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [], "has_more": False},
        {"data": [{"id": "a"}], "has_more": False},
        {"data": None},
        [],
        Answer(200, {}, b"<html>"),
        Answer(400, {}, b'{"error": {"message": "no"}}'),
        Answer(422, {}, b'{"detail": "limit must be at most 1000"}'),
    ],
)
def test_what_nothing_proves_is_not_said(answer: Any) -> None:
    assert observed(lambda _: answer) == _traits.Traits()


def test_when_questions_run_out_or_the_server_fails_nothing_is_said() -> None:
    def failing(params: Params) -> Any:
        if params["limit"] == "1":
            return honest(params)
        raise Temporary("no")

    assert observed(failing) == _traits.Traits()
    assert observed(honest, most=2) == _traits.Traits()


def test_a_success_refuses_nothing_and_hostile_text_is_made_printable() -> None:
    assert refused(Answer(200, {}, b"{}")) is None
    no = refused(Answer(401, {}, b'{"error": {"message": "a\\u001b[31m\\nb", "code": "\\u0007"}}'))
    assert no is not None
    assert (no.message, no.code) == ("a\\x1b[31m b", "\\x07")


# Verdicts


def sight(endpoint: str, error: Exception | None, source: str = "assistants", **profile: Any) -> Sight:
    return Sight(Profile(base_url=endpoint, **profile), source, endpoint, error)  # type: ignore[arg-type]


def verdict(text: str, *sights: Sight) -> Any:
    return _verdict.verdict(_verdict.Asked(_ids.read(text), sights, [], [one.profile for one in sights]))


@pytest.mark.parametrize(
    ("endpoint", "date"),
    [(OPENAI, "2026-08-26"), ("https://a.openai.azure.com/openai", "2026-08-26"),
     ("https://a.services.ai.azure.com/api/projects/p", "2027-03-31"), ("https://llm.example/v1", "base URL")],
)  # fmt: skip
def test_a_removed_api_is_named_with_its_date(endpoint: str, date: str) -> None:
    told = verdict("thread_abc", sight(endpoint, SourceGone("Invalid URL")))

    assert (told.exit_code, told.facts["reason"]) == (13, "api_removed")
    assert date in told.what


def test_a_server_that_does_not_take_it_for_an_id() -> None:
    odd = sight(OPENAI, BadAnswer("no"))
    odd.refused = refused(Answer(400, {}, b'{"error": {"message": "Invalid \'id\': \'thread_abc\'."}}'))
    told = verdict("thread_abc", odd)
    other = verdict("thread_abc", sight(OPENAI, BadAnswer("what came was HTML")))

    assert (told.exit_code, told.facts["reason"]) == (3, "odd_id")
    assert "Invalid 'id'" in told.what
    assert (other.facts["reason"], other.help) == ("odd_answer", "what came was HTML")


def test_an_id_that_was_cut_when_it_was_copied() -> None:
    short = verdict("thread_abc", sight(OPENAI, NotFound("no")))
    whole = verdict("thread_" + "a" * 24, sight(OPENAI, NotFound("no")))
    elsewhere = verdict("thread_abc", sight("https://llm.example/v1", NotFound("no")))

    assert ["24 characters" in told.what for told in (short, whole, elsewhere)] == [True, False, False]


def test_a_known_absence_says_more_than_silence_or_a_refusal() -> None:
    told = verdict(
        "thread_abc",
        sight(OPENAI, Temporary("no"), name="slow"),
        sight(OPENAI, CredentialsRefused("no"), name="locked"),
        sight(OPENAI, NotFound("no"), name="open"),
    )

    assert told.facts["reason"] == "other_project"
    assert "profile slow, locked could not be asked" in told.help


@pytest.mark.parametrize(
    ("auth", "version", "lines"),
    [("bearer", None, {"base_url", "api_key_env"}), ("entra", "v1", {"base_url", "auth", "api_version"}),
     ("api-key", "v1", {"base_url", "auth", "api_version", "api_key_env"})],
)  # fmt: skip
def test_the_lines_to_paste_log_in_as_the_profile_that_was_told_no(
    tmp_path: Path, auth: Auth, version: str | None, lines: set[str]
) -> None:
    where = "https://acme.openai.azure.com/openai"
    asked = sight(where, NotFound("no"), name="other", auth=auth, api_version=version, key=Secret("k"))
    told = verdict("thread_" + "a" * 24, asked)
    (tmp_path / "exporter.toml").write_text(told.paste)

    assert set(tomllib.loads(told.paste)["profiles"]["other2"]) == lines
    assert profiles(str(tmp_path / "exporter.toml"), {})["other2"].auth == auth


@pytest.mark.parametrize(
    ("auth", "where", "body", "advice"),
    [("api-key", "foundry", b"{}", 'auth = "entra"'), ("api-key", "azure", b"{}", "another resource's"),
     ("entra", "foundry", b'{"error": {"message": "wrong audience"}}', "entra_scope"),
     ("entra", "foundry", b'{"error": {"code": "PermissionDenied"}}', "Foundry User"),
     ("entra", "azure", b"{}", "log in again"), ("bearer", "azure", b"{}", "another resource's")],
)  # fmt: skip
def test_azure_has_its_own_reasons_to_refuse(auth: Auth, where: str, body: bytes, advice: str) -> None:
    hosts = {"foundry": "https://a.services.ai.azure.com/api/projects/p", "azure": "https://a.openai.azure.com/openai"}
    no = refused(Answer(401, {}, body))

    assert advice in _advice.advice(Profile(auth=auth), hosts[where], no)


def test_where_an_application_hides_threads_of_its_users_that_is_said() -> None:
    told = verdict("thread_" + "a" * 24, sight("https://a.services.ai.azure.com/api/projects/p", NotFound("no")))

    assert "Foundry may also hide a thread that belongs to one user of the application" in told.what


def test_a_quota_that_is_used_up_is_no_wrong_key() -> None:
    no = refused(Answer(429, {}, b'{"error": {"code": "insufficient_quota"}}'))

    assert _advice.advice(Profile(), OPENAI, no) == "raise the account's limit, then look again"


# Profiles


def visited(profile: Profile, *examined: Examined, **more: Any) -> _profiles.Visited:
    return _profiles.Visited(profile, list(examined), **more)


def answering(source: str = "assistants", **more: Any) -> Examined:
    return Examined(_cards.Card(source, OPENAI, "proj", "default", "answers"), None, None, heard=True, **more)


def shown(found: _profiles.Visited) -> dict[str, Any]:
    return {one.subject: one for one in _profiles.looks(found, Needs())}


@pytest.mark.parametrize(
    ("profile", "found", "said"),
    [
        ({"key": Secret("sk-x")}, {}, "bearer, key from the program"),
        ({}, {}, "bearer, no key"),
        ({"auth": "api-key"}, {}, "header api-key, no key"),
        ({"auth": "entra", "entra_scope": "https://s/.default"}, {}, "azure-identity for https://s/.default"),
        ({"auth": "entra", "key": Secret("sk-x")}, {}, "Entra ID, key from the program"),
        ({"project": "a"}, {"openai-project": "b\x1b"}, "project a (the server says b\x1b)"),
        ({"organization": "a"}, {"openai-organization": "a"}, "organization a;"),
        ({}, {"x-ms-region": "Sweden Central"}, "; region Sweden Central;"),
    ],
)
def test_how_a_profile_logs_in_and_as_whom_it_is_taken(
    profile: dict[str, Any], found: dict[str, str], said: str
) -> None:
    look = shown(visited(Profile(base_url=OPENAI, **profile), answering(), identity=found))["profile default"]

    assert said in look.what
    assert "sk-x" not in look.what
    assert look.state == "good"


def test_a_key_that_no_source_takes_is_refused_though_no_server_says_why() -> None:
    card = _cards.Card("assistants", OPENAI, "proj", "default", "refused")
    no = refused(Answer(401, {}, b"no"))
    found = visited(Profile(base_url=OPENAI), Examined(card, CredentialsRefused("no"), no, heard=True))
    look = shown(found)["profile default"]

    assert (look.state, look.exit_code) == ("bad", 12)
    assert "the key was refused" in look.what
    assert "make a new one" in look.help


def test_an_address_that_is_none_is_said_of_its_profile() -> None:
    look = shown(visited(Profile(base_url="ftp://llm.example")))["profile default"]

    assert (look.state, look.exit_code) == ("bad", 2)
    assert look.facts["endpoint"] is None


@pytest.mark.parametrize(
    ("skew", "state", "said"),
    [
        (59.0, "good", "agrees with the server's"),
        (-59.0, "good", "agrees with the server's"),
        (3700.0, "note", "this machine is 3,700 s ahead of the server"),
        (-61.0, "note", "this machine is 61 s behind the server"),
    ],
)
def test_a_clock_that_differs_is_a_note(skew: float, state: str, said: str) -> None:
    look = shown(visited(Profile(base_url=OPENAI), answering(), skew=skew))["profile default, clock"]

    assert (look.state, look.what, bool(look.help)) == (state, said, state == "note")


@pytest.mark.parametrize(
    ("lists", "no_list", "said", "help_"),
    [
        (True, None, "answers, lists its threads", ""),
        (False, CannotList("no"), "answers, does not list its threads to this key", "look there"),
        (None, Temporary("HTTP 500"), "answers, its list could not be had (HTTP 500)", ""),
        (None, None, "answers", ""),
    ],
)
def test_what_became_of_the_list_of_threads_is_said(
    lists: bool | None, no_list: ExporterError | None, said: str, help_: str
) -> None:
    found = answering(no_list=no_list, ids_from="look there")
    card = replace(found.card, lists=lists)
    look = shown(visited(Profile(base_url=OPENAI), replace(found, card=card)))["profile default, assistants"]

    assert (look.state, look.what, look.help) == ("good", said, help_)


# A walk that is no walk


AT, NOBODYS = datetime(2026, 11, 21, tzinfo=UTC), ThreadRef("odd", OPENAI, "odd_1")
HEAD = Page(NOBODYS, "thread", (Item("odd_1", b'{"id":"odd_1"}'),), None, False, AT, "thread")
UNREADABLE = replace(HEAD, items=(Item("odd_1", b"[" * 9999),))
TWO = Page(NOBODYS, "message", (Item("a", b"{}"), Item("b", b"{}")), "b", True, AT, "messages")
LINK = Link(NOBODYS, ThreadRef("odd", OPENAI, "odd_2"))
GAP = Gap(NOBODYS, "messages", None, "stuck", "it repeats itself")


def walking(*events: Page | Gap | Link, ends: ExporterError | None = None) -> SourceClass:
    """A source whose walk is this."""

    class Odd:
        name, prefixes = "odd", ("odd_",)

        def __init__(self, _: Any, *, runs: bool) -> None:
            assert not runs

        async def pages(self, *_: Any) -> AsyncIterator[Page | Gap | Link]:
            for event in events:
                yield event
            if ends:
                raise ends

    return cast("SourceClass", Odd)


@pytest.mark.parametrize(
    ("walk", "state", "said"),
    [
        (walking(), "good", "sees this thread (odd at https://api.openai.com/v1)"),
        (walking(HEAD), "good", "sees this thread (odd at https://api.openai.com/v1)"),
        (walking(UNREADABLE), "good", "sees this thread (odd at https://api.openai.com/v1)"),
        (walking(HEAD, LINK, TWO, GAP), "good", "2 objects in its first page, more follow"),
        (walking(HEAD, GAP), "good", "sees this thread (odd at https://api.openai.com/v1)"),
        (walking(GAP), "note", "could not look: it repeats itself"),
        (walking(HEAD, ends=Temporary("HTTP 500")), "good", "sees this thread"),
        (walking(ends=Temporary("HTTP 500")), "note", "could not look: HTTP 500"),
        (walking(HEAD, ends=NotFound("no such")), "note", "does not see it (no such)"),
        (walking(ends=BudgetReached("enough was asked")), "note", "could not look: enough was asked"),
        (walking(HEAD, ends=BudgetReached("enough was asked")), "good", "sees this thread"),
        (walking(ends=SourceGone("Invalid URL")), "note", "there is no such API (Invalid URL)"),
    ],
)
def test_what_a_profile_sees_of_a_thread(
    monkeypatch: pytest.MonkeyPatch, walk: SourceClass, state: str, said: str
) -> None:
    monkeypatch.setattr(_sights, "load", lambda _: walk)
    profile = Profile(base_url=OPENAI, key=Secret("sk-x"))
    ((sight,),) = asyncio.run(_sights.look_for("odd_1", [profile], ["odd"]))
    (look,) = _sights.looks([sight])

    assert look.state == state
    assert said in look.what


@pytest.mark.parametrize(
    ("walk", "error"),
    [
        (walking(), None), (walking(HEAD), None), (walking(HEAD, LINK, TWO, GAP), None), (walking(HEAD, GAP), Lie),
        (walking(ends=BudgetReached("enough")), BudgetReached), (walking(ends=NotFound("no")), NotFound),
    ],
)  # fmt: skip
def test_a_knock_ends_with_the_first_list_or_with_what_came_instead(
    walk: SourceClass, error: type[ExporterError] | None
) -> None:
    probe = Probe(Server(lambda _: {}), 6)

    found = asyncio.run(knock(walk(probe, runs=False).pages(NOBODYS, {}), probe))
    assert type(found) is (error or type(None))


# The archive and its disk


def disk(path: Path) -> Any:
    return {one.about: one for one in _archive.look_at(path)}


def test_a_disk_that_is_nearly_full_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk(tmp_path)["disk"].state == "good"
    monkeypatch.setattr(_archive, "FREE", 2**70)

    look = disk(tmp_path)["disk"]
    assert (look.state, look.help) == ("note", "make room for what the next weeks bring")


def test_an_archive_of_too_many_files_is_not_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    assert "the archive has 1.0 MiB" in disk(tmp_path)["disk"].what
    monkeypatch.setattr(_archive, "FILES", 0)

    look = disk(tmp_path)["disk"]
    assert "the archive has" not in look.what
    assert look.facts["archive_bytes"] is None


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_archive_that_may_not_be_made_is_not_well() -> None:
    with in_memory() as folder:
        folder.chmod(0o755)
        said = as_nobody(lambda: next((one.state, one.exit_code, one.what) for one in _archive.look_at(folder / "a")))

    assert said == f"('bad', 10, 'it cannot be made: nothing may be written into {folder}')"


# Cards


def test_no_more_cards_are_kept_than_anybody_wants(tmp_path: Path) -> None:
    from exporter.archive import Archive

    Archive.create(tmp_path / "a")
    for number in range(_cards.MOST + 3):
        card = _cards.Card("chatkit", OPENAI, "proj", "default", "answers", page_maximum=number)
        assert _cards.keep(tmp_path / "a", [card]) == 1
    maxima = [card.page_maximum for card in _cards.kept(tmp_path / "a")]

    assert maxima == list(range(3, _cards.MOST + 3))
    assert _cards.keep(tmp_path / "nowhere", []) == 0
