"""A sandbox and a connection to it, for all tests of a module."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import stamina

from exporter.model import Profile, Secret
from exporter.pacing import Pace
from exporter.sandbox import State, running
from exporter.transport import SdkTransport
from tests.sources.lines import Line


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with stamina.set_testing(True, attempts=3), running(State()) as sandbox, asyncio.Runner() as runner:
        transport = SdkTransport(Profile(base_url=sandbox.url, key=Secret("sk-sandbox-one")), Pace(4))
        yield Line(sandbox, transport, runner)
        runner.run(transport.aclose())
