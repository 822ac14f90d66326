"""A small HTTP server that answers what a test tells it, honest or not, and notes what it was asked."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Reply = tuple[int, dict[str, str], bytes]
DRIP = b"one byte after the other, for ever"
"A body that is sent so until the other side goes away, or for some seconds."
DRIP_SECONDS = 20.0
TUNNEL_SECONDS = 20.0


@dataclass
class Server:
    """What it answers, one after the other (the last for ever; None hangs up), and what it was asked."""

    url: str = ""
    replies: list[Reply | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    early: bool = False
    "Whether it says first that an answer will come."
    tunnel: Server | None = None
    "Where it leads who takes it for a proxy; None refuses."
    carried: bytearray = field(default_factory=bytearray)
    "What it was given to carry there."
    left: threading.Event = field(default_factory=threading.Event)
    "Set when the other side went away in the middle of a body."

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")


def reply(status: int = 200, body: bytes = b'{ "a" : 1.10 }', **headers: str) -> Reply:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server on a free port of this machine."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.paths.append(self.path)
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = told.replies.pop(0) if len(told.replies) > 1 else told.replies[0]
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            if told.early:
                self.send_response_only(103)
                self.send_header("Link", "</x>; rel=preload")
                self.end_headers()
            length = 2**40 if body is DRIP else len(body)
            headers = {"Content-Length": str(length)} | headers
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self._send(body)
            except OSError:
                told.left.set()
                self.close_connection = True
            if int(headers["Content-Length"]) > len(body):
                self.close_connection = True

        do_DELETE = do_GET  # noqa: N815 - what the base class looks for

        def do_CONNECT(self) -> None:
            told.paths.append(f"CONNECT {self.path}")
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            if told.tunnel is None:
                self.send_error(403)
                return
            self.send_response_only(200)
            self.end_headers()
            port = urlsplit(told.tunnel.url).port or 0
            with socket.create_connection(("127.0.0.1", port), TUNNEL_SECONDS) as there:
                self._carry(there)
            self.close_connection = True

        def _carry(self, there: socket.socket) -> None:
            other = {self.connection: there, there: self.connection}
            while ready := select.select(list(other), [], [], TUNNEL_SECONDS)[0]:
                for end in ready:
                    data = end.recv(2**16)
                    if not data:
                        return
                    if end is self.connection:
                        told.carried += data
                    other[end].sendall(data)

        def _send(self, body: bytes) -> None:
            if body is not DRIP:
                self.wfile.write(body)
                return
            until = time.monotonic() + DRIP_SECONDS
            while time.monotonic() < until:
                self.wfile.write(b".")
                time.sleep(0.01)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"{'https' if tls else 'http'}://127.0.0.1:{httpd.server_address[1]}/v1"
    try:
        yield told
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
