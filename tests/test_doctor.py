"""What the doctor concludes, from answers that no sandbox can give: real hosts, odd lists, other ways to log in."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.config import profiles
from exporter.doctor import _advice, _cards, _ids, _places, _traits, _verdict
from exporter.doctor._probe import Probe, Question, refused
from exporter.doctor._sights import Sight
from exporter.errors import BadAnswer, CredentialsRefused, NotFound, SourceGone, Temporary, UsageError
from exporter.model import Auth, Profile, Secret
from exporter.sources import NO_HEADERS, Answer

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
