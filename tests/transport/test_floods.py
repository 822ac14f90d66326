"""Answers that never end, in all the places where HTTP lets a server go on: each ends loud, in time and in memory."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from backports import zstd

from exporter.errors import BadAnswer, Temporary
from exporter.model import Profile, Secret
from exporter.pacing import Pace
from exporter.sources import Answer
from exporter.transport import HttpTransport
from tests.serving import Server, reply
from tests.transport.test_download import Kept

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
LASTS = 60.0
"Seconds until a flood is over by itself."


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass(frozen=True)
class Flood:
    """What is sent first, and then what again and again."""

    first: bytes
    then: bytes
    pause: float = 0.05
    times: int = 10**9
    last: bytes = b""

    def refusing(self) -> Flood:
        return replace(self, first=self.first.replace(b"200 OK", b"404 Not Found"))


STORED = gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff"
HOLLOW = {
    "gzip": Flood(OK + b"Content-Encoding: gzip\r\n\r\n", chunk(gzip.compress(b"") * 10_000)),
    "zstd": Flood(OK + b"Content-Encoding: zstd\r\n\r\n", chunk(zstd.compress(b"") * 10_000)),
    "stored": Flood(OK + b"Content-Encoding: gzip\r\n\r\n" + chunk(STORED[0]), chunk(STORED[1] * 40_000)),
}
"Packed content that is packing only."
ENDLESS = {
    "continue": Flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.1),
    "continue fast": Flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "header": Flood(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.1),
    "chunk extension": Flood(OK + b"\r\n5;a=", b"a", 0.1),
    "chunk extension fast": Flood(OK + b"\r\n5;a=", b"a" * 100_000),
}
"What is no content at all."


@contextmanager
def flooding(flood: Flood) -> Iterator[str]:
    """Run a server that answers everything so; yields its address."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def answer(connection: socket.socket) -> None:
        until = time.monotonic() + LASTS
        with connection:
            connection.settimeout(1.0)
            try:
                connection.recv(65536)
                connection.sendall(flood.first)
                for _ in range(flood.times):
                    if over.wait(flood.pause) or time.monotonic() > until:
                        break
                    connection.sendall(flood.then)
                connection.sendall(flood.last)
            except OSError:
                return

    def listen() -> None:
        answering: list[threading.Thread] = []
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            answering.append(threading.Thread(target=answer, args=(connection,)))
            answering[-1].start()
        for thread in answering:
            thread.join()

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listening.join()
        listener.close()


def ask(root: str, way: str, patience: float) -> tuple[Answer, bytes]:
    """Ask over one way; returns the answer, and what was downloaded."""
    sink = Kept()

    async def story() -> Answer:
        profile = Profile(base_url=f"{root}/v1", key=Secret("sk-x"))
        async with (
            asyncio.timeout(LASTS / 2),
            HttpTransport(profile, Pace(1), patience=patience, timeout=(0.5, 0.5)) as transport,
        ):
            if way == "get":
                return await transport.get("/x")
            return await transport.delete("/x") if way == "delete" else await transport.download(way, sink)

    return asyncio.run(story()), sink.content


@pytest.mark.parametrize("way", ["get", "/x", "away"])
@pytest.mark.parametrize("flood", HOLLOW.values(), ids=HOLLOW)
def test_packed_content_that_is_packing_only_is_refused(flood: Flood, way: str) -> None:
    with flooding(flood) as root, pytest.raises(BadAnswer, match="hardly anything"):
        ask(root, f"{root}/x" if way == "away" else way, patience=600.0)


@pytest.mark.parametrize("way", ["get", "/x"])
def test_a_refusal_that_is_packing_only_is_refused(way: str) -> None:
    with flooding(HOLLOW["gzip"].refusing()) as root, pytest.raises((BadAnswer, Temporary)):
        ask(root, way, patience=0.5)


def test_of_what_another_server_refuses_the_beginning_is_read() -> None:
    with flooding(HOLLOW["gzip"].refusing()) as root:
        assert ask(root, f"{root}/x", patience=600.0)[0].status == 404


@pytest.mark.parametrize("way", ["get", "/x", "away"])
@pytest.mark.parametrize("flood", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_or_content_ends(flood: Flood, way: str) -> None:
    with flooding(flood) as root, pytest.raises(Temporary, match=r"too slowly|no whole answer|only said"):
        ask(root, f"{root}/x" if way == "away" else way, patience=0.5)


@pytest.mark.parametrize("way", ["get", "/x", "away"])
def test_a_refusal_without_end_or_content_ends(way: str) -> None:
    with flooding(ENDLESS["chunk extension"].refusing()) as root, pytest.raises(Temporary, match="too slowly"):
        ask(root, f"{root}/x" if way == "away" else way, patience=0.5)


def test_a_deletion_that_is_answered_without_end_may_have_been_done() -> None:
    with flooding(ENDLESS["header"]) as root, pytest.raises(Temporary, match="whether it was done is not known"):
        ask(root, "delete", patience=0.5)


def test_what_only_says_that_an_answer_will_come_is_not_heard_for_ever(client: str) -> None:
    if client != "lean":
        pytest.skip("the SDK counts none; it ends in time")
    with flooding(ENDLESS["continue fast"]) as root, pytest.raises(Temporary, match="only said that one will come"):
        ask(root, "get", patience=600.0)


def test_an_answer_that_takes_longer_than_the_patience_but_comes_is_waited_for() -> None:
    piece = bytes(range(256)) * 200
    slow = Flood(OK + b"\r\n", chunk(piece), pause=0.25, times=12, last=b"0\r\n\r\n")
    with flooding(slow) as root:
        assert ask(root, "get", patience=2.0)[0].body == piece * 12


def test_hardly_compressible_content_may_be_packed_in_a_little_more(server: Server) -> None:
    content = random.Random(4).randbytes(2**21)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(
        packer.compress(content[at : at + 64]) + packer.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(content), 64)
    )
    server.replies = [reply(200, packed + packer.flush(), Content_Encoding="gzip")]

    assert len(packed) > 1.1 * len(content)
    assert ask(server.root, "get", patience=600.0)[0].body == content
    assert ask(server.root, "/x", patience=600.0)[1] == content
