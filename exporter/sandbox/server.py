"""Run a sandbox: `running(state)` in a thread for tests and demos, `serve(state)` until Ctrl-C for the command line.

Starting and stopping are bounded; the address is loopback unless told otherwise.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.errors import UsageError
from exporter.sandbox.state import State

if TYPE_CHECKING:
    import uvicorn

START_SECONDS = 10.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that answers."""

    url: str
    """Where the APIs are: http://127.0.0.1:PORT/v1."""
    state: State

    @property
    def root(self) -> str:
        """Where /_sandbox is: the URL without /v1."""
        return self.url.removesuffix("/v1")

    @property
    def azure(self) -> str:
        """Where a resource of Azure OpenAI is, with its keys."""
        return f"{self.root}/openai/v1"

    @property
    def azure_classic(self) -> str:
        """Where it was before v1: every request needs an api-version, a date."""
        return f"{self.root}/openai"

    def foundry(self, project: str = "proj_one") -> str:
        """Where a project of Microsoft Foundry has conversations and responses, for tokens of Entra ID."""
        return f"{self.foundry_classic(project)}/openai/v1"

    def foundry_classic(self, project: str = "proj_one") -> str:
        """Where a project has its agents' threads: every request needs api-version=v1."""
        return f"{self.root}/api/projects/{project}"


@contextlib.contextmanager
def running(state: State | None = None, *, port: int = 0, **switches: Any) -> Iterator[Running]:
    """Run a sandbox in a thread, on a free port of 127.0.0.1 or on this one; it has stopped when this returns.

    Raises `UsageError` where the port is taken.
    """
    state = state or State()
    state.switches = state.switches.with_changes(switches)
    with _listening("127.0.0.1", port) as listener:
        server = _server(state)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True, name="sandbox")
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError("the sandbox did not start")
                time.sleep(0.002)
            yield Running(_url(listener), state)
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS)
            server.force_exit = True
            thread.join(STOP_SECONDS)


def serve(
    state: State,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ready: Callable[[str], None] | None = None,
    anywhere: bool = False,
) -> None:
    """Run a sandbox until it is interrupted; `ready` gets the URL as soon as it answers.

    Only loopback addresses are taken, unless `anywhere`.
    """
    if not anywhere and not _loopback(host):
        raise UsageError(f"{host} is not a loopback address: the sandbox keeps no secrets; allow it explicitly")
    server = _server(state)
    with _listening(host, port) as listener:
        if ready is not None:
            waiter = threading.Thread(target=_when_started, args=(server, _url(listener), ready), daemon=True)
            waiter.start()
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listener])


def _when_started(server: uvicorn.Server, url: str, ready: Callable[[str], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.002)
    if server.started:
        ready(url)


def _server(state: State) -> uvicorn.Server:
    try:
        import uvicorn

        from exporter.sandbox.app import build
    except ImportError as error:
        raise UsageError(
            "the sandbox needs starlette and uvicorn: pip install 'conversation-exporter[sandbox]'"
        ) from error
    config = uvicorn.Config(
        build(state),
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        http="h11",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        server_header=False,
        h11_max_incomplete_event_size=1 << 20,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, asyncio turns Nagle's delay off: 1 ms an answer instead of 41
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UsageError(f"the sandbox cannot listen on {host}:{port}: {error.strerror}") from error
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
