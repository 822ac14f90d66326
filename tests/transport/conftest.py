"""What all tests of requests share: each runs over both clients, against a server that answers what it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from tests.serving import Server, serving


@pytest.fixture(autouse=True, params=["lean", "sdk"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What carries the requests: all of this holds for both."""
    monkeypatch.setenv("EXPORTER_CLIENT", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4):
        yield


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as told:
        yield told
