"""A server that does as little as it can: it answers lists of messages, as the Assistants API prints them.

`python tests/bench/responder.py --messages 8` prints its base URL on one line and serves until it is terminated.
Any id from `thread_00000000` up to `--threads` is a thread; its messages are the same for all but for the ids. What a
client does not need to be believed is left out: no key is checked, nothing can be written.

GET {url}/stats answers how many requests came, how many were refused, how many bodies and bytes were sent.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import parse_qsl

from backports import zstd

KEY = b"@@@@@@@@"
"Stands for a thread's number in what is prepared."
THREAD = b"thread_"
BEGAN = 1_760_000_000
WORDS = (  # noqa: SIM905 - read as words
    "account answer archive because before between branch budget change client column commit context customer data "
    "decide detail during error every example export field figure follow history however index invoice known language "
    "ledger letter limit machine manager measure message month morning number often order other page password payment "
    "people please possible problem product question quickly reason record refund region report request result return "
    "review schedule season server should simple since status storage summary support system table thank thread ticket "
    "together token travel update useful value version visit warehouse week which window without would year yesterday"
).split()


@dataclass(frozen=True, slots=True)
class Shape:
    """What the server is like."""

    threads: int = 1_000_000
    messages: int = 8
    characters: int = 600
    "Of each message's text."
    latency: float = 0.0
    "Seconds before an answer is sent."
    rate: float | None = None
    "Requests a second; more are refused with 429."
    burst: float = 1.0
    "Seconds of the rate that may come at once."
    retry_after: str | None = "1"
    "What a refusal says, if anything."
    coding: str = "identity"
    "How bodies are packed for who takes it: gzip or zstd."


def message(number: int, characters: int) -> bytes:
    """Return a message of about 1.2 KB, printed over several lines as the API does."""
    dice = random.Random(number)
    text = ""
    while len(text) < characters:
        text += dice.choice(WORDS) + " "
    mine = number % 2 == 0
    body = {
        "id": f"msg_{KEY.decode()}{number:08d}",
        "object": "thread.message",
        "created_at": BEGAN + number * 7,
        "assistant_id": None if mine else "asst_abc123abc123abc123abc123",
        "thread_id": f"thread_{KEY.decode()}",
        "run_id": None if mine else f"run_{KEY.decode()}{number:08d}",
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": BEGAN + number * 7 + 3,
        "role": "user" if mine else "assistant",
        "content": [{"type": "text", "text": {"value": text.strip(), "annotations": []}}],
        "attachments": [],
        "metadata": {"channel": "web", "locale": "en", "turn": str(number)},
    }
    return json.dumps(body, indent=2).encode()


class Shelf:
    """What can be asked for, prepared: bodies in which only the thread's number is missing."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._messages = [message(number, shape.characters) for number in range(shape.messages)]
        self._page = lru_cache(4096)(self._printed)
        self.answer = self._answer if shape.coding == "identity" else lru_cache(65536)(self._answer)

    def _printed(self, start: int, stop: int, *, desc: bool) -> bytes:
        numbers = range(start, stop) if not desc else range(stop - 1, start - 1, -1)
        first, last = (f"msg_{KEY.decode()}{numbers[at]:08d}" if numbers else None for at in (0, -1))
        more = start > 0 if desc else stop < len(self._messages)
        tail = {"first_id": first, "last_id": last, "has_more": more}
        data = b",\n".join(self._messages[number] for number in numbers)
        return b'{\n"object": "list",\n"data": [' + data + b"],\n" + json.dumps(tail, indent=2).encode()[2:]

    def _answer(self, target: bytes) -> tuple[int, bytes]:
        """Return status and body, packed where bodies are."""
        status, body = self._found(target)
        if self._shape.coding == "gzip":
            return status, gzip.compress(body, 5)
        return status, zstd.compress(body, 3) if self._shape.coding == "zstd" else body

    def _found(self, target: bytes) -> tuple[int, bytes]:
        path, _, query = target.partition(b"?")
        _, _, rest = path.partition(b"/" + THREAD)
        key, _, what = rest.partition(b"/")
        if not (key.isdigit() and len(key) == len(KEY) and int(key) < self._shape.threads):
            text = f"No thread found with id '{(THREAD + key).decode('latin-1')}'."
            return 404, _error(text)
        if not what:
            body = {"id": f"thread_{key.decode()}", "object": "thread", "created_at": BEGAN, "metadata": {}}
            return 200, json.dumps(body, indent=2).encode()
        if what != b"messages":
            return 200, b'{"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false}'
        asked = dict(parse_qsl(query.decode("latin-1")))
        return self._listed(key, asked)

    def _listed(self, key: bytes, asked: dict[str, str]) -> tuple[int, bytes]:
        desc, limit, cursor = asked.get("order") != "asc", int(asked.get("limit", 20)), asked.get("after")
        count = len(self._messages)
        number = -1 if cursor is None else _number(cursor, key)
        if cursor is not None and not 0 <= number < count:
            return 404, _error(f"No message found with id '{cursor}'.")
        if desc:
            stop = count if cursor is None else number
            start = max(0, stop - limit)
        else:
            start = number + 1
            stop = min(count, start + limit)
        return 200, self._page(start, stop, desc=desc).replace(KEY, key)


def _number(cursor: str, key: bytes) -> int:
    head, tail = cursor[:12], cursor[12:]
    return int(tail) if head == f"msg_{key.decode()}" and tail.isdigit() else -1


def _error(text: str) -> bytes:
    return json.dumps(
        {"error": {"message": text, "type": "invalid_request_error", "param": None, "code": None}}
    ).encode()


class Desk:
    """Counts, and refuses what comes too fast: a bucket that fills at the rate and holds a burst of it."""

    def __init__(self, shape: Shape, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = shape.rate, clock
        self._most = max(1.0, (shape.rate or 0.0) * shape.burst)
        self._left, self._at = self._most, clock()
        self.requests = self.refused = self.sent = 0
        self.date = b""
        self._date_at = 0.0

    def takes(self) -> bool:
        """Whether a request is answered."""
        self.requests += 1
        now = self._clock()
        if now - self._date_at >= 1:
            self.date, self._date_at = formatdate(usegmt=True).encode(), now
        if self._rate is None:
            return True
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True

    def stats(self) -> bytes:
        """What was counted, as JSON."""
        return json.dumps({"requests": self.requests, "refused": self.refused, "bytes": self.sent}).encode()


class Responder(asyncio.Protocol):
    """One connection."""

    def __init__(self, shape: Shape, shelf: Shelf, desk: Desk) -> None:
        self._shape, self._shelf, self._desk = shape, shelf, desk
        self._got = b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            head, self._got = self._got[:end], self._got[end + 4 :]
            reply = self._reply(head)
            if self._shape.latency:
                self._loop.call_later(self._shape.latency, self._send, reply)
            else:
                self._send(reply)

    def _send(self, reply: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._desk.sent += len(reply)
            self._transport.write(reply)

    def _reply(self, head: bytes) -> bytes:
        target = head.split(b" ", 2)[1]
        if target.endswith(b"/stats"):
            return self._printed(200, self._desk.stats(), b"")
        if not self._desk.takes():
            said = self._shape.retry_after
            return self._printed(
                429, _error("Rate limit reached."), f"Retry-After: {said}\r\n".encode() if said else b""
            )
        coding = self._shape.coding
        if coding == "identity":
            return self._printed(*self._shelf.answer(target), b"")
        if coding.encode() not in head.lower().partition(b"accept-encoding:")[2].partition(b"\r\n")[0]:
            raise SystemExit(f"the client does not take {coding}")
        return self._printed(*self._shelf.answer(target), f"Content-Encoding: {coding}\r\n".encode())

    def _printed(self, status: int, body: bytes, more: bytes) -> bytes:
        return (
            b"HTTP/1.1 %d OK\r\nDate: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
            % (status, self._desk.date, more, len(body))
        ) + body


async def serve(shape: Shape, port: int = 0) -> None:
    """Print the base URL and answer for ever."""
    shelf, desk = Shelf(shape), Desk(shape)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Responder(shape, shelf, desk), "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    gc.freeze()
    await server.serve_forever()


def main() -> None:
    """Serve what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Shape()
    parser.add_argument("--threads", type=int, default=usual.threads)
    parser.add_argument("--messages", type=int, default=usual.messages, help="of each thread")
    parser.add_argument("--characters", type=int, default=usual.characters, help="of each message's text")
    parser.add_argument("--latency", type=float, default=usual.latency, help="seconds")
    parser.add_argument("--rate", type=float, help="requests a second; more are refused")
    parser.add_argument("--burst", type=float, default=usual.burst, help="seconds of the rate that may come at once")
    parser.add_argument("--retry-after", default=usual.retry_after, help="what a refusal says; empty for nothing")
    parser.add_argument("--coding", choices=["identity", "gzip", "zstd"], default=usual.coding)
    parser.add_argument("--port", type=int, default=0)
    said = vars(parser.parse_args())
    port = said.pop("port")
    said["retry_after"] = said["retry_after"] or None
    asyncio.run(serve(Shape(**said), port))


if __name__ == "__main__":
    main()
