"""Asks for one file: what the server says of it, then its bytes, or the text that is left of them.

Whatever goes wrong with a file is a reason in one word and a sentence, never an error: a file costs its thread
nothing but the file. After a refusal for want of a scope, and after too much trouble, nothing more is asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from exporter.errors import Temporary, ThreadError, UsageError
from exporter.model import FileRef, printable
from exporter.sources import Answer, Downloader, Sink, Transport
from exporter.sources._places import No, Place, Reason, place_of, refusal, text_place
from exporter.sources._refs import parsed
from exporter.sources._split import compact, name
from exporter.text import plain

PASSING: frozenset[str] = frozenset({"temporary", "missing_scope"})
"Reasons that the next visit may not meet again."

UNWELL = 10
"Files in a row that met trouble which may pass, before no more are asked for in this run."


class Server(Transport, Downloader, Protocol):
    """What is asked here: a transport that also streams."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of asking for one file; what is kept of it went into the sink."""

    form: Literal["bytes", "text"] | None = None
    "What went into the sink: the file, or its text in a vector store; None is nothing."
    reason: Reason | None = None
    "Why it is not the whole file; None where it is."
    detail: str | None = None
    "The reason in a sentence for people."
    object: bytes | None = None
    "What the server says of it, token by token as sent."
    name: str | None = None
    mime_type: str | None = None
    purpose: str | None = None


class _TooLarge(Exception):
    """More came than may be kept."""


class _Counted:
    """A sink that counts, and takes so much and no more."""

    def __init__(self, sink: Sink, most: int) -> None:
        self._sink, self._most = sink, most
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """See `Sink.write`."""
        self.bytes += len(data)
        if self.bytes > self._most:
            raise _TooLarge
        self._sink.write(data)

    def restart(self) -> None:
        """See `Sink.restart`."""
        self.bytes = 0
        self._sink.restart()


class FileDesk:
    """Where the files of one profile are asked for, and what refused them in this run."""

    def __init__(self, server: Server, most: int) -> None:
        self._server, self._most = server, most
        self._lacking: dict[str, str] = {}
        self._unwell = 0

    async def fetch(self, ref: FileRef, sink: Sink, stores: Callable[[], Iterable[str]] = tuple) -> Fetched:
        """Fetch a file into a sink; `stores` names the vector stores that may hold its text.

        Raises `BudgetReached`, a `SourceError` where the profile reaches nothing, and what the sink raises.
        """
        got, counted = _told(Fetched(name=ref.name), ref.object), _Counted(sink, self._most)
        try:
            place = place_of(ref)
            self._may_ask(place.family)
            if place.about is not None:
                got = _told(got, await self._about(place.about, place, ref))
            got = await self._content(place, ref, got, counted)
            if got.reason == "purpose_refused":
                got = await self._text(ref, got, counted, stores)
        except No as no:
            got = replace(got, reason=no.reason, detail=no.detail)
        except _TooLarge:
            got = replace(got, reason="too_large", detail=f"more than {self._most:,} bytes came; nothing was kept")
        except Temporary as error:
            got = replace(got, reason="temporary", detail=str(error))
        except (ThreadError, UsageError) as error:
            got = replace(got, reason="refused", detail=str(error))
        self._unwell = self._unwell + 1 if got.reason == "temporary" else 0
        if got.form is None:
            counted.restart()
        return got

    def _may_ask(self, family: str) -> None:
        if family in self._lacking:
            raise No("missing_scope", self._lacking[family])
        if self._unwell >= UNWELL:
            raise No("temporary", f"{self._unwell} files in a row met a server that is unwell; run again later")

    async def _about(self, path: str, place: Place, ref: FileRef) -> bytes:
        """Return what the server says of a file, in its own tokens."""
        answer = await self._server.get(path, (), place.headers)
        if answer.status != 200:
            raise self._refusal(answer, place, ref)
        try:
            body = compact(answer.body)
        except ValueError:
            body = b""
        said = parsed(body) if body[:1] == b"{" else None
        if not isinstance(said, dict) or name(said.get("id")) not in (None, ref.id):
            what = "another object" if isinstance(said, dict) else "no JSON object"
            raise No("refused", f"GET {path} answered with {what}")
        return body

    async def _content(self, place: Place, ref: FileRef, got: Fetched, counted: _Counted) -> Fetched:
        size = _size(got.object)
        if size is not None and size > self._most:
            raise No("too_large", f"it has {size:,} bytes, more than the {self._most:,} that are kept of a file")
        answer = await self._server.download(place.content, counted, place.headers)
        if answer.status != 200:
            no = self._refusal(answer, place, ref)
            if no.reason != "purpose_refused":
                raise no
            counted.restart()
            return replace(got, reason=no.reason, detail=no.detail)
        kind = answer.headers.get("content-type", "").split(";")[0].strip()
        got = replace(got, form="bytes", mime_type=got.mime_type or (None if "octet-stream" in kind else kind or None))
        if size is None or size == counted.bytes:
            return got
        detail = f"the server says that it has {size:,} bytes, and {counted.bytes:,} came, which are kept"
        return replace(got, reason="size_differs", detail=detail)

    async def _text(
        self, ref: FileRef, got: Fetched, counted: _Counted, stores: Callable[[], Iterable[str]]
    ) -> Fetched:
        """Fetch what a vector store made of a file whose bytes nobody may have."""
        for store in dict.fromkeys(stores()):
            try:
                place = text_place(store, ref)
                self._may_ask(place.family)
                early = await self._parts(place, ref, counted)
            except (No, UsageError) as error:
                if isinstance(error, No) and error.reason in PASSING:
                    raise
                continue
            if counted.bytes:
                kept = f"its text in vector store {printable(store)} was kept instead{early}"
                return replace(got, form="text", detail=f"{got.detail}; {kept}")
        return got

    async def _parts(self, place: Place, ref: FileRef, counted: _Counted) -> str:
        """Write the text, a part a line; return what is to be said of its end."""
        total, used = 0, set[str]()
        params: tuple[tuple[str, str], ...] = ()
        while True:
            answer = await self._server.get(place.content, params, place.headers)
            if answer.status != 200:
                no = self._refusal(answer, place, ref)
                if no.reason in PASSING or not counted.bytes:
                    raise no
                return f", but not all of it ({no.detail})"
            said = parsed(answer.body)
            said = said if isinstance(said, dict) else {}
            data = said.get("data")
            for part in data if isinstance(data, list) else ():
                text = part.get("text") if isinstance(part, dict) else None
                if isinstance(text, str):
                    counted.write(plain(text).encode() + b"\n")
            token, before = name(said.get("next_page")), total
            total = counted.bytes
            if token is None or token in used or total == before:
                more = said.get("has_more") in (True, "true")
                return ", but it says that more follows" if more else ""
            used.add(token)
            params = (("page", token),)

    def _refusal(self, answer: Answer, place: Place, ref: FileRef) -> No:
        """Return what an answer other than 200 means; a missing scope is remembered."""
        no = refusal(answer, place, ref)
        if no.reason == "missing_scope":
            self._lacking[place.family] = no.detail
        return no


def _told(got: Fetched, body: bytes | None) -> Fetched:
    """Take over what an object says of its file."""
    said: Any = parsed(body) if body else None
    if not isinstance(said, dict):
        return replace(got, object=body)
    named = (said.get("filename"), got.name, said.get("name"), said.get("path"))
    return replace(
        got,
        object=body,
        name=next((one for one in named if isinstance(one, str) and one), None),
        mime_type=_text(said.get("mime_type")),
        purpose=_text(said.get("purpose")),
    )


def _size(body: bytes | None) -> int | None:
    said: Any = parsed(body) if body else None
    found = [said.get("bytes"), said.get("size_bytes")] if isinstance(said, dict) else []
    return next((one for one in found if isinstance(one, int) and not isinstance(one, bool) and one >= 0), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
