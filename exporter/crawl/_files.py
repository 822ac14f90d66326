"""The files that a thread points to: asked for before the page that names them, each once.

A file's record is ours: what the server says of it, the hash of what was kept, or the reason why nothing was. The mark
of the list `files` says `more` as long as a reason may pass, so that no crash and no later visit forgets to ask again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from weakref import WeakValueDictionary

from exporter.archive import Archive, blob_name
from exporter.crawl._file_records import Got, Held, Key, body_of, key_of, read
from exporter.model import FileRef, Gap, Item, Page, Position, ThreadRef, now, printable
from exporter.sources import Container
from exporter.sources._files import FileDesk
from exporter.sources._refs import about_files, artifacts, refs, stores

LIST = "files"
REMEMBERED = 2000
"Files whose outcome is held in memory during a run: those that were asked for last."
LONGEST = 16 * 1024
"Bytes of what the server says of such a file."


class Files:
    """The files of one profile's server, asked for once in a run however many threads point to them."""

    def __init__(self, archive: Archive, desk: FileDesk, on_kept: Callable[[int], None]) -> None:
        """`on_kept` hears of each content that is in the archive now: its size."""
        self.archive, self._desk, self._on_kept = archive, desk, on_kept
        self._known: OrderedDict[Key, Got] = OrderedDict()
        self._asking: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, ref: FileRef, stores: Callable[[], Iterable[str]]) -> Got:
        """Ask for a file, or remember what came of it; what is kept of it is durable when this returns.

        `stores` names the vector stores that may hold its text. Raises what stops a run: `ArchiveError` where the
        disk refuses, `BudgetReached`, a `SourceError`.
        """
        if ref.type not in ("file", "container_file"):
            return await self._fetch(ref, stores)  # of one thread alone
        key = key_of(ref)
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            got = self._known.get(key)
            if got is None or (got.textless and any(stores())):
                got = await self._fetch(ref, stores)
                self._remember(key, got)
            return got

    async def _fetch(self, ref: FileRef, stores: Callable[[], Iterable[str]]) -> Got:
        with self.archive.blob() as blob:
            fetched = await self._desk.fetch(ref, blob, stores)
            if fetched.form is None:
                return Got(fetched)
            kept = await asyncio.to_thread(blob.keep)
        self._on_kept(kept.bytes)
        return Got(fetched, *kept)

    def _remember(self, key: Key, got: Got) -> None:
        if not got.held.passing and len(got.fetched.object or b"") <= LONGEST:
            self._known[key] = got
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


class VisitFiles:
    """The files of one thread in one visit."""

    def __init__(
        self,
        files: Files,
        thread: ThreadRef,
        position: Position | None,
        container: Container | None = None,
        *,
        full: bool = False,
    ) -> None:
        """`container` reads the thread's own object where the source will not yield it."""
        self._files, self._thread, self._position = files, thread, position
        self._container, self._full = container, full
        self._seq = position.seq if position else 0
        self._walked: dict[str, int] = {}
        "How far the lists of files were walked."
        self._held: dict[Key, Held] | None = None
        self._pending: dict[Key, tuple[FileRef, str]] = {}
        "Files that may be had later, and why not now."
        self._asked: set[Key] = set()
        self._named: dict[str, None] = {}
        "Vector stores."
        self._object_read = False

    def aged(self) -> bool:
        """Whether a file is still to be had whose address only a new listing of its message tells."""
        if self._position is None or not self._position.more:
            return False
        self._known()
        return any(ref.type == "attachment" for ref, _ in self._pending.values())

    @property
    def left(self) -> bool:
        """Whether anything is to be said when all was seen."""
        return bool(self._pending) or (self._position is not None and self._position.more)

    def concerns(self, page: Page) -> bool:
        """Whether anything has to be archived before a page: whoever asks each page learns it at no cost."""
        if self._container is not None or page.kind == "file":
            return True
        return about_files([item.body for item in page.items])

    async def before(self, page: Page) -> AsyncIterator[Page]:
        """Yield what has to be archived before a page of the source: records of the files that it points to.

        A page whose objects are files themselves (kind `file`) is not to be archived: this yields records instead,
        and then how far its list was walked.
        """
        if self._container is not None:
            body, self._container = self._container(), None
            async for record in self._of(replace(page, kind="thread", items=(Item(None, body),))):
                yield record
        async for record in self._of(page):
            yield record
        if page.kind == "file":
            yield self._mark(page)

    def _mark(self, page: Page) -> Page:
        """Return how far a list of files was walked: it goes on where the mark before it ended."""
        seq = min(page.seq, self._walked.get(page.list, page.seq))
        self._walked[page.list] = page.position.seq
        return replace(page, items=(), seq=seq, next_seq=page.position.seq)

    async def after(self) -> AsyncIterator[Page | Gap]:
        """Yield what came of the files that earlier visits could not have, then what still may be had later."""
        if self._position is not None and self._position.more:
            self._known()
            for key, (ref, _) in list(self._pending.items()):
                if key not in self._asked:
                    async for record in self._ask(ref):
                        yield record
        for gap in self._gaps():
            yield gap

    async def _of(self, page: Page) -> AsyncIterator[Page]:
        self._named.update(dict.fromkeys(stores(item.body for item in page.items)))
        for ref in artifacts(page) if page.kind == "file" else refs(page):
            if self._wanted(ref):
                async for record in self._ask(ref):
                    yield record

    def _wanted(self, ref: FileRef) -> bool:
        """Whether to ask for it: once in a visit, and not for what is had, or was refused for good."""
        key = key_of(ref)
        if key in self._asked:
            return False
        self._asked.add(key)
        held = self._known().get(key)
        if held is None or held.passing:
            return True
        return self._full and (held.reason is not None or not self._is_there(held))

    async def _ask(self, ref: FileRef) -> AsyncIterator[Page]:
        """Yield the record of a file, if it says anything new."""
        got, key, known = await self._files.fetch(ref, self._stores), key_of(ref), self._known()
        before, known[key] = known.get(key), got.held
        if got.held.passing:
            self._pending[key] = ref, got.fetched.detail or ""
        else:
            self._pending.pop(key, None)
        if got.held != before:
            yield self._page(ref, got, fresh=before is None)

    def _page(self, ref: FileRef, got: Got, *, fresh: bool) -> Page:
        seq, self._seq = self._seq, self._seq + 1
        return Page(
            thread=self._thread,
            kind="file",
            items=(Item(ref.id, body_of(ref, got)),),
            cursor=None,
            more=bool(self._pending),
            fetched_at=now(),
            list=LIST,
            seq=seq,
            fresh=fresh,
            parent=ref.container,
        )

    def _gaps(self) -> Iterator[Gap]:
        """Yield one gap for each reason that may pass."""
        told: dict[str, list[tuple[FileRef, str]]] = {}
        for key, pending in self._pending.items():
            told.setdefault(self._known()[key].reason or "", []).append(pending)
        for reason, several in told.items():
            ref, detail = several[0]
            others = f" and {len(several) - 1:,} more" if len(several) > 1 else ""
            what = f"{self._thread}: file {printable(ref.id[:100])}{others}: {detail}"
            yield Gap(self._thread, LIST, None, reason, what)

    def _known(self) -> dict[Key, Held]:
        """What the archive says of the thread's files; read when first needed."""
        if self._held is None:
            self._held = {}
            for record in self._files.archive.records(self._thread, "file") if self._position else ():
                ref, held, detail = read(record)
                self._held[key_of(ref)] = held
                self._pending.pop(key_of(ref), None)
                if held.passing:
                    self._pending[key_of(ref)] = ref, detail
        return self._held

    def _is_there(self, held: Held) -> bool:
        return held.sha256 is not None and self._files.archive.place(blob_name(held.sha256)).exists()

    def _stores(self) -> Iterable[str]:
        """The vector stores that the thread's objects name, as far as they were seen."""
        if not self._object_read:
            self._object_read = True
            newest = b""
            for record in self._files.archive.records(self._thread, "thread"):
                newest = record.body
            self._named.update(dict.fromkeys(stores([newest])))
        return tuple(self._named)
