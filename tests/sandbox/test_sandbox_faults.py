"""Each fault strikes as it is named; limits and delays hold."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI

from exporter.sandbox import FAULTS, Running, State, Switches, running

PATH = "/conversations/conv_seed1x00000/items"
HEADERS = {"Authorization": "Bearer sk-sandbox-one"}


@pytest.fixture(scope="module")
def module_sandbox() -> Iterator[Running]:
    with running(State.seed(threads=1, messages=3, conversations=1, items=20)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(module_sandbox: Running) -> Iterator[Running]:
    yield module_sandbox
    module_sandbox.state.switches = Switches()


def get(sandbox: Running) -> httpx.Response:
    return httpx.get(sandbox.url + PATH, headers=HEADERS, timeout=5, verify=False)


STATUS = {
    "error_500": (500, "server_error"),
    "error_503": (503, "overloaded"),
    "quota": (429, "insufficient_quota"),
    "storm": (429, "requests"),
    "api_removed": (404, "invalid_request_error"),
    "wrong_region": (401, "invalid_request_error"),
}


@pytest.mark.parametrize("fault", STATUS)
def test_an_http_error_has_its_envelope(sandbox: Running, fault: str) -> None:
    sandbox.state.switches = Switches(fault=fault)
    answer = get(sandbox)

    assert (answer.status_code, answer.json()["error"]["type"]) == STATUS[fault]
    assert "conv_seed1x00000'" not in answer.text


@pytest.mark.parametrize("fault", ["malformed_json", "cut_json", "html", "empty_body"])
def test_a_body_that_is_not_json_comes_with_200(sandbox: Running, fault: str) -> None:
    sandbox.state.switches = Switches(fault=fault)
    answer = get(sandbox)

    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        json.loads(answer.content)


def test_html_502(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="html_502")

    assert (get(sandbox).status_code, get(sandbox).headers["content-type"]) == (502, "text/html")


def test_the_right_body_called_something_else(sandbox: Running) -> None:
    honest = get(sandbox)
    sandbox.state.switches = Switches(fault="wrong_content_type")
    answer = get(sandbox)

    assert answer.content == honest.content
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_right_body_slowly(sandbox: Running) -> None:
    honest = get(sandbox)
    sandbox.state.switches = Switches(fault="slow_drip")

    assert get(sandbox).content == honest.content


def test_a_reset_and_a_truncated_body_break_the_connection(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="reset")
    with pytest.raises(httpx.ReadError):
        get(sandbox)
    assert sandbox.state.requests[-1].status == 0
    sandbox.state.switches = Switches(fault="truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        get(sandbox)


def test_a_wrong_length_breaks_at_the_end(sandbox: Running) -> None:
    whole = len(get(sandbox).content)
    sandbox.state.switches = Switches(fault="wrong_length")
    with pytest.raises(httpx.RemoteProtocolError, match=rf"received {whole} bytes, expected {whole + 10}"):
        get(sandbox)


def test_the_right_body_without_a_length(sandbox: Running) -> None:
    honest = get(sandbox)
    sandbox.state.switches = Switches(fault="no_length")
    answer = get(sandbox)

    assert answer.content == honest.content
    assert "content-length" in honest.headers
    assert "content-length" not in answer.headers


def test_an_endless_body_ends_when_the_client_goes(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="endless")
    seen = 0
    with httpx.stream("GET", sandbox.url + PATH, headers=HEADERS, timeout=5) as answer:
        for piece in answer.iter_bytes():
            seen += len(piece)
            if seen > 1_000_000:
                break
    sandbox.state.switches = Switches()

    assert answer.status_code == 200
    assert get(sandbox).status_code == 200


def test_a_redirect_leads_elsewhere(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="redirect", elsewhere="http://127.0.0.2:9")
    answer = get(sandbox)

    assert (answer.status_code, answer.headers["location"]) == (307, f"http://127.0.0.2:9/v1{PATH}")


def test_a_bomb_is_small_on_the_wire_and_a_gigabyte_is_not(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="gzip_bomb")
    with httpx.stream("GET", sandbox.url + PATH, headers=HEADERS, timeout=20) as answer:
        packed = b"".join(answer.iter_raw())
    unpacker = zlib.decompressobj(31)
    assert len(packed) < 2**21
    assert unpacker.decompress(packed, 2**20) == b" " * 2**20
    sandbox.state.switches = Switches(fault="gigabyte")
    with httpx.stream("GET", sandbox.url + PATH, headers=HEADERS, timeout=5) as answer:
        assert answer.headers["content-length"] == str(2**30)
        assert next(answer.iter_raw()).isspace()


def test_every_fault_is_tested_here() -> None:
    others = {"malformed_json", "cut_json", "html", "empty_body", "html_502", "wrong_content_type", "slow_drip"}
    sent = {"reset", "truncated", "wrong_length", "no_length", "endless", "redirect", "gzip_bomb", "gigabyte"}

    assert set(FAULTS) == set(STATUS) | others | sent


def test_every_third_request_twice_on_some_paths(sandbox: Running) -> None:
    sandbox.state.switches = Switches(fault="error_500", every=3, times=2, only="/items")
    seen = [get(sandbox).status_code for _ in range(10)]
    other = httpx.get(sandbox.url + PATH.rpartition("/")[0], headers=HEADERS)

    assert seen == [200, 200, 500, 200, 200, 500, 200, 200, 200, 200]
    assert other.status_code == 200


def test_the_rate_limit_says_when_to_come_back(sandbox: Running) -> None:
    sandbox.state.switches = Switches(rate=0.1, burst=2)
    answers = [get(sandbox) for _ in range(3)]
    limited = [answer for answer in answers if answer.status_code == 429]

    assert limited == answers[2:]
    assert limited[0].json()["error"]["code"] == "slow_down"
    assert limited[0].headers["retry-after"] == "10"
    assert 9000 <= int(limited[0].headers["retry-after-ms"]) <= 10_001
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"


def test_the_sdk_gets_through_the_rate_limit(sandbox: Running) -> None:
    sandbox.state.switches = Switches(rate=20)
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one", max_retries=5) as openai:
        items: list[Any] = list(openai.conversations.items.list("conv_seed1x00000", limit=5))

    assert len(items) == 20


def test_latency(sandbox: Running) -> None:
    sandbox.state.switches = Switches(latency=0.2)
    start = time.monotonic()
    get(sandbox)

    assert time.monotonic() - start >= 0.2


def test_starting_and_stopping_is_quick() -> None:
    start = time.monotonic()
    for _ in range(3):
        with running() as sandbox, httpx.Client() as http:
            assert http.get(sandbox.url).status_code == 404

    assert time.monotonic() - start < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_of_its_own_prints_its_url_first(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "exporter.sandbox", "--port", "0", "--items", "2", "--generated", "thread_g=500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = HEADERS | {"OpenAI-Beta": "assistants=v2"}
        page = httpx.get(f"{url}/threads/thread_g/messages", headers=headers).json()
        os.kill(process.pid, number)
        code = process.wait(10)

    assert page["last_id"] == "msg_generated00000480"
    assert code in (0, -number)
