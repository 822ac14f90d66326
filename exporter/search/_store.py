"""The index's files: opening, changing and throwing them away; everything that knows the search engine is here.

The idea: one of the documents says which manifest the others hold (`About`), and is replaced in the commit that adds
what is new, so the two cannot part. What cannot be read, or is of another archive or version, is made again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exporter.errors import DiskFull, Locked, UsageError
from exporter.files import FILE_MODE, make_folder, translated
from exporter.search._entry import Entry, load, term

if TYPE_CHECKING:
    import tantivy

VERSION = 1
"Of the fields, and of how texts become words; an index with another one is made again."
HEAP_BYTES = 100_000_000
"What the writer holds in memory before it goes to the disk."
_NO_SPACE = ("No space left", "os error 28", "Disk quota", "os error 122", "File too large", "os error 27")


class Unusable(Exception):
    """What lies there is no index of ours that can be read."""


@dataclass(frozen=True, slots=True)
class About:
    """What an index holds."""

    version: int
    archive: str
    "The archive's id."
    manifest: int
    "It holds everything up to this one."
    sha256: str | None
    "The hash of that manifest's file: an archive restored from a copy may have another one of this number."


def engine() -> Any:
    """Return the search engine; `UsageError` says how to get it."""
    try:
        import tantivy
    except ImportError as error:
        raise UsageError("searching needs: pip install 'conversation-exporter[search]'") from error
    return tantivy


def schema() -> tantivy.Schema:
    """Return the fields of a document."""
    fields = engine().SchemaBuilder().add_text_field("text", tokenizer_name="whitespace", index_option="position")
    for name in ("kind", "thread", "source", "role", "user", "customer"):
        fields.add_text_field(name, tokenizer_name="raw", index_option="basic")
    fields.add_boolean_field("deleted", indexed=True).add_integer_field("ts", fast=True)
    built: tantivy.Schema = fields.add_bytes_field("entry", stored=True).build()
    return built


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the engine says of files that it cannot read into `Unusable`."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise Unusable(f"{path}: {error}") from error
    except BaseException as error:  # noqa: BLE001 - whatever it is goes on
        raise _translated(error, path) from None


def _translated(error: BaseException, path: Path) -> BaseException:
    """Return what is to be raised: when the engine panics, that is no `Exception`."""
    return Unusable(f"{path}: {error}") if type(error).__name__ == "PanicException" else error


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Turn what the engine says when it cannot write into one of our errors; the files are for their owner only."""
    before = os.umask(0o777 & ~FILE_MODE & ~0o100)
    try:
        with translated(path):
            yield
    except ValueError as error:
        said = " ".join(str(error).split())[:300]
        if any(words in said for words in _NO_SPACE):
            raise DiskFull(f"{path}: the disk is full; free space, or name another place with --index") from error
        if "LockBusy" in said:
            raise Locked(f"{path}: another program is writing the index; search again later") from error
        raise Unusable(f"{path}: {said}") from error
    except BaseException as error:  # noqa: BLE001 - whatever it is goes on
        raise _translated(error, path) from None
    finally:
        os.umask(before)


class Store:
    """An index that is open."""

    def __init__(self, path: Path, index: tantivy.Index) -> None:
        self.path = path
        self.schema = schema()
        self._index = index
        self._farm: tempfile.TemporaryDirectory[str] | None = None
        self.reload()

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open what lies there; `Unusable` if that is nothing, or nothing of ours."""
        with reading(path):
            if not (path / "meta.json").is_file():
                raise Unusable(f"{path}: there is no index")
            farm = None if os.access(path, os.W_OK) else _farm(path)
            try:
                store = cls(path, engine().Index.open(farm.name if farm else str(path)))
                store._farm = farm
                assert store.about is not None
            except BaseException:
                if farm:
                    farm.cleanup()
                raise
            return store

    @classmethod
    def create(cls, path: Path) -> Store:
        """Make an empty one, in the place of what is there."""
        discard(path)
        make_folder(path)
        with changing(path):
            return cls(path, engine().Index(schema(), str(path)))

    def close(self) -> None:
        """Let go of the files."""
        if self._farm:
            self._farm.cleanup()

    def reload(self) -> None:
        """See what was committed last."""
        self._index.config_reader("manual")
        self._index.reload()
        self._searcher = self._index.searcher()
        self.__dict__.pop("about", None)

    @cached_property
    def about(self) -> About:
        """What it holds; `Unusable` where it does not say."""
        with reading(self.path):
            query = self.term("kind", "about")
            found = [document for _, document in self._found(query, 2, 0)[1]]
            if len(found) != 1:
                raise Unusable(f"{self.path}: it does not say what it holds")
            return About(**orjson.loads(found[0]))

    def term(self, field: str, word: str | bool) -> tantivy.Query:
        """Return the question for what has this word in a field."""
        query: tantivy.Query = engine().Query.term_query(self.schema, field, word, "basic")
        return query

    def search(self, query: tantivy.Query, limit: int, offset: int) -> tuple[int, list[tuple[float, Entry]]]:
        """Return how many match, and some of them."""
        with reading(self.path):
            total, found = self._found(query, limit, offset)
            return total, [(score, load(document)) for score, document in found]

    def _found(self, query: tantivy.Query, limit: int, offset: int) -> tuple[int, list[tuple[float, bytes]]]:
        result: Any = self._searcher.search(query, max(limit, 1), offset=offset)
        hits = result.hits[:limit]
        return result.count, [(score, bytes(self._searcher.doc(at).get_first("entry") or b"")) for score, at in hits]

    def count(self, key: str) -> int:
        """Return how many objects of a thread the files hold; at most this many were not taken out."""
        with reading(self.path):
            return int(self._searcher.doc_freq("thread", key))

    def thread(self, key: str) -> Entry | None:
        """Return what it has of a thread as a whole."""
        with reading(self.path):
            if not self._searcher.doc_freq("thread", key):
                return None
            return next((load(document) for _, document in self._found(self.whole(key), 1, 0)[1]), None)

    def whole(self, key: str) -> tantivy.Query:
        """Return the question for a thread as a whole."""
        must = engine().Occur.Must
        both: tantivy.Query = engine().Query.boolean_query(
            [(must, self.term("thread", key)), (must, self.term("kind", "thread"))]
        )
        return both

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Change it; what is not committed when the block ends is forgotten."""
        with changing(self.path):
            inner = self._index.writer(HEAP_BYTES, 1)
            try:
                yield Writer(self, inner)
            except BaseException:
                with suppress(Exception):
                    inner.rollback()
                raise
            inner.wait_merging_threads()
        self.reload()


class Writer:
    """What changes an index."""

    def __init__(self, store: Store, inner: tantivy.IndexWriter) -> None:
        self._store, self._inner = store, inner
        self._document = engine().Document

    def add(self, entry: Entry, key: str, words: str) -> None:
        """Add an object of the thread that has this key."""
        document = self._document()
        put, owned = document.add_text, entry.owned
        put("text", words)
        put("kind", entry.kind)
        put("thread", key)
        put("source", term(entry.thread.source))
        if entry.role is not None:
            put("role", term(entry.role))
        if owned.user is not None:
            put("user", term(owned.user))
        if owned.customer is not None:
            put("customer", term(owned.customer))
        document.add_boolean("deleted", entry.deleted or owned.gone)
        if entry.ts is not None:
            document.add_integer("ts", entry.ts)
        document.add_bytes("entry", entry.dump())
        self._inner.add_document(document)

    def forget(self, key: str, *, whole: bool = False) -> None:
        """Take out all that was added of a thread so far, or only what it is as a whole."""
        if whole:
            self._inner.delete_documents_by_query(self._store.whole(key))
        else:
            self._inner.delete_documents_by_term("thread", key)

    def collect(self) -> None:
        """Remove files that no commit names: a crash left them."""
        self._inner.garbage_collect_files()

    def commit(self, about: About) -> None:
        """Make what was done so far lasting."""
        self._inner.delete_documents_by_term("kind", "about")
        document = self._document()
        document.add_text("kind", "about")
        document.add_bytes("entry", orjson.dumps(asdict(about)))
        self._inner.add_document(document)
        self._inner.commit()


def discard(path: Path) -> None:
    """Throw an index away; `UsageError` where something else lies there."""
    with translated(path):
        if path.is_dir() and any(path.iterdir()) and not any(path.glob("*meta.json")) and not any(path.glob(".*")):
            raise UsageError(f"{path}: it holds other files; name an empty or a new folder with --index")
        if path.is_dir():
            shutil.rmtree(path)


def _farm(path: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder of links to the files of one that cannot be written: the engine wants to lock what it reads."""
    farm = tempfile.TemporaryDirectory(prefix="exporter-")
    for file in path.iterdir():
        if not file.name.endswith(".lock"):
            (Path(farm.name) / file.name).symlink_to(file.absolute())
    return farm
