"""Who may ask: nobody without the token, from elsewhere, under another name; and nobody may do more than read."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from exporter.errors import UsageError
from exporter.view import Viewer
from exporter.view._guard import HEADERS, POLICY
from exporter.view._server import app_of, listening
from tests.view import library
from tests.view.asking import ROOT, TOKEN, client

ROUTES = (
    *("/", "/list", "/search?q=x", "/t/conversations/conv_one", "/part/conversations/conv_one", "/static/view.js"),
    *("/static/style.css", "/static/icon.svg", "/blob/" + "0" * 64, "/nowhere", "/t/conversations/none", "//", "/%00"),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library.long(tmp_path_factory.mktemp("guard") / "archive", 3)


@pytest.fixture(scope="module")
def known(path: Path) -> TestClient:
    return client(path)


@pytest.fixture
def stranger(path: Path) -> TestClient:
    return client(path, known=False)


def held(headers: Any) -> None:
    for name, value in HEADERS.items():
        if name != "Content-Security-Policy":
            assert headers[name] == value
    assert headers["Content-Security-Policy"] in (POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'")
    assert "server" not in headers


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_has_the_headers(known: TestClient, stranger: TestClient, route: str) -> None:
    for who in (known, stranger):
        for method in ("GET", "HEAD", "POST"):
            held(who.request(method, route).headers)


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_token_there_is_nothing(stranger: TestClient, route: str) -> None:
    mark = "&" if "?" in route else "?"
    asked = ["", f"{mark}token=", f"{mark}token={TOKEN}x", f"{mark}token={TOKEN[:-1]}", f"{mark}token={TOKEN}&token=x"]
    for query in asked:
        answer = stranger.get(route + query)
        assert answer.status_code == 403
        assert "exporter view" in answer.text
        assert not answer.cookies
    for cookie in ("", TOKEN, "x"):
        assert stranger.get(route, headers={"Cookie": f"exporter-8000={cookie}"}).status_code == 403


@given(st.text())
def test_no_guess_is_the_token(text: str) -> None:
    from exporter.view._guard import _same

    assert _same(text, TOKEN) == (text == TOKEN)


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_has(stranger: TestClient) -> None:
    answer = stranger.get(f"/t/conversations/conv_one?at=2&token={TOKEN}")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/t/conversations/conv_one?at=2"
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"exporter-8000=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", cookie)
    assert TOKEN not in cookie
    assert stranger.get("/t/conversations/conv_one").status_code == 200


def test_a_redirect_stays_here(stranger: TestClient) -> None:
    for where in (f"//evil.example/?token={TOKEN}", f"/\\evil.example/?token={TOKEN}", f"/%0d%0aX:1?token={TOKEN}"):
        location = stranger.get(f"{ROOT}{where}").headers["location"]
        assert re.match(r"/(?![/\\])", location)
        assert "\r" not in location


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "localhost", "127.0.0.1:8000.evil", ""]
)
def test_other_names_lead_to_nothing(known: TestClient, route: str, host: str) -> None:
    answer = known.get(route, headers={"Host": host})

    assert answer.status_code == 421
    assert known.get("/", headers={"Host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "strange", "")),
        *({"Origin": origin} for origin in ("https://evil.example", "null", "http://127.0.0.1:8001", "")),
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
def test_requests_from_other_sites_are_refused(known: TestClient, route: str, headers: dict[str, str]) -> None:
    answer = known.get(route, headers=headers)

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert known.get(f"{route.partition('?')[0]}?token={TOKEN}", headers=headers).status_code == 403
    assert known.get("/", headers={"Sec-Fetch-Site": "same-origin", "Origin": ROOT}).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_nothing_can_be_done_but_reading(known: TestClient, route: str, method: str) -> None:
    answer = known.request(method, route)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("route", ROUTES)
def test_who_asks_for_the_head_gets_no_body(known: TestClient, route: str) -> None:
    whole, head = known.get(route), known.head(route)

    assert head.status_code == whole.status_code
    assert head.content == b""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "127.0.0.1.evil.example"])
def test_only_addresses_of_this_machine_are_taken(host: str) -> None:
    with pytest.raises(UsageError, match="this machine"), listening(host, 0):
        pass


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}"), listening("127.0.0.1", port):
            pass


@pytest.fixture
def process(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "exporter", "view", "-a", str(path), "--json", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_ends_at_once(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout
    told = json.loads(process.stdout.readline())
    assert told["message_type"] == "view"
    root, token = told["url"].split("/?token=")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(root)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(told["url"]) as answer:
        assert answer.url == f"{root}/"
        held(answer.headers)
        assert token not in answer.read().decode()
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=10)

    assert process.returncode in (0, 128 + number)
    assert "Traceback" not in err
    assert token not in out


def test_a_browser_may_open_the_same_page_twice_at_once(known: TestClient) -> None:
    assert known.get("/t/conversations/conv_one").text == known.get("/t/conversations/conv_one").text


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_is_no_request_gets_no_answer_and_no_page(kind: str, path: Path) -> None:
    said: list[object] = []

    async def nothing() -> dict[str, str]:
        raise AssertionError("nobody listens")

    async def send(message: object) -> None:
        said.append(message)

    app = app_of(path, Viewer(ROOT, TOKEN))
    asyncio.run(app({"type": kind, "path": "/", "headers": []}, nothing, send))  # type: ignore[arg-type]
    assert said == []
