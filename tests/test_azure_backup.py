"""Whole backups of Azure's four places, over the sandbox's Azure face, with tokens that stand in for Entra ID's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stamina
from azure.core.credentials import AccessTokenInfo

from exporter.archive import Archive
from exporter.config import profiles
from exporter.crawl import Options
from exporter.discovery import discover
from exporter.model import Profile, Secret
from exporter.sandbox import Running
from exporter.sandbox.keys import HOUR
from tests.conftest import Bench, loads, rows
from tests.test_crawl import filled

CLASSIC, FOUNDRY = "/api/projects/proj_one", "/api/projects/proj_one/openai/v1"
RESOURCE, DATED = "/openai/v1", "/openai"
ENTRA = {"auth": "entra"}


@dataclass
class Azure(Bench):
    """One place on Azure, and an archive of it."""

    login: dict[str, Any] = field(default_factory=dict)

    @property
    def profile(self) -> Profile:
        return Profile(base_url=self.url, **self.login)


@dataclass
class Tokens:
    """Stands for DefaultAzureCredential; its tokens are always about to expire, so each request asks for one."""

    choose: Callable[[int], str] = lambda _: "entra-sandbox-one"
    given: list[str] = field(default_factory=list)

    def __call__(self, **_: Any) -> Tokens:
        return self

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        assert (scopes, options) == (("https://ai.azure.com/.default",), {})
        self.given.append(self.choose(len(self.given)))
        return AccessTokenInfo(self.given[-1], int(time.time()) + 60)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Tokens:
    stand_in = Tokens()
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", stand_in)
    return stand_in


@pytest.fixture
def place(sandbox: Running, tmp_path: Path) -> Callable[..., Azure]:
    def make(path: str, **login: Any) -> Azure:
        return Azure(sandbox.root + path, sandbox.state, tmp_path / "archive", login=login)

    return make


def talked(azure: Azure, count: int, conversation: str = "conv_a") -> str:
    """Add a conversation of so many items."""
    azure.state.add_conversation(conversation)
    for number in range(count):
        content = [{"type": "input_text", "text": str(number)}]
        azure.state.add_item(
            conversation, {"id": f"msg_{number}", "type": "message", "role": "user", "content": content}
        )
    return conversation


def found(azure: Azure, *sources: str) -> list[str]:
    """Discover; returns the ids that are registered then."""
    Archive.create(azure.path)
    with Archive.write(azure.path) as archive:
        discover(archive, {"default": azure.profile}, Options(), sources=sources)
        return [known.thread.id for known in archive.catalog.known()]


def test_a_thread_of_foundrys_classic_agents_is_backed_up(place: Callable[..., Azure], tokens: Tokens) -> None:
    azure = place(CLASSIC, api_version="v1", **ENTRA)
    report = azure.backup(filled(azure, 250))

    assert report.exit_code == 0
    assert list(map(loads, azure.lines("thread_a"))) == list(map(loads, azure.state.messages("thread_a")))
    assert all(dict(request.params)["api-version"] == "v1" for request in azure.state.requests)
    assert [row["endpoint"] for row in rows(azure.path, "threads")] == [azure.url]
    assert len(tokens.given) == len(azure.state.requests)


def test_the_files_of_a_classic_thread_come_with_it(place: Callable[..., Azure], tokens: Tokens) -> None:
    azure = place(CLASSIC, api_version="v1", **ENTRA)
    content = bytes(range(256)) * 5000
    azure.state.add_file({"id": "file-1", "purpose": "assistants_output", "bytes": len(content)}, content)
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    azure.state.add_message(filled(azure, 1), {"id": "msg_image", "role": "assistant", "content": [image]})
    report = azure.backup("thread_a")

    assert report.exit_code == 0
    (row,) = rows(azure.path, "files")
    assert (row["file_id"], row["reason"], row["bytes"]) == ("file-1", None, len(content))
    assert (azure.path / row["blob"]).read_bytes() == content
    assert all(dict(request.params).get("api-version") == "v1" for request in azure.state.requests)
    assert tokens.given


def test_a_conversation_of_foundry_is_backed_up(place: Callable[..., Azure], tokens: Tokens) -> None:
    azure = place(FOUNDRY, **ENTRA)
    report = azure.backup(talked(azure, 150))

    assert report.exit_code == 0
    assert list(map(loads, azure.lines("conv_a"))) == list(map(loads, azure.state.items("conv_a")))
    assert tokens.given


@pytest.mark.parametrize("path", [RESOURCE, DATED])
@pytest.mark.parametrize("login", [{"auth": "api-key", "key": Secret("sk-sandbox-one")}, ENTRA])
def test_a_resource_is_reached_by_its_key_and_by_entra_id(
    place: Callable[..., Azure], tokens: Tokens, path: str, login: dict[str, Any]
) -> None:
    azure = place(path, api_version="2024-05-01-preview" if path == DATED else None, **login)
    report = azure.backup(filled(azure, 3))

    assert report.exit_code == 0
    assert len(azure.lines("thread_a")) == 3
    assert bool(tokens.given) is (login is ENTRA)


@pytest.mark.parametrize("version", [None, "2024-05-01-preview"])
@pytest.mark.parametrize("credential", ["API_KEY=sk-sandbox-one", "AD_TOKEN=entra-sandbox-one"])
def test_azures_own_variables_are_enough(
    place: Callable[..., Azure], sandbox: Running, tmp_path: Path, version: str | None, credential: str
) -> None:
    name, _, value = credential.partition("=")
    environ = {"HOME": str(tmp_path), "AZURE_OPENAI_ENDPOINT": f"{sandbox.root}/", f"AZURE_OPENAI_{name}": value}
    profile = profiles(None, environ | ({"OPENAI_API_VERSION": version} if version else {}))["default"]
    login = {"auth": profile.auth, "key": profile.key, "api_version": profile.api_version}
    azure = place(DATED if version else RESOURCE, **login)

    assert profile.base_url == azure.url
    assert azure.backup(filled(azure, 2)).exit_code == 0
    assert len(azure.lines("thread_a")) == 2


@pytest.mark.parametrize(
    ("path", "version", "source"), [(CLASSIC, "v1", "assistants"), (FOUNDRY, None, "conversations")]
)
def test_what_foundry_lists_is_discovered_and_then_backed_up(
    place: Callable[..., Azure], tokens: Tokens, path: str, version: str | None, source: str
) -> None:
    azure = place(path, api_version=version, **ENTRA)
    names = [
        filled(azure, 2, f"thread_{i}") if source == "assistants" else talked(azure, 2, f"conv_{i}") for i in "abc"
    ]

    assert sorted(found(azure, source)) == names
    assert azure.backup().exit_code == 0
    assert len(rows(azure.path)) == 6
    assert tokens.given


def test_a_project_lists_what_it_has_and_says_what_it_has_not(place: Callable[..., Azure], tokens: Tokens) -> None:
    azure = place(FOUNDRY, **ENTRA)
    talked(azure, 1)

    assert found(azure) == ["conv_a"]  # sources that are not there cost the others nothing
    assert tokens.given


def test_a_token_that_expires_in_the_middle_of_a_run_is_renewed(place: Callable[..., Azure], tokens: Tokens) -> None:
    azure = place(CLASSIC, api_version="v1", **ENTRA)

    def after_a_while(number: int) -> str:
        if number == 2:
            azure.state.clock.advance(HOUR + 1)
        return "entra-sandbox-hour" if number < 2 else "entra-sandbox-one"

    tokens.choose = after_a_while
    report = azure.backup(filled(azure, 450))

    assert report.exit_code == 0
    assert len(azure.lines("thread_a")) == 450
    assert {"entra-sandbox-hour", "entra-sandbox-one"} == set(tokens.given)


def test_a_ready_token_that_expires_ends_the_run_and_loses_nothing(place: Callable[..., Azure]) -> None:
    azure = place(CLASSIC, api_version="v1", key=Secret("entra-sandbox-hour"), **ENTRA)
    assert azure.backup(filled(azure, 250)).exit_code == 0
    azure.state.clock.advance(HOUR + 1)

    report = azure.backup()
    assert report.exit_code == 12
    assert "entra-sandbox-hour" not in str(report)
    assert len(azure.lines("thread_a")) == 250


@pytest.mark.parametrize("login", [
    {"auth": "api-key", "key": Secret("sk-sandbox-one")}, {"key": Secret("sk-sandbox-one")},
    {"auth": "entra", "key": Secret("sk-sandbox-one")}, {"auth": "entra", "key": Secret("entra-sandbox-audience")},
    {"auth": "entra", "key": Secret("entra-sandbox-role")}, {"auth": "entra", "key": Secret("entra-sandbox-two")},
])  # fmt: skip
@pytest.mark.parametrize(("path", "version"), [(CLASSIC, "v1"), (FOUNDRY, None)])
def test_the_wrong_kind_of_credential_is_refused_and_nothing_is_marked(
    place: Callable[..., Azure], login: dict[str, Any], path: str, version: str | None
) -> None:
    azure = place(path, api_version=version, **login)
    report = azure.backup(filled(azure, 1) if path == CLASSIC else talked(azure, 1))

    assert (report.exit_code, report.gone, report.never_visited) == (12, 0, 1)
    assert login["key"].reveal() not in str(report)


@pytest.mark.parametrize("login", [{"key": Secret("sk-sandbox-one")}, {"auth": "api-key", "key": Secret("sk-wrong")}])
def test_a_resource_does_not_take_its_key_as_a_bearer_token_nor_anothers(
    place: Callable[..., Azure], login: dict[str, Any]
) -> None:
    azure = place(RESOURCE, **login)

    assert azure.backup(filled(azure, 1)).exit_code == 12


@pytest.mark.parametrize(("path", "version", "says"), [
    (CLASSIC, None, "wants an api-version"), (DATED, None, "wants an api-version"),
    (CLASSIC, "2001-01-01", "does not take this api-version"), (FOUNDRY, "v1", "does not take this api-version"),
    (RESOURCE, "2024-05-01-preview", "does not take this api-version"),
])  # fmt: skip
def test_a_version_too_few_too_many_or_wrong_is_said_clearly(
    place: Callable[..., Azure], path: str, version: str | None, says: str
) -> None:
    key = {"auth": "api-key", "key": Secret("sk-sandbox-one")} if path in (RESOURCE, DATED) else None
    azure = place(path, api_version=version, **(key or {**ENTRA, "key": Secret("entra-sandbox-one")}))
    report = azure.backup(talked(azure, 1) if path == FOUNDRY else filled(azure, 1))

    assert (report.exit_code, report.never_visited) == (2, 1)
    assert [says in sentence for sentence in report.stopped] == [True]
    assert "profile default: " in report.stopped[0]


def test_an_identity_that_cannot_log_in_ends_the_run_with_what_to_do(
    place: Callable[..., Azure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # asks no network
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    azure = place(FOUNDRY, **ENTRA)
    report = azure.backup(talked(azure, 1))

    assert (report.exit_code, azure.state.requests) == (12, [])
    assert ["az login" in sentence for sentence in report.stopped] == [True]
