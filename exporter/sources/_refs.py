"""What a page points to: files of any kind, and the vector stores that may hold their text.

Pure and lenient: a body is looked through only where its bytes speak of files at all, and whatever is not shaped like
a pointer is none. What users wrote themselves (metadata, schemas of their tools) points to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from exporter.model import FileRef, Item, Page
from exporter.sources._split import elements, name

FILE_ID, ATTACHED = b'"file_id', b'"attachments":[{'
"One of these is in every body that points to a file: `file_id`, `file_ids`, ChatKit's attachments."
STORES = b'"vector_store_id'
THEIRS = frozenset({"metadata", "parameters", "schema", "input_schema", "attributes"})
"What users put in: a `file_id` in there is theirs."
ELSEWHERE = frozenset({"output", "choices"})
"Members of a thread's own object that are lists of messages: these point to their files themselves."


def about_files(bodies: Iterable[bytes]) -> bool:
    """Whether one of these objects may point to a file, or name a vector store."""
    text = b"\n".join(bodies)  # which is in none of what is looked for: what is found is of one object
    return FILE_ID in text or ATTACHED in text or STORES in text


def refs(page: Page) -> Iterator[FileRef]:
    """Yield what the objects of a page point to, in their order; the same file as often as it is named."""
    for item in page.items:
        if FILE_ID in item.body or ATTACHED in item.body:
            message = None if page.kind == "thread" else item.id
            for found in _objects(item, of_thread=page.kind == "thread"):
                yield from _of(found, page, message)
            yield from _attachments(item, page)


def artifacts(page: Page) -> Iterator[FileRef]:
    """Yield the files of a page of a list of files: each object is a file's own."""
    for item in page.items:
        if item.id is not None:
            said = parsed(item.body)
            path = said.get("path") if isinstance(said, dict) else None
            yield FileRef(page.thread, "artifact", item.id, name=_text(path), object=item.body)


def stores(bodies: Iterable[bytes]) -> Iterator[str]:
    """Yield the vector stores that these objects name."""
    for body in bodies:
        if STORES not in body:
            continue
        for found in _within(parsed(body)):
            several = found.get("vector_store_ids")
            yield from map(str, filter(name, several if isinstance(several, list) else ()))
            if one := name(found.get("vector_store_id")):
                yield one


def parsed(body: bytes) -> Any:
    """Return the value of a JSON text; None where no parser reads it."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            # int() of 5,000 digits raises
            return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) < 400 else digits)
        except (ValueError, RecursionError):
            return None


def _objects(item: Item, *, of_thread: bool) -> Iterator[dict[str, Any]]:
    value = parsed(item.body)
    if of_thread and isinstance(value, dict):
        value = {key: part for key, part in value.items() if key not in ELSEWHERE}
    return _within(value)


def _within(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a value, outer ones first, in the order of the text."""
    waiting = [value]
    while waiting:
        now = waiting.pop()
        if isinstance(now, dict):
            yield now
            parts = [part for key, part in now.items() if key not in THEIRS]
        else:
            parts = now if isinstance(now, list) else []
        waiting += reversed([part for part in parts if isinstance(part, dict | list)])


def _of(found: dict[str, Any], page: Page, message: str | None) -> Iterator[FileRef]:
    several = found.get("file_ids")
    for one in several if isinstance(several, list) else ():
        if file_id := name(one):
            yield FileRef(page.thread, "file", file_id, message=message)
    if file_id := name(found.get("file_id")):
        container = name(found.get("container_id"))
        named = _text(found.get("filename")) or _text(found.get("file_name"))
        yield FileRef(page.thread, "container_file" if container else "file", file_id, container, message, named)


def _attachments(item: Item, page: Page) -> Iterator[FileRef]:
    """Yield ChatKit's attachments, each with its own object: the server has no other place to ask for it."""
    for body in elements(item.body, "attachments") if ATTACHED in item.body else ():
        said = parsed(body)
        if isinstance(said, dict) and "file_id" not in said and (found := name(said.get("id"))):
            named, url = _text(said.get("name")), _text(said.get("preview_url"))
            yield FileRef(page.thread, "attachment", found, None, item.id, named, url, body)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
