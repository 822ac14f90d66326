"""Archives of several threads that share segments and contents, and a search for what must not be there any more."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq

from exporter.archive import TABLES, Archive
from exporter.archive.catalog import Known
from exporter.check import check
from exporter.model import Finding, Item, Kind, Page, Registration, ThreadRef
from exporter.registry import registration_page
from tests.archive.making import AT, THREAD, made
from tests.archive.publishing import publish_all

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

THREADS = tuple(replace(THREAD, id=f"thread_e{n:03}") for n in range(5))
MONTHS = (1_750_000_000, 1_760_000_000, 1_766_000_000)
QUIET = {"gap", "content_unnamed"}
"What a check may say of these archives."


def word(thread: ThreadRef, at: object) -> str:
    """A word that stands in the texts of one thread only."""
    return f"secret-{thread.id[-4:]}-{at}"


class Maker:
    """Makes an archive as nights would, at random."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self._random = made(path), random.Random(seed)
        self._next = dict.fromkeys(THREADS, 0)
        self._at = AT

    def make(self, nights: int) -> None:
        """Let some nights pass; the last one may be cut short, with pages in its journal."""
        chance = self._random
        for night in range(nights):
            with Archive.write(self.path) as archive:
                for _ in range(chance.randint(1, 3)):
                    for thread in chance.sample(THREADS, chance.randint(1, 5) if night else 5):
                        archive.append(self._visit(archive, thread, night))
                    if chance.random() < 0.7:
                        archive.seal()
                if night == nights - 1 and chance.random() < 0.5:
                    return
                archive.seal(_report(chance.choice(THREADS)))
                if chance.random() < 0.7:
                    publish_all(archive)

    def _visit(self, archive: Archive, thread: ThreadRef, night: int) -> Iterator[Page]:
        chance, first = self._random, self._next[thread]
        self._at += timedelta(minutes=1)
        if first == 0 or chance.random() < 0.1:
            title, user = word(thread, "title"), f"user-{int(thread.id[-3:]) % 2}"
            yield registration_page(Registration(thread, "default", user, f"firm-{word(thread, 'c')}", title))
            body = {
                "id": thread.id,
                "object": "thread",
                "created_at": MONTHS[0],
                "metadata": {"n": word(thread, night)},
            }
            yield self._page(thread, "thread", [(thread.id, body)], "thread", fresh=False)
        if chance.random() < 0.5:
            yield self._files(archive, thread)
        count = chance.randint(0, 4)
        yield self._page(thread, "message", [_message(thread, n) for n in range(first, first + count)], seq=first)
        self._next[thread] += count
        if first and chance.random() < 0.3:  # edited
            body = {**_message(thread, 0)[1], "status": word(thread, f"edited-{night}")}
            yield self._page(thread, "message", [(f"msg_{word(thread, 0)}", body)], fresh=False)
        if first and chance.random() < 0.2:
            gone = {"kind": "message", "list": "messages", "reason": "deleted"}
            yield self._page(thread, "deletion", [(f"msg_{word(thread, 0)}", gone)], "deletions", fresh=False)
        gap = {"list": "runs", "after": None, "code": "lie", "detail": f"{thread}: {word(thread, 'gap')}"}
        said: dict[str, Any] = {"state": "complete", "code": None, "error": None, "records": count, "gaps": []}
        if chance.random() < 0.3:
            said |= {"state": "partial", "error": f"{thread}: {word(thread, 'error')}", "gaps": [gap]}
        yield self._page(thread, "visit", [(None, said)], "visit")

    def _files(self, archive: Archive, thread: ThreadRef) -> Page:
        own = self._random.random() < 0.5
        content = (word(thread, "file") if own else f"shared {self._random.randint(0, 2)}").encode() * 30
        with archive.blob() as blob:
            blob.write(content)
            kept = blob.keep()
        name = f"file_{word(thread, kept.sha256[:6])}"
        body: dict[str, Any] = {"type": "file", "message": None, "container": None, "name": name, "sha256": kept.sha256}
        body |= {"bytes": kept.bytes, "form": "bytes", "reason": None, "detail": None, "object": {"id": name}}
        return self._page(thread, "file", [(name, body)], "files", fresh=False)

    def _page(
        self,
        thread: ThreadRef,
        kind: Kind,
        items: list[tuple[str | None, dict[str, Any]]],
        of: str = "messages",
        seq: int = 0,
        *,
        fresh: bool = True,
    ) -> Page:
        made = tuple(Item(key, json.dumps(body).encode()) for key, body in items)
        last, after = items[-1][0] if items else None, None if fresh or of != "messages" else self._next[thread]
        return Page(thread, kind, made, last, False, self._at, of, seq, after, fresh=fresh)


def _message(thread: ThreadRef, number: int) -> tuple[str, dict[str, Any]]:
    key = f"msg_{word(thread, number)}"
    text = [{"type": "text", "text": {"value": f"{word(thread, number)} " * 5, "annotations": []}}]
    return key, {
        "id": key,
        "object": "thread.message",
        "created_at": MONTHS[number % 3],
        "role": "user",
        "content": text,
    }


def _report(thread: ThreadRef) -> dict[str, Any]:
    error: dict[str, Any] = {
        "source": thread.source,
        "endpoint": thread.endpoint,
        "thread": thread.id,
        "state": "partial",
    }
    error |= {"code": "lie", "error": f"its list ends with {word(thread, 'error')}"}
    return {"command": "backup", "exit_code": 3, "registered": 5, "errors": [error], "remarks": [f"{thread}: odd"]}


def with_traces(path: Path, thread: ThreadRef) -> None:
    """Leave words of a thread wherever else a crash or a look may leave them."""
    own = path / ".exporter"
    lines = [b'{"kind":"journal","format":1}\n', b'{"kind":"message","thread":"other"}\n']
    lines += [b'{"kind":"message","thread":"%s","body":{"t":"%s"\n' % (thread.id.encode(), word(thread, 1).encode())]
    for name in ("salvaged", "tmp", "rebuild", "search/index"):
        (own / name).mkdir(parents=True, exist_ok=True)
    (own / "salvaged" / "20261121T000000-00000000.jsonl").write_bytes(b"".join(lines) + word(thread, 2).encode())
    for name in ("tmp/x", "rebuild/catalog.sqlite", "search/index/a.store", "salvaged/.x.1.tmp"):
        (own / name).write_text(word(thread, name))
    with Archive.write(path) as archive:
        note = {"where": str(thread), "what": word(thread, "hint")}
        archive.catalog.note_fact("hint verified", json.dumps({"run": "r", "findings": {"a": [note]}}))
        archive.catalog.note_fact('discover:["assistants"]', json.dumps({"cursor": thread.id, "newest": thread.id}))
        archive.catalog.touch([], [Registration(replace(thread, endpoint="http://elsewhere"))], AT)
        (own / "tmp").mkdir(exist_ok=True)


def left(path: Path, threads: Iterable[ThreadRef]) -> list[str]:
    """The files in which an id or a word of these threads stands, however it is packed."""
    ids = "|".join(thread.id for thread in threads)
    wanted = re.compile(f"(?:{ids}|secret-(?:{'|'.join(thread.id[-4:] for thread in threads)})-)".encode())
    return [
        str(file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file() and wanted.search(_read(file))
    ]


def _read(file: Path) -> bytes:
    """All that stands in a file, as it is and unpacked."""
    data = file.read_bytes()
    if file.suffix == ".zst":
        return data + zstd.decompress(data)
    if file.suffix == ".parquet":
        parquet = pq.ParquetFile(file)
        said = (repr(parquet.metadata.row_group(n).to_dict()) for n in range(parquet.num_row_groups))
        return data + json.dumps(parquet.read().to_pylist(), default=str).encode() + "".join(said).encode()
    if file.name == "catalog.sqlite":
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            return data + "\n".join(db.iterdump()).encode()
    return data


def records(path: Path) -> dict[ThreadRef, list[Any]]:
    """Every record of every thread as it stands in the archive."""
    kinds = get_args(Kind)
    with Archive.open(path) as archive:
        straight: dict[ThreadRef, list[Any]] = {}
        for _, mark, found in archive.pages():
            straight.setdefault(mark.thread, []).extend([mark, *found])
        for thread in list(straight):
            straight[thread] += [list(archive.records(thread, kind)) for kind in kinds]
    return straight


def rows(path: Path) -> dict[str, list[str]]:
    """Every row of every table by thread."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        for file in sorted((path / table).glob("*.parquet")):
            for row in pq.ParquetFile(file).read().to_pylist():
                found.setdefault(row["thread_id"], []).append(f"{table} {file.name} {row}")
    return found


def known(path: Path) -> dict[str, Known]:
    """What the catalog says of every thread."""
    with Archive.open(path) as archive:
        return {one.thread.id: one for one in archive.catalog.known()}


def noticed(path: Path) -> list[Finding]:
    """What a check with a rebuild finds, but for what these archives have of their own."""
    return [found for found in check(path, rebuild=True) if found.code not in QUIET]


def copied(path: Path, to: Path) -> Path:
    """A copy of an archive."""
    shutil.copytree(path, to)
    return to
