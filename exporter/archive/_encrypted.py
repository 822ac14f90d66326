"""The storage of an encrypted archive: segments and contents of files as they are inside, whatever lies on the disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from exporter.archive._cipher import ENC, Cipher
from exporter.model import Segment
from exporter.storage import Storage

CONTENT = re.compile(r"blobs/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")
KEPT = re.compile(r"blobs/hmac/([0-9a-f]{2})/(\1[0-9a-f]{62})\.enc")


class EncryptedStorage:
    """See `Storage`. A content goes by its plain name; on the disk it has one that does not tell what it is."""

    def __init__(self, kept: Storage, cipher: Cipher) -> None:
        self.kept, self.cipher = kept, cipher

    def create(self, name: str, source: Path) -> None:
        """See `Storage.create`."""
        self.kept.create(on_disk(self, name), source)

    def replace(self, name: str, source: Path) -> None:
        """See `Storage.replace`."""
        self.kept.replace(on_disk(self, name), source)

    def open(self, name: str) -> BinaryIO:
        """Open what a file holds; see `Storage.open`."""
        name = on_disk(self, name)
        file = self.kept.open(name)
        if not name.endswith(ENC):
            return file
        try:
            return self.cipher.reader(file, name.split("/", 1)[0], identity(name), name)
        except BaseException:
            file.close()
            raise

    def names(self, folder: str) -> Iterator[str]:
        """See `Storage.names`."""
        yield from self.kept.names(folder.replace("blobs/sha256", "blobs/hmac", 1))

    def remove(self, name: str) -> None:
        """See `Storage.remove`."""
        self.kept.remove(on_disk(self, name))

    def settle(self, folder: str) -> None:
        """See `Storage.settle`."""
        self.kept.settle(folder)

    def tmp(self) -> Path:
        """See `Storage.tmp`."""
        return self.kept.tmp()


def sealed(storage: Storage, cipher: Cipher | None) -> Storage:
    """Return the storage of an archive with this cipher; of a plain one, as it is."""
    return EncryptedStorage(storage, cipher) if cipher else storage


def identity(name: str) -> str:
    """Return what the last chunk of a sealed file says: which content it is, or the number of which segment."""
    found = KEPT.fullmatch(name)
    return found[2] if found else name.rsplit("/", 1)[-1].split("-", 1)[0]


def on_disk(storage: Storage, name: str) -> str:
    """Return where the file lies that goes by a name."""
    found = CONTENT.fullmatch(name)
    return kept_name(storage.cipher, found[2]) if found and isinstance(storage, EncryptedStorage) else name


def kept_name(cipher: Cipher, sha256: str) -> str:
    """Return where a content lies in an encrypted archive."""
    name = cipher.blob_id(sha256)
    return f"blobs/hmac/{name[:2]}/{name}{ENC}"


def kept(storage: Storage) -> Storage:
    """Return the storage of the bytes that lie on the disk, which hashes are of."""
    return storage.kept if isinstance(storage, EncryptedStorage) else storage


def as_kept(one: Segment, storage: Storage) -> Segment:
    """Return a segment that was described by what it holds, with the length of its file."""
    if not one.name.endswith(ENC):
        return one
    with kept(storage).open(one.name) as file:
        return replace(one, bytes=file.seek(0, os.SEEK_END))


def cipher_of(storage: Storage) -> Cipher | None:
    """Return what seals new files; None in an archive that is not encrypted."""
    return storage.cipher if isinstance(storage, EncryptedStorage) else None
