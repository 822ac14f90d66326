"""The listener: on a loopback address only, until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import UsageError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

EXTRA = "pip install 'conversation-exporter[view]'"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Where an archive can be looked at."""

    root: str
    "http://127.0.0.1:PORT"
    token: str

    @property
    def url(self) -> str:
        """The address to open; who has it may read everything."""
        return self.url_of("/")

    def url_of(self, path: str) -> str:
        """Return the address that opens a page, given with its query."""
        return f"{self.root}{path or '/'}{'&' if '?' in path else '?'}token={self.token}"


def serve(
    archive: Path, host: str = "127.0.0.1", port: int = 0, *, ready: Callable[[Viewer], None] | None = None
) -> None:
    """Answer until Ctrl-C or SIGTERM; `ready` is told the address as soon as it can be opened.

    Raises `UsageError` for an address that is not this machine's own, or is taken.
    """
    with listening(host, port) as listener:
        viewer = Viewer(_root(listener), secrets.token_urlsafe(24))
        server = server_of(archive, viewer)
        if ready is not None:
            ready(viewer)  # it listens already; who comes early waits for a moment
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listener])


def server_of(archive: Path, viewer: Viewer) -> uvicorn.Server:
    """Return the server that answers for an archive at an address."""
    try:
        import uvicorn
    except ImportError as error:
        raise missing(error) from None
    config = uvicorn.Config(
        app_of(archive, viewer),
        log_level="critical",
        access_log=False,  # an address may hold the token
        lifespan="off",
        ws="none",
        loop="asyncio",
        http="h11",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def app_of(archive: Path, viewer: Viewer) -> ASGIApp:
    """Return the application, with its guard before it."""
    try:
        from exporter.view._guard import Guard
        from exporter.view._pages import build
    except ImportError as error:
        raise missing(error) from None
    port = viewer.root.rpartition(":")[2]
    own = viewer.root.removeprefix("http://")
    hosts = dict.fromkeys((own, *(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))))
    return Guard(build(archive), viewer.token, hosts)


def missing(error: ImportError) -> UsageError:
    """Say what to install."""
    return UsageError(f"{error.name} is not installed; {EXTRA}")


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on a loopback address; `UsageError` for any other one."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(f"{host[:80]!r} is not an address of this machine alone; take 127.0.0.1 or ::1")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # with the protocol named, asyncio turns Nagle's delay off: 1 ms an answer instead of 41
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((str(address), port))
            listener.listen(128)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {error.strerror}; name another --port, or none"
            ) from None
        yield listener


def _root(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
