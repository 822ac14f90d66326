"""Handlers that answer what is in files: bytes, or the texts that a vector store parsed from them."""

from __future__ import annotations

from exporter.sandbox import previews, raw
from exporter.sandbox.answers import Answer, Ask, Refusal, error, ok
from exporter.sandbox.content import Content
from exporter.sandbox.reads import Handler, Under, entry_of, holder_of

TEXTS = 20
"""How many texts a page of a file's parsed content holds."""

UNREADABLE = frozenset({"assistants", "user_data"})
"""Purposes of files whose content the service does not give back."""


def file_content(ask: Ask) -> Answer:
    """Answer the bytes of a file, unless its purpose forbids it."""
    holder = holder_of(ask, "files")
    purpose = raw.value(ask.state.body("files", holder.id), "purpose")
    if purpose in UNREADABLE:
        raise Refusal(error(400, f"Not allowed to download files of purpose: {purpose}"))
    return _bytes(ask, holder.content)


def content_under(under: Under) -> Handler:
    """Answer the bytes of an object under an id: an artifact, a container's file."""

    def handler(ask: Ask) -> Answer:
        entry = entry_of(ask, under)
        return _bytes(ask, ask.state.shelves[under.shelf].holders[ask.ids["id"]].contents.get(entry.id or "", b""))

    return handler


def texts_under(under: Under) -> Handler:
    """Answer a page of what a vector store parsed from a file; `page` is the token of the page before."""

    def handler(ask: Ask) -> Answer:
        entry = entry_of(ask, under)
        texts = ask.state.under(under.shelf, ask.ids["id"], f"texts/{entry.id}")
        token = ask.param("page") or "page_0"
        number = token.removeprefix("page_")
        if not number.isdecimal():
            raise Refusal(error(400, f"Invalid page token: {token}", param="page"))
        start = int(number)
        more = start + TEXTS < len(texts)
        after = raw.text(f"page_{start + TEXTS}" if more else None)
        page = b'{"object":"vector_store.file_content.page","data":[%b],"has_more":%b,"next_page":%b}'
        return ok(page % (b",".join(texts[start : start + TEXTS]), raw.text(more), after))

    return handler


def _bytes(ask: Ask, content: Content) -> Answer:
    """Answer the bytes, or say where they lie."""
    if not ask.switches.redirects:
        return Answer(200, content, {"content-type": "application/octet-stream"})
    place = ask.state.add_attachment(content, mime_type="application/octet-stream", project=ask.key.project)
    return Answer(302, b"", {"location": previews.address(ask, place["id"])})
