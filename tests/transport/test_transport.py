from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import re
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from backports import zstd
from cryptography import x509

from exporter.endpoint import endpoint_of
from exporter.errors import (
    BadAnswer,
    BudgetReached,
    CredentialsRefused,
    ExporterError,
    ProfileUnusable,
    Temporary,
    UsageError,
)
from exporter.model import Profile, Secret
from exporter.pacing import Pace
from exporter.sources import Answer
from exporter.transport import Budget, HttpTransport
from exporter.transport._retrying import Again, backoff, moment, refill, retry_after, retryable
from exporter.transport._wire import joined
from tests.serving import DRIP, Reply, Server, reply, serving
from tests.transport.test_download import certificate

KEY = "sk-very-secret-0123456789"


def profile(url: str, **more: Any) -> Profile:
    return Profile(base_url=url, key=Secret(KEY), **more)


def get(server: Server, *params: tuple[str, str], times: int = 1, **options: Any) -> tuple[Answer, HttpTransport]:
    async def story() -> tuple[Answer, HttpTransport]:
        async with HttpTransport(profile(server.url), Pace(4), **options) as transport:
            for _ in range(times):
                answer = await transport.get("/threads/t", params, {"OpenAI-Beta": "assistants=v2"})
            return answer, transport

    return asyncio.run(story())


def test_the_bytes_come_as_they_were_sent(server: Server) -> None:
    server.replies = [reply(Content_Type="application/json")]
    answer, transport = get(server, ("include[]", "a"), ("include[]", "b[*]"), ("after", "x y"))

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b'{ "a" : 1.10 }', "application/json")
    assert server.paths == ["/v1/threads/t?include%5B%5D=a&include%5B%5D=b%5B%2A%5D&after=x+y"]
    assert (server.headers[0]["authorization"], server.headers[0]["openai-beta"]) == (f"Bearer {KEY}", "assistants=v2")
    assert (transport.requests, transport.endpoint) == (1, server.url)
    assert transport.last_date is not None


@pytest.mark.parametrize(
    ("said", "hour"),
    [
        ("Sat, 21 Nov 2026 21:53:03 GMT", 21), ("Sat, 21 Nov 2026 21:53:03 -0000", 21), ("21 Nov 2026 21:53:03", 21),
        ("Sat, 21 Nov 2026 21:53:03 +0200", 19), ("yesterday", None), ("Sat, 21 Nov 2026 21:53:03 +9999", None),
        ("Sat, 21 Nov 2026 21:53:03 +999999999999999999", None), ("Sat, 9999999999999999999 Nov 2026 21:53:03", None),
    ],
)  # fmt: skip
def test_what_a_server_says_of_its_clock_is_a_moment_or_nothing(said: str, hour: int | None) -> None:
    assert moment(said) == (None if hour is None else datetime(2026, 11, 21, hour, 53, 3, tzinfo=UTC))


def test_the_profile_says_who_asks_and_not_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org_env")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_env")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/")
    server.replies = [reply()]
    get(server)

    assert not {"openai-organization", "openai-project"} & server.headers[0].keys()


def test_a_query_of_the_base_url_goes_along_and_names_nothing(server: Server) -> None:
    server.replies = [reply()]
    server.url += "/?api-version=v1"
    _, transport = get(server, ("limit", "1"))

    assert server.paths == ["/v1/threads/t?api-version=v1&limit=1"]
    assert "?" not in transport.endpoint


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_no_retry_can_better_is_an_answer(server: Server, status: int) -> None:
    server.replies = [reply(status, b'{"error": {"message": "no"}}')]
    answer, transport = get(server)

    assert (answer.status, answer.body, transport.requests) == (status, b'{"error": {"message": "no"}}', 1)


@pytest.mark.parametrize(
    "bad",
    [
        reply(408),
        reply(409),
        reply(429),
        reply(500),
        reply(503),
        reply(400, x_should_retry="true"),
        None,
        reply(200, b"half", Content_Length="100"),
    ],
)
def test_what_a_retry_may_better_is_asked_again(server: Server, bad: Reply | None) -> None:
    server.replies = [bad, bad, reply()]
    answer, transport = get(server)

    assert (answer.status, transport.requests) == (200, 3)


@pytest.mark.parametrize(("bad", "says"), [(reply(502), "HTTP 502"), (None, "no whole answer")])
def test_retries_end(server: Server, bad: Reply | None, says: str) -> None:
    server.replies = [bad]
    with pytest.raises(Temporary, match=rf"/threads/t at .*{says}.*attempt 4"):
        get(server)

    assert len(server.paths) == 4


@pytest.mark.parametrize("path", ["https://other.example/threads/t", "threads/t", ""])
def test_what_is_no_path_under_the_endpoint_is_never_asked(server: Server, path: str) -> None:
    server.replies = [reply()]

    async def story() -> None:
        async with HttpTransport(profile(server.url), Pace(1)) as transport:
            await transport.get(path)

    with pytest.raises(BadAnswer, match="no path under the endpoint"):
        asyncio.run(story())
    assert server.paths == []


def test_an_answer_that_drips_for_ever_ends(server: Server) -> None:
    server.replies = [reply(200, DRIP)]
    with pytest.raises(Temporary, match="too slowly"):
        get(server, patience=0.2)

    assert server.left.wait(10)
    assert len(server.paths) == 1


def test_a_server_that_repeats_the_key_in_a_header_is_not_quoted(server: Server) -> None:
    server.replies = [reply(307, b"", Location=f"https://other.example/?key={KEY}")]

    assert get(server)[0].headers["location"] == "https://other.example/?key=***"


def packed(coding: str, body: bytes) -> bytes:
    return gzip.compress(body) if coding == "gzip" else zstd.compress(body)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_body_may_come_packed_as_it_was_asked_for(server: Server, coding: str, status: int) -> None:
    body = b'{"a": 1.10}' * 99_999
    server.replies = [reply(status, packed(coding, body[:9]) + packed(coding, body[9:]), Content_Encoding=coding)]

    assert get(server)[0].body == body
    assert server.headers[0]["accept-encoding"] == "zstd, gzip"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_packed_body_that_ends_early_is_asked_for_again(server: Server, coding: str) -> None:
    whole = packed(coding, bytes(range(256)) * 99)
    server.replies = [reply(200, whole[:-9], Content_Encoding=coding), reply(200, whole, Content_Encoding=coding)]
    answer, transport = get(server)

    assert (answer.body, transport.requests) == (bytes(range(256)) * 99, 2)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_bomb_is_refused_before_it_is_unpacked(server: Server, coding: str, status: int) -> None:
    server.replies = [reply(status, packed(coding, bytes(2**26)), Content_Encoding=coding)]
    tracemalloc.start()
    with pytest.raises(BadAnswer, match="longer than 1,000,000 bytes"):
        get(server, max_bytes=1_000_000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most < 2**25


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "gzip", "zstd"])
def test_a_body_that_cannot_be_unpacked_is_refused(server: Server, coding: str) -> None:
    server.replies = [reply(200, b"\x00nothing that anybody packed", Content_Encoding=coding)]
    with pytest.raises(BadAnswer, match="packed"):
        get(server)

    assert len(server.paths) == 1


def test_what_is_said_twice_in_the_headers_is_joined() -> None:
    assert joined([("A", "1"), ("b", "2"), ("a", "3")]) == {"a": "1, 3", "b": "2"}


def by_both(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object], server: Server) -> list[dict[str, str]]:
    """Ask with the one client and with the other; returns the headers that the server saw."""
    server.headers.clear()
    for client in ("lean", "sdk"):
        monkeypatch.setenv("EXPORTER_CLIENT", client)
        ask()
    return server.headers


@pytest.mark.parametrize(
    "who",
    [
        {},
        {"organization": "org_1"},
        {"organization": "org_1", "project": "proj_1"},
        {"key": Secret("")},
        {"auth": "api-key"},
        {"auth": "entra", "api_version": "v1"},
    ],
)
@pytest.mark.parametrize("custom", ["", "X-Team: archive\nUser-Agent: mine"])
def test_a_server_cannot_tell_the_clients_apart(
    server: Server, who: dict[str, Any], custom: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", custom)
    server.replies = [reply()]

    async def story() -> None:
        async with HttpTransport(replace(profile(server.url), **who), Pace(1)) as transport:
            await transport.get("/threads/t", (("limit", "1"),), {"OpenAI-Beta": "assistants=v2"})

    lean, sdk = by_both(monkeypatch, lambda: asyncio.run(story()), server)

    assert lean == sdk
    assert ("x-team" in lean) == bool(custom)


def test_a_server_that_sets_cookies_is_told_none_by_the_lean_client(server: Server, client: str) -> None:
    server.replies = [reply(Set_Cookie="a=b")]
    get(server, times=2)

    assert ("cookie" in server.headers[1]) == (client == "sdk")


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_leads_to_other_machines_and_cannot_read_what_it_carries(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_proxies(monkeypatch)
    tls = certificate(tmp_path / "cert.pem", "api.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with serving() as by, serving(tls) as far:
        by.tunnel, far.replies = far, [reply()]
        monkeypatch.setenv(variable, by.root.replace("://", "://ann:word@"))
        far.url = far.url.replace("127.0.0.1", "api.example")
        get(far)

    assert (by.paths, far.paths) == ([f"CONNECT {far.root.removeprefix('https://')}"], ["/v1/threads/t"])
    assert by.headers[0]["proxy-authorization"] == "Basic YW5uOndvcmQ="
    assert "authorization" not in by.headers[0]
    assert far.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "proxy-authorization" not in far.headers[0]
    assert by.carried
    assert KEY.encode() not in by.carried


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("variable", PROXIES[:3])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_stands_between_us_and_this_machine(
    scheme: str, variable: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_proxies(monkeypatch)
    tls = certificate(tmp_path / "cert.pem", "localhost", "127.0.0.1") if scheme == "https" else None
    if tls is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with serving() as by, serving(tls) as near:
        by.replies = near.replies = [reply()]
        by.tunnel = near
        monkeypatch.setenv(variable, by.root)
        monkeypatch.setenv(variable.upper(), by.root)
        asyncio.run(everything(near.url.replace("127.0.0.1", name)))

    assert (by.paths, len(near.paths)) == ([], 3)


async def everything(url: str) -> None:
    """Ask, delete and download."""

    class Away:
        def write(self, data: bytes) -> None: ...

        def restart(self) -> None: ...

    async with asyncio.timeout(60), HttpTransport(profile(url), Pace(1)) as transport:
        assert (await transport.get("/threads/t")).status == 200
        assert (await transport.delete("/threads/t")).status == 200
        assert (await transport.download("/files/f/content", Away())).status == 200


def test_a_client_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_CLIENT", "curl")
    with pytest.raises(UsageError, match="EXPORTER_CLIENT is 'curl', and there are lean and sdk"):
        HttpTransport(profile("https://h/v1"), Pace(1))


def test_a_used_up_quota_is_not_asked_again(server: Server) -> None:
    server.replies = [reply(429, b'{"error":{"code":"insufficient_quota"}}')]

    assert get(server)[1].requests == 1


def test_a_429_slows_the_pace(server: Server) -> None:
    server.replies = [reply(429), reply()]
    pace = Pace(4)

    async def story() -> None:
        async with HttpTransport(profile(server.url), pace) as transport:
            await transport.get("/x")

    asyncio.run(story())

    assert pace.allowance.careful


def test_who_asks_to_be_left_alone_for_long_is_not_waited_for(server: Server) -> None:
    server.replies = [reply(429, Retry_After="86400"), reply()]

    async def twice() -> None:
        async with asyncio.timeout(10), HttpTransport(profile(server.url), Pace(1)) as transport:
            with pytest.raises(Temporary):
                await transport.get("/x")
            await transport.get("/x")

    asyncio.run(twice())


def test_a_budget_is_never_passed(server: Server) -> None:
    server.replies = [reply(500)]
    with pytest.raises(BudgetReached, match="run again"):
        get(server, budget=Budget(2))

    assert len(server.paths) == 2


def test_no_redirect_is_followed(server: Server) -> None:
    server.replies = [reply(307, b"", Location="http://127.0.0.1:1/steal")]
    answer, _ = get(server)

    assert (answer.status, len(server.paths)) == (307, 1)


@pytest.mark.parametrize("status", [200, 404])
def test_a_body_without_end_is_refused(server: Server, status: int) -> None:
    server.replies = [reply(status, b"x" * 5000)]
    with pytest.raises(BadAnswer, match="longer than 1,000 bytes"):
        get(server, max_bytes=1000)


def test_a_server_that_says_nothing_runs_into_the_timeout() -> None:
    async def story() -> None:
        came: list[asyncio.Task[None] | None] = []

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append(asyncio.current_task())
            await reader.read()
            writer.close()

        listener = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        transport = HttpTransport(profile(f"http://127.0.0.1:{port}"), Pace(1), timeout=(1.0, 0.05))
        try:
            await transport.get("/x")
        finally:
            await transport.aclose()
            listener.close()
            await asyncio.gather(*filter(None, came))

    with pytest.raises(Temporary, match="no answer in time"):
        asyncio.run(story())


@pytest.mark.parametrize("bad", [reply(500), None, reply(200, b"half", Content_Length="100"), reply(200, b"x" * 5000)])
def test_the_key_is_in_no_error(server: Server, bad: Reply | None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies = [bad]
    with pytest.raises(ExporterError) as caught:
        get(server, max_bytes=1000)

    # no SDK exception hangs on ours: it would hold the request with its headers
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text


def test_a_server_that_repeats_the_key_is_not_quoted(server: Server) -> None:
    server.replies = [reply(401, f"Incorrect API key provided: {KEY}".encode())]

    assert get(server)[0].body == b"Incorrect API key provided: ***"


ODD = "odd/key+with==signs&more"
"A key that looks otherwise in an address and in JSON."
SPELLED = {
    "as it is": ODD,
    "in an address": quote(ODD, safe=""),
    "in an address, small": re.sub("%..", lambda one: one[0].lower(), quote(ODD, safe="")),
    "in a path": quote(ODD),
    "as one letter only": ODD.replace("+", "%2B"),
    "in JSON": ODD.replace("/", "\\/"),
    "in careful JSON": ODD.replace("+", "\\u002B").replace("=", "\\u003d").replace("&", "\\u0026"),
    "in JSON in JSON": ODD.replace("/", "\\\\/").replace("+", "\\\\u002B"),
}


@pytest.mark.parametrize("said", SPELLED.values(), ids=SPELLED)
def test_however_a_server_writes_a_secret_it_is_not_quoted(server: Server, said: str) -> None:
    async def story(one: Profile) -> Answer:
        async with HttpTransport(one, Pace(1)) as transport:
            return await transport.get("/threads/t")

    server.replies = [reply(400, b"\xff before " + said.encode() + b" after", X_Odd=said)]
    as_key = asyncio.run(story(Profile(base_url=server.url, key=Secret(ODD))))
    in_query = asyncio.run(story(profile(f"{server.url}?a=b&code={quote(ODD, safe='')}")))

    for answer in (as_key, in_query):
        assert answer.body == b"\xff before *** after"
        assert answer.headers["x-odd"] == "***"


def test_a_query_of_the_base_url_that_a_server_repeats_is_not_quoted_and_a_version_is(server: Server) -> None:
    server.replies = [reply(404, b"")]
    server.url += "?api-version=2024-05-01-preview&x=short&code=marked+7e1d%2B9c2e"
    get(server)
    server.replies = [reply(404, f"no route {server.paths[0]}".encode())]
    said = get(server)[0].body

    assert said == b"no route /v1/threads/t?api-version=2024-05-01-preview&x=short&code=***"


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(HttpTransport(profile("https://api.example/v1"), Pace(1)))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com",
        "ftp://x/v1",
        "http://",
        "https://a b/",
        "https://x:99999/",
        "https://x:abc/",
        "https://[::1/",
        "https://\u0001x/",
        "https://xn--\u00e9" + "a" * 70,
        "https://x/#f",
        "https://x/v1#pw",
        "https://x/#/v1?pw",
        "https://user:pw@host/v1",
        "https://user:pw#@host/v1",
        "https://user:a#pw@host/v1",
        "https://user:pw?a@host:bad/v1",
        "https://user:a?pw@host:bad/v1",
        "https://host:bad/v1?code=a@pw",
        "https://host:bad/v1#a@pw",
        "ftp://user:pw@host/v1?pw#pw",
        "http://api.example.com/v1",
        "http://10.0.0.1/v1",
    ],
)
def test_odd_base_urls_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        HttpTransport(profile(url), Pace(1))

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("place", [
    "127.0.0.1%2eevil.example", "127.0.0.1%x.evil.example:1", "127.0.0.1%", "localhost%2eevil.example",
    "[::1%25.evil.example]", "[::1%eth0]:1", "[::1].evil.example", "[::1]evil.example:1", "evil.example[::1]", "[v1.x]",
    "[127.0.0.1]", "[::1][::1]",
])  # fmt: skip
@pytest.mark.parametrize("key", ["", KEY])
def test_a_host_that_another_may_read_otherwise_is_refused(place: str, key: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(UsageError, match=r"its host|cannot be read"):
            HttpTransport(Profile(base_url=f"{scheme}://{place}/v1", key=Secret(key)), Pace(1))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:8/v1", "https://h/v1"])
def test_a_key_goes_over_tls_or_stays_on_this_machine(url: str) -> None:
    HttpTransport(profile(url), Pace(1))


@pytest.mark.parametrize("key", ["sk-\u00e9", "sk-a\nb", "sk a"])
def test_a_key_that_no_header_holds_is_refused_unseen(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        HttpTransport(Profile(key=Secret(key)), Pace(1))

    assert key not in str(caught.value)


@pytest.mark.parametrize("who", [{"organization": "org\nb"}, {"project": "pröj"}])
def test_an_organization_or_project_that_no_header_holds_is_refused(who: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"profile default: the {next(iter(who))} has characters"):
        HttpTransport(Profile(key=Secret("sk-1"), **who), Pace(1))


@pytest.mark.parametrize("variable", [{"SSL_CERT_FILE": "/nowhere"}, {"ALL_PROXY": "gopher://user:word@127.0.0.1:1"}])
def test_a_setting_of_this_machine_that_prevents_connections_is_named(
    server: Server, variable: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    server.url, server.replies = "https://api.example/v1", [reply()]

    with pytest.raises(ProfileUnusable, match=r"SSL_CERT_FILE.*ALL_PROXY") as caught:
        get(server)
    assert "word" not in str(caught.value)


def test_authorities_are_read_where_somebody_is_to_be_believed_and_only_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_CLIENT", "lean")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    server.replies = [reply()]
    assert get(server)[0].status == 200

    server.url = server.url.replace("http:", "https:")
    with pytest.raises(ProfileUnusable, match="SSL_CERT_FILE"):
        get(server)


@pytest.mark.parametrize("named", ["SSL_CERT_FILE", "SSL_CERT_DIR", None])
def test_an_authority_that_the_environment_names_is_believed_and_no_other(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificate(tmp_path / "cert.pem", "localhost")
    subject = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes()).subject.public_bytes()
    hashed = int.from_bytes(hashlib.sha1(subject[2:], usedforsecurity=False).digest()[:4], "little")
    (tmp_path / f"{hashed:08x}.0").write_bytes((tmp_path / "cert.pem").read_bytes())  # the name that is looked for
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if named:
        monkeypatch.setenv(named, str(tmp_path if named == "SSL_CERT_DIR" else tmp_path / "cert.pem"))
    with serving(tls) as far:
        far.url, far.replies = far.url.replace("127.0.0.1", "localhost"), [reply()]
        if named is None:
            with pytest.raises(Temporary):
                get(far)
            assert far.paths == []
            return
        assert get(far)[0].status == 200


def test_what_only_says_that_an_answer_will_come_is_not_the_answer(server: Server) -> None:
    server.early, server.replies = True, [reply(body=b'{"a":1}')]
    answer, transport = get(server, times=2)

    assert (answer.status, answer.body, "link" in answer.headers) == (200, b'{"a":1}', False)
    assert transport.requests == 2


def test_without_a_key_only_this_machine_is_asked() -> None:
    HttpTransport(Profile(base_url="http://localhost:8000/v1"), Pace(1))
    with pytest.raises(CredentialsRefused, match="OPENAI_API_KEY"):
        HttpTransport(Profile(), Pace(1))


@pytest.mark.parametrize(("url", "endpoint"), [
    ("https://API.OpenAI.com:443/v1/", "https://api.openai.com/v1"), ("HTTP://localhost:80", "http://localhost"),
    ("http://localhost:8080/v1//", "http://localhost:8080/v1"), ("https://[::1]/V1?a=b", "https://[::1]/V1"),
    ("https://user:pw@host/v1", "https://host/v1"),
])  # fmt: skip
def test_one_endpoint_has_one_name(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint
    assert endpoint_of(endpoint) == endpoint


@pytest.mark.parametrize(("headers", "seconds"), [
    ({}, None), ({"retry-after": "3"}, 3.0), ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after": "nan"}, None), ({"retry-after": "soon"}, None), ({"retry-after": "-1"}, None),
    ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0), ({"retry-after": "Thu, 01 Jan 1970 00:00:00"}, 0.0),
    ({"retry-after": "Sat, 21 Nov 2026 21:53:03 +999999999999999999"}, None),
])  # fmt: skip
def test_how_long_the_server_wants_us_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(("left", "most", "reset", "rate"), [
    ("5", "100", "1s", 95.0), ("0", "60", "1m0s", 1.0), ("0", "10", "20ms", 500.0), ("0", "3600", "1h", 1.0),
    ("0", "9", "4.5", 2.0),
    ("50", "100", "1s", None), ("0", "100", "0s", None), ("0", "100", "", None), ("x", "100", "1s", None),
    ("0", "inf", "1s", None), ("0", "nan", "1s", None), ("0", "100", "soon", None),
    ("0", "0", "1s", None), ("0", "1", "inf", None),
])  # fmt: skip
def test_a_server_may_say_how_much_is_left(left: str, most: str, reset: str, rate: float | None) -> None:
    said = {"remaining": left, "limit": most, "reset": reset}
    headers = {f"x-ratelimit-{word}-requests": text for word, text in said.items()}

    assert refill(headers) == (rate and pytest.approx(rate))
    assert refill({**headers, "x-ratelimit-remaining-requests": ""}) is None
    assert refill({}) is None


def test_a_server_with_little_left_sets_the_pace(server: Server) -> None:
    little = {
        f"X-RateLimit-{word}-Requests": text for word, text in (("remaining", "0"), ("limit", "9"), ("reset", "1s"))
    }
    server.replies = [(200, little, b"{}")]
    pace = Pace(4)

    async def story() -> None:
        async with HttpTransport(profile(server.url), pace) as transport:
            await transport.get("/x")

    asyncio.run(story())

    assert pace.tempo.rate == pytest.approx(9, rel=0.05)


def test_waiting_is_what_the_server_says_else_longer_each_time_and_never_much() -> None:
    waits = [[backoff(Again("x", attempt=attempt)) for _ in range(200)] for attempt in range(1, 9)]

    assert [backoff(Again("x", after)) for after in (3.0, 121.0)] == [3.0, False]
    assert backoff(ValueError()) is False
    assert all(0 <= wait <= 30 for row in waits for wait in row)
    assert max(waits[0]) < max(waits[7])


@pytest.mark.parametrize(
    ("status", "headers", "again"),
    [(200, {}, False), (500, {"x-should-retry": "false"}, False), (404, {}, False), (429, {}, True)],
)
def test_the_server_decides_what_to_ask_again(status: int, headers: dict[str, str], again: bool) -> None:
    assert retryable(Answer(status, headers, b"")) is again
