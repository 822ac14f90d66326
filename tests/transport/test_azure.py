"""Azure's ways in. No live Azure was ever reached from here: what these tests cannot see stands in docs/azure.md."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from exporter.errors import CredentialsRefused, ExporterError, ProfileUnusable, Temporary, UsageError
from exporter.model import Profile, Secret
from exporter.pacing import Pace
from exporter.sources import Answer
from exporter.transport import HttpTransport, check, with_session
from exporter.transport._entra import Tokens
from tests.serving import Server, reply, serving

HOUR = 3600
TOKEN = "eyJ0eXAiOiJKV1Qi.very-secret-token.0123456789"
SCOPE = "https://ai.azure.com/.default"


@dataclass
class Identity:
    """Stands for DefaultAzureCredential: gives these tokens, the last for ever, or raises what is among them."""

    gives: list[str | Exception] = field(default_factory=lambda: [TOKEN])
    lasts: float = HOUR
    asked: list[str] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, **options: Any) -> Identity:
        self.made.append(options)
        return self

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        assert options is not None
        self.asked += scopes
        given = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, Exception):
            raise given
        return AccessTokenInfo(given, int(time.time() + self.lasts))


@pytest.fixture
def server(server: Server) -> Server:
    server.replies = [reply()]
    return server


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Identity:
    stand_in = Identity()
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", stand_in)
    return stand_in


class Nowhere:
    def write(self, data: bytes) -> None: ...

    def restart(self) -> None: ...


def get(profile: Profile, *paths: str, together: int = 0) -> list[Answer]:
    async def story() -> list[Answer]:
        async with HttpTransport(profile, Pace(4)) as transport:
            if together:
                return await asyncio.gather(*(transport.get(paths[0]) for _ in range(together)))
            params = (("include[]", "a"), ("include[]", "b"))
            got = [await transport.get(path, params) for path in paths]
            return [*got, await transport.download("/files/f/content", Nowhere())]

    return asyncio.run(story())


def azure(server: Server, **more: Any) -> Profile:
    return Profile(name="azure", base_url=server.url, **{"auth": "entra", **more})


def test_azures_key_goes_in_its_header_and_the_version_with_every_request(server: Server) -> None:
    get(azure(server, auth="api-key", key=Secret("az-key"), api_version="2024-05-01-preview"), "/threads/t")

    assert server.paths == [
        "/v1/threads/t?api-version=2024-05-01-preview&include%5B%5D=a&include%5B%5D=b",
        "/v1/files/f/content?api-version=2024-05-01-preview",
    ]
    assert [asked.get("api-key") for asked in server.headers] == ["az-key", "az-key"]
    assert not any("authorization" in asked for asked in server.headers)


@pytest.mark.parametrize("auth", ["bearer", "api-key", "entra"])
def test_without_a_version_none_is_sent(server: Server, auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", "from-the-environment")
    get(azure(server, auth=auth, key=Secret("one")), "/x")

    assert server.paths == ["/v1/x?include%5B%5D=a&include%5B%5D=b", "/v1/files/f/content"]


@pytest.mark.parametrize("auth", ["bearer", "api-key", "entra"])
def test_azures_own_variables_do_not_change_who_a_profile_is(
    server: Server, auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.setenv(name, "from-the-environment")
    get(azure(server, auth=auth, key=Secret("one"), api_version="v1"), "/x")

    assert "from-the-environment" not in str(server.headers)
    assert all(asked.get("api-key") == "one" or asked.get("authorization") == "Bearer one" for asked in server.headers)


def test_a_version_in_the_base_url_gives_way_to_the_profiles(server: Server) -> None:
    profile = Profile(base_url=f"{server.url}?api-version=old&x=1", key=Secret("one"), api_version="v1")
    get(profile)

    assert server.paths == ["/v1/files/f/content?x=1&api-version=v1"]


def test_a_token_comes_from_azure_identity_and_is_asked_for_once(server: Server, identity: Identity) -> None:
    get(azure(server), "/x", "/y")

    assert [asked["authorization"] for asked in server.headers] == [f"Bearer {TOKEN}"] * 3
    assert not any("api-key" in asked for asked in server.headers)
    assert identity.asked == [SCOPE]
    assert identity.made[0]["exclude_interactive_browser_credential"] is True
    assert identity.made[0]["exclude_broker_credential"] is True


def test_a_profile_says_for_what_its_token_is(server: Server, identity: Identity) -> None:
    get(azure(server, entra_scope="https://cognitiveservices.azure.com/.default"))

    assert identity.asked == ["https://cognitiveservices.azure.com/.default"]


def test_a_token_that_is_about_to_expire_is_renewed_between_two_requests(server: Server, identity: Identity) -> None:
    identity.gives, identity.lasts = ["one", "two", "three"], 60
    get(azure(server), "/x", "/y")

    assert [asked["authorization"] for asked in server.headers] == ["Bearer one", "Bearer two", "Bearer three"]


def test_a_token_that_is_refused_before_it_expires_is_renewed_once(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.transport._entra.FRESH", -1.0)
    identity.gives = ["token-one", "token-two", "token-three"]
    server.replies = [reply(), reply(401), reply(), reply()]
    answers = get(azure(server), "/x", "/y")

    assert [asked["authorization"][-3:] for asked in server.headers] == ["one", "one", "two", "two"]
    assert [answer.status for answer in answers] == [200, 200, 200]


def test_many_that_are_refused_together_ask_for_one_new_token(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.transport._entra.FRESH", -1.0)
    identity.gives = ["token-one", "token-two", "token-three"]

    async def story() -> list[bool]:
        tokens = Tokens(Profile(name="azure", auth="entra"))
        refused = hash(await tokens())
        return await asyncio.gather(*(tokens.renewed(refused) for _ in range(8)))

    assert asyncio.run(story()) == [True] * 8
    assert len(identity.asked) == 2


def test_a_refused_token_is_the_answer_where_there_is_no_other(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies = [reply(401)]
    fresh = get(azure(server), "/x")
    monkeypatch.setattr("exporter.transport._entra.FRESH", -1.0)
    same = get(azure(server), "/x")

    assert [answer.status for answer in (*fresh, *same)] == [401] * 4
    assert len(server.paths) == 4
    identity.gives = [TOKEN, ClientAuthenticationError("AADSTS50173: The grant was revoked.")]
    with pytest.raises(CredentialsRefused, match="AADSTS50173"):
        get(azure(server), "/x", "/y")


def test_a_token_of_ones_own_is_asked_for_with_every_request(server: Server, identity: Identity) -> None:
    class Fresh(Secret):
        count = 0

        def reveal(self) -> str:
            self.count += 1
            return f"token-{self.count}"

    get(azure(server, key=Fresh("token")), "/x")

    sent = [asked["authorization"] for asked in server.headers]
    assert len(set(sent)) == 2
    assert all(one.startswith("Bearer token-") for one in sent)
    assert identity.made == []


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Other: a", f"{TOKEN}\n", f"{TOKEN}\0"])
def test_a_token_that_would_end_its_header_is_sent_to_nobody_and_not_shown(
    server: Server, identity: Identity, token: str
) -> None:
    identity.gives = [token]
    with pytest.raises(ExporterError) as caught:
        get(azure(server), "/x")

    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert server.paths == []


def test_requests_together_wait_for_one_token(server: Server, identity: Identity) -> None:
    get(azure(server), "/x", together=8)

    assert (len(server.paths), len(identity.asked)) == (8, 1)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CredentialUnavailableError("none is set up"), "no way to log in is set up"),
        (ClientAuthenticationError("failed"), "no way to log in is set up"),
        (
            ClientAuthenticationError(f"{TOKEN} EnvironmentCredential: AADSTS7000222: The secret is expired. {TOKEN}"),
            "AADSTS7000222: The secret is expired",
        ),
    ],
)
def test_who_cannot_log_in_is_told_how_to(server: Server, identity: Identity, error: Exception, says: str) -> None:
    identity.gives = [error]
    with pytest.raises(CredentialsRefused, match=f"profile azure: .*{says}.*az login.*managed identity") as caught:
        get(azure(server), "/x", together=8)

    assert server.paths == []
    assert len(identity.asked) == 1  # each try can take many seconds
    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in told
    assert "azure.core" not in told


@pytest.mark.parametrize(
    "error",
    [
        ServiceRequestError("no route"),
        ClientAuthenticationError("EnvironmentCredential: HTTPSConnection(host='login.example'): timed out"),
    ],
)
def test_an_identity_out_of_reach_is_temporary(server: Server, identity: Identity, error: Exception) -> None:
    identity.gives = [error, error, "token"]
    get(azure(server))
    identity.gives = [error]
    with pytest.raises(Temporary, match=r"Entra ID .*attempt 4"):
        get(azure(server), "/x")

    assert [asked["authorization"] for asked in server.headers] == ["Bearer token"]


def test_nobody_is_prompted_whatever_the_environment_says(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "InteractiveBrowserCredential")
    monkeypatch.setattr("webbrowser.open", lambda *_: pytest.fail("a browser was opened"))
    with pytest.raises(ProfileUnusable, match="AZURE_TOKEN_CREDENTIALS"):
        get(azure(server), "/x")


def test_the_real_chain_says_that_nothing_is_set_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # asks no network
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsRefused, match="no way to log in is set up"):
        get(azure(server), "/x")

    assert capfd.readouterr() == ("", "")


def test_the_real_chain_out_of_reach_is_temporary(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    settings = {"TOKEN_CREDENTIALS": "EnvironmentCredential", "AUTHORITY_HOST": "https://127.0.0.1:1"}
    settings |= {"CLIENT_ID": "11111111-1111-1111-1111-111111111111", "CLIENT_SECRET": "very-secret"}
    for name, value in (settings | {"TENANT_ID": "22222222-2222-2222-2222-222222222222"}).items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    monkeypatch.setattr("exporter.transport._entra.PATIENT", {"retry_total": 0, "connection_timeout": 1})
    with pytest.raises(Temporary, match="Entra ID cannot be reached") as caught:
        get(azure(server), "/x")

    assert "very-secret" not in "".join(traceback.format_exception(caught.value))


def test_without_azure_identity_it_is_said_what_to_install(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ProfileUnusable, match=r"profile azure: .*pip install 'conversation-exporter\[azure\]'"):
        check(azure(server))

    check(azure(server, key=Secret("ready")))  # a token that somebody else fetched needs none


@pytest.mark.parametrize("body", [b"<html>%s</html>", b'{"error": {"message": "token %s was refused"}}'])
def test_a_server_that_repeats_the_token_is_not_quoted(server: Server, identity: Identity, body: bytes) -> None:
    identity.gives, identity.lasts = ["token-one", "token-two"], 60
    server.replies = [reply(), reply(401, body % b"token-one and token-two")]

    assert get(azure(server), "/x", "/y")[1].body == body % b"*** and ***"


def test_a_key_as_short_as_a_word_does_not_spoil_what_the_server_says(server: Server) -> None:
    server.replies = [reply(401, b"the key has expired")]

    assert get(azure(server, key=Secret("key")), "/x")[0].body == b"the key has expired"


def test_the_token_is_in_no_error_and_no_log(
    server: Server, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies = [None]
    with pytest.raises(ExporterError) as caught:
        get(azure(server), "/x")

    assert identity.asked
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text


@pytest.mark.parametrize("key", ["", "a-token"])
def test_a_token_is_not_sent_over_plain_http_to_another_machine(key: str) -> None:
    with pytest.raises(UsageError, match="plain http"):
        check(Profile(base_url="http://azure.example/openai/v1", auth="entra", key=Secret(key)))


def test_a_missing_key_of_azure_is_named() -> None:
    with pytest.raises(CredentialsRefused, match="set AZURE_OPENAI_API_KEY"):
        check(Profile(base_url="https://r.openai.azure.com/openai/v1", auth="api-key"))


@pytest.mark.parametrize(("url", "wanted"), [
    ("https://r.services.ai.azure.com/api/projects/p", True), ("https://r.services.ai.azure.com/api/projects/p/", True),
    ("https://r.openai.azure.com/openai", True), ("https://r.openai.azure.com/openai?api-version=v1", False),
    ("https://r.services.ai.azure.com/api/projects/p/openai/v1", False),
    ("https://r.openai.azure.com/openai/v1", False), ("https://gateway.example/openai", False),
])  # fmt: skip
def test_addresses_that_answer_only_with_a_version_are_known(url: str, wanted: bool) -> None:
    check(Profile(base_url=url, key=Secret("one"), api_version=None if "?" in url else "v1"))
    if not wanted:
        check(Profile(base_url=url, key=Secret("one")))
        return
    with pytest.raises(UsageError, match=r"answers only with an api-version; set api_version = "):
        check(Profile(base_url=url, key=Secret("one")))


@pytest.mark.parametrize(
    ("version", "told", "says"),
    [
        (None, "Missing required query parameter: api-version", "wants an api-version"),
        (None, "The api-version query parameter is required", "wants an api-version"),
        ("v9", "Unsupported api version 'v9'. The supported versions are 'v1'.", "does not take this api-version"),
        ("v9", "API version not supported", "does not take this api-version"),
        ("v1", "api-version query parameter is not allowed when using /v1 path", "does not take this api-version"),
        ("v1", "The value of include[] is not supported in this api-version.", None),
        (None, "This parameter is unknown in this API version.", None),
    ],
)
def test_a_complaint_of_the_version_is_the_profiles_and_others_are_not(
    server: Server, version: str | None, told: str, says: str | None
) -> None:
    server.replies = [reply(400, f'{{"error": {{"message": "{told}"}}}}'.encode())]
    profile = azure(server, key=Secret("one"), api_version=version)
    if says is None:
        assert get(profile, "/x")[0].status == 400
        return
    with pytest.raises(ProfileUnusable, match=rf"profile azure: .* {says} \(HTTP 400\)"):
        get(profile, "/x")


def test_a_browsers_session_goes_where_the_key_would(server: Server) -> None:
    profile = Profile(base_url=server.url, key=Secret("sk-1"), organization="org_1", session=Secret("sess-1"))
    get(with_session(profile))

    asked = server.headers[0]
    assert (asked["authorization"], asked["openai-organization"]) == ("Bearer sess-1", "org_1")
    with pytest.raises(UsageError, match=r"profile 'default' has no session token.*session_key_env"):
        with_session(Profile(key=Secret("sk-1")))


def test_the_sdks_own_headers_go_to_the_endpoint_and_nowhere_else(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-ms-user-identity: ann")
    with serving() as other:
        server.replies, other.replies = [reply(302, b"", Location=f"{other.root}/blob")], [reply()]
        get(azure(server, key=Secret("one")))

    assert [asked.get("x-ms-user-identity") for asked in server.headers + other.headers] == ["ann", None]
