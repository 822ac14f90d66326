"""Contents of files, named by their hash: `blobs/sha256/ab/<hash>`.

A blob is durable before the record that names it is written, so a record never names what is not there. The other
way round does no harm: a blob that no record names is one whose record a crash prevented.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self, cast

from exporter.archive._encrypted import KEPT, cipher_of, kept, on_disk
from exporter.archive._lines import load, read_record
from exporter.archive._verify import damage
from exporter.errors import ArchiveError
from exporter.files import open_private, sha256_of, translated
from exporter.model import Finding, Mark, printable
from exporter.storage import Storage

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher, Writer

FOLDER = "blobs"
NAME = re.compile(r"blobs/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")
FOLDERS = tuple(f"{FOLDER}/sha256/{first:02x}" for first in range(256))
AGAIN = "restore it from a copy, or move it away and run `exporter backup --full`, which asks for it again"


class Kept(NamedTuple):
    """A content that is in the archive, durably."""

    sha256: str
    bytes: int


def blob_name(sha256: str) -> str:
    """Return where the content with this hash lies, relative to the archive."""
    return f"{FOLDER}/sha256/{sha256[:2]}/{sha256}"


def is_content(name: str) -> bool:
    """Tell whether a file is named as a content is, in a plain archive or an encrypted one."""
    return bool(NAME.fullmatch(name) or KEPT.fullmatch(name))


class Blob:
    """A content on its way into the archive, hashed while it is written; without `keep` nothing of it stays.

    Raises `DiskFull` or another `ArchiveError` where the disk refuses.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._path = storage.tmp() / f"blob-{secrets.token_hex(8)}"
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._size = 0
        self._cipher, self._writer = cipher_of(storage), cast("Writer | None", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # it would hide what went wrong before; the next opening removes it
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Take what came next."""
        with translated(self._path):
            (self._open() if self._cipher is None else self._sealing(self._cipher)).write(data)
        self._digest.update(data)
        self._size += len(data)

    def restart(self) -> None:
        """Forget what came so far."""
        if self._file is not None:
            with translated(self._path):
                self._file.seek(0)
                self._file.truncate()
        self._digest, self._size, self._writer = hashlib.sha256(), 0, None

    def keep(self) -> Kept:
        """Put it into the archive, durably: when this returns, a crash cannot lose it.

        What was there of the same name is the same, or was damaged: the new one takes its place.
        """
        sha256 = self._digest.hexdigest()
        with translated(self._path):
            if self._cipher is not None:
                self._sealing(self._cipher).finish(self._cipher.blob_id(sha256))
            file = self._open()
            file.flush()
            os.fsync(file.fileno())
            file.close()
        self._storage.replace(blob_name(sha256), self._path)
        return Kept(sha256, self._size)

    def _sealing(self, cipher: Cipher) -> Writer:
        if self._writer is None:
            self._writer = cipher.writer(self._open(), FOLDER)
        return self._writer

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = os.fdopen(open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")
        return self._file


class Named:
    """The contents that records name, each looked at once; without those `given_up` the archive goes on."""

    def __init__(self, storage: Storage, given_up: Collection[str] = ()) -> None:
        self._storage, self._cipher, self._given_up = storage, cipher_of(storage), given_up
        self._seen: set[bytes] = set()

    def __contains__(self, name: str) -> bool:
        """Tell whether a record names the content whose file has this name."""
        return bytes.fromhex(name) in self._seen

    def news(self, mark: Mark, lines: list[bytes]) -> Iterator[tuple[str, Finding | None]]:
        """Yield the contents that a page is the first to name, and that they are missing if they are.

        The page is given with its mark's line.
        """
        for line in lines[:-1] if mark.kind == "file" else ():
            record = read_record(line)
            sha256 = load(record.body).get("sha256")
            if sha256 is None:
                continue
            called = self._cipher.blob_id(sha256) if self._cipher else sha256
            if called not in self:
                self._seen.add(bytes.fromhex(called))
                whose = f"file {printable(str(record.id))[:100]} of {record.thread}"
                yield blob_name(sha256), self._missing(blob_name(sha256), whose)

    def missing(self, mark: Mark, lines: list[bytes]) -> Iterator[Finding]:
        """Yield those that are not there."""
        yield from (missing for _, missing in self.news(mark, lines) if missing is not None)

    def _missing(self, name: str, whose: str) -> Finding | None:
        try:
            kept(self._storage).open(on_disk(self._storage, name)).close()
        except FileNotFoundError:
            where = on_disk(self._storage, name)
            if where in self._given_up:
                what = f"it was lost and given up: the content of {whose}"
                return Finding("content_given_up", where, what, "nothing to do; a copy put there counts", "note")
            help_ = "restore it from a copy, or run `exporter backup --full`, which asks for it again"
            return Finding("content_missing", where, f"it is missing: the content of {whose}", help_)
        except OSError:
            pass  # it is there, and is read later
        return None


class Blobs:
    """The contents that records name against those that are there. Changes nothing."""

    def __init__(self, storage: Storage, given_up: Collection[str] = ()) -> None:
        self._storage = storage
        self._named = Named(storage, given_up)
        self._missing: list[Finding] = []

    def see(self, mark: Mark, lines: list[bytes]) -> None:
        """Take a page into account, given with its mark's line."""
        self._missing.extend(self._named.missing(mark, lines))

    def findings(self, *, known: bool) -> Iterator[Finding]:
        """Read every blob; whether one is named by nobody is told only if all that names them is `known`."""
        yield from self._missing
        for name in self._storage.names(FOLDER):
            yield from content(self._storage, name)
            found = NAME.fullmatch(name) or KEPT.fullmatch(name)
            if known and found and found[2] not in self._named:
                what = "no record names it: one that is being written, or whose record a crash prevented"
                yield Finding(
                    "content_unnamed", name, what, "nothing to do; it may be removed while no backup runs", "note"
                )


def content(storage: Storage, name: str) -> Iterator[Finding]:
    """Read a content and compare it with its name."""
    found, cipher = NAME.fullmatch(name), cipher_of(storage)
    hidden = KEPT.fullmatch(name) if cipher else None
    if found is None and hidden is None:
        yield Finding("stray_file", name, "it is no content of a file", "move it away", "note")
        return
    where = on_disk(storage, name)
    try:
        sha256 = sha256_of(storage.open(name))
        if (cipher.blob_id(sha256) if cipher and hidden else sha256) != (hidden or found or ("", "", ""))[2]:
            yield damage("content_damaged", where, "its bytes are not those that it is named by", AGAIN)
    except FileNotFoundError:  # removed just now
        return
    except (OSError, ArchiveError) as error:
        yield damage("content_damaged", where, error, AGAIN)
