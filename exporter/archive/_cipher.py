"""How an encrypted archive's files are sealed and opened: AES-256-GCM, in chunks that are read at any place.

The idea: beneath segments and contents of files lies a file that decrypts itself, so who reads or writes them knows
nothing of it. Each file has a key of its own, derived from a data key and the file's random salt, so that nonces can
count. The last chunk proves that the file is whole and the one that its name says; it is proven when a file is opened.
A journal grows, so it is a row of frames with random nonces, each bound to its place. `docs/format.md` has the bytes.
"""

from __future__ import annotations

import base64
import hmac
import io
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from exporter.errors import ArchiveError, Damaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENC = ".enc"
"How the names of sealed files end."
MAGIC = b"exporter-enc/1\n\0"
HEAD = struct.Struct(">16sI32s")
"Of each file: what it is, the generation of its data key, its salt."
CHUNK = 64 * 1024
TAG = 16
WHOLE = CHUNK + TAG
FRAME = struct.Struct(">II12s")
"Before each frame of a journal: its length, a checksum of length and place, its nonce."
PLACE = struct.Struct(">QI")
"Place and length of a frame, which are authenticated with it."
SEALED = "\x01enc/1:"
"How a sealed text in the catalog begins."
RESTORE = "restore this file from a copy"


@dataclass(frozen=True)
class Cipher:
    """The data keys of one archive, by generation; what is written is sealed with the current one."""

    archive: str
    keys: Mapping[int, bytes]
    current: int

    def __repr__(self) -> str:
        return f"Cipher({self.archive}, generations {sorted(self.keys)})"

    def writer(self, out: BinaryIO, kind: str) -> Writer:
        """Seal what is written to it into `out`, which stands at its beginning."""
        salt = os.urandom(32)
        out.write(HEAD.pack(MAGIC, self.current, salt))
        return Writer(out, self._aead(self.current, salt, kind))

    def reader(self, file: BinaryIO, kind: str, identity: str, where: str) -> BinaryIO:
        """Open a sealed file; `Damaged` if its end is not that of the file of this identity."""
        head = file.read(HEAD.size)
        raw = _Reader(file, self._aead(*_told(head, where), kind, where=where), identity.encode(), where)
        return io.BufferedReader(raw, CHUNK)

    def begin(self, writer: str) -> tuple[bytes, Frames]:
        """Return how the journal of this name begins, and what seals its frames."""
        salt = os.urandom(32)
        return HEAD.pack(MAGIC, self.current, salt), Frames(self._aead(self.current, salt, f"journal/{writer}"))

    def journal(self, file: BinaryIO, writer: str, where: str) -> Opened:
        """Open a journal up to where it is torn; `Damaged` where keys.json lacks its key: then nothing may be cut."""
        head = file.read(HEAD.size)
        if not head.startswith(MAGIC) or len(head) < HEAD.size:
            return Opened(file, None, rotten=len(head) == HEAD.size)
        return Opened(file, Frames(self._aead(*_told(head, where), f"journal/{writer}", where=where)))

    def pieces(self, file: BinaryIO, writer: str, where: str) -> Iterator[bytes]:
        """Open what can be opened of a journal in which bytes rotted; nothing (`b""`) where something could not be."""
        head = file.read(HEAD.size)
        if not head.startswith(MAGIC) or len(head) < HEAD.size:
            yield b""
            return
        frames, at = Frames(self._aead(*_told(head, where), f"journal/{writer}", where=where)), HEAD.size
        size = file.seek(0, os.SEEK_END)
        while at < size:
            file.seek(at)
            piece, _ = frames.open(file, at)
            yield piece or b""
            if piece is None and file.tell() <= at + FRAME.size:  # where the next one begins is not known
                return
            at = file.tell()

    def blob_id(self, sha256: str) -> str:
        """Return what a content is called on the disk, which does not tell who knows the content that it is here."""
        return hmac.new(self._names, bytes.fromhex(sha256), "sha256").hexdigest()

    def seal_text(self, text: str, whose: tuple[str, ...]) -> str:
        """Seal a text of the catalog; the same text of the same thread becomes the same, so catalogs compare."""
        sealed = self._texts.encrypt(text.encode("utf-8", "surrogatepass"), [one.encode() for one in whose])
        return SEALED + base64.b64encode(sealed).decode()

    def open_text(self, sealed: str, whose: tuple[str, ...]) -> str | None:
        """Open a text of the catalog; None if it is another's, or changed."""
        from cryptography.exceptions import InvalidTag

        try:
            data = base64.b64decode(sealed.removeprefix(SEALED), validate=True)
            return self._texts.decrypt(data, [one.encode() for one in whose]).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            return None

    @cached_property
    def _names(self) -> bytes:
        return derived(self.keys[min(self.keys)], b"", f"{self.archive}/names")

    @cached_property
    def _texts(self) -> _Siv:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(derived(self.keys[min(self.keys)], b"", f"{self.archive}/texts", 64))

    def _aead(self, generation: int, salt: bytes, kind: str, where: str = "") -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if generation not in self.keys:
            raise Damaged(f"{where}: it is sealed with data key {generation}, which keys.json does not have; {RESTORE}")
        return AESGCM(derived(self.keys[generation], salt, f"{self.archive}/{kind}"))


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV as _Siv  # noqa: N811 - a type's name here


def derived(key: bytes, salt: bytes, info: str, length: int = 32) -> bytes:
    """Derive a key for one purpose (HKDF, SHA-256)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA256(), length, salt or None, f"exporter/1/{info}".encode()).derive(key)


def _told(head: bytes, where: str) -> tuple[int, bytes]:
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise Damaged(f"{where}: it does not begin as a sealed file does; {RESTORE}")
    _, generation, salt = HEAD.unpack(head)
    return generation, salt


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class Writer:
    """Seals what is written, chunk by chunk; `finish` writes the last chunk, without which nobody can open it."""

    def __init__(self, out: BinaryIO, aead: AESGCM) -> None:
        self._out, self._aead = out, aead
        self._held = bytearray()
        self._number = 0

    def write(self, data: bytes) -> None:
        """Take what comes next."""
        self._held += data
        while len(self._held) > CHUNK:
            with memoryview(self._held) as held:
                self._out.write(self._aead.encrypt(_nonce(self._number, last=False), held[:CHUNK], None))
            del self._held[:CHUNK]
            self._number += 1

    def finish(self, identity: str) -> None:
        """Write the last chunk, which says what the file is."""
        self._out.write(self._aead.encrypt(_nonce(self._number, last=True), bytes(self._held), identity.encode()))
        self._held.clear()


class _Reader(io.RawIOBase):
    """A sealed file as what it holds, at any place."""

    def __init__(self, file: BinaryIO, aead: AESGCM, identity: bytes, where: str) -> None:
        super().__init__()
        self._file, self._aead, self._identity, self._where = file, aead, identity, where
        length = file.seek(0, os.SEEK_END) - HEAD.size
        self._chunks = max(1, -(-length // WHOLE))
        self._size = length - TAG * self._chunks
        self._at, self._number, self._chunk = 0, -1, b""
        self._load(self._chunks - 1)

    def _load(self, number: int) -> None:
        from cryptography.exceptions import InvalidTag

        if number == self._number:
            return
        last = number == self._chunks - 1
        self._file.seek(HEAD.size + number * WHOLE)
        sealed = self._file.read(WHOLE)
        try:
            chunk = self._aead.decrypt(_nonce(number, last=last), sealed, self._identity if last else None)
        except (InvalidTag, ValueError):
            what = "its end is missing, changed, or another file's" if last else f"chunk {number} of it was changed"
            raise Damaged(f"{self._where}: {what}; {RESTORE}") from None
        self._number, self._chunk = number, chunk

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        number, begin = divmod(self._at, CHUNK)
        self._load(number)
        data = self._chunk[begin : begin + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class Frames:
    """Seals and opens the frames of one journal."""

    def __init__(self, aead: AESGCM) -> None:
        self._aead = aead

    def seal(self, data: bytes, at: int) -> bytes:
        """Make the frame that stands at this place."""
        place, nonce = PLACE.pack(at, len(data) + TAG), os.urandom(12)
        return FRAME.pack(len(data) + TAG, zlib.crc32(place), nonce) + self._aead.encrypt(nonce, data, place)

    def open(self, file: BinaryIO, at: int) -> tuple[bytes | None, bool]:
        """Read the frame at this place: what it holds, else None, and whether it is torn as a crash tears."""
        from cryptography.exceptions import InvalidTag

        head = file.read(FRAME.size)
        if len(head) < FRAME.size:
            return None, True
        length, crc, nonce = FRAME.unpack(head)
        place = PLACE.pack(at, length)
        if zlib.crc32(place) != crc:
            return None, False
        sealed = file.read(length)
        if len(sealed) < length:
            return None, True
        try:
            return self._aead.decrypt(nonce, sealed, place), False
        except (InvalidTag, ValueError):
            return None, False


class Opened(io.RawIOBase):
    """A journal's lines, up to where it is torn."""

    def __init__(self, file: BinaryIO, frames: Frames | None, *, rotten: bool = False) -> None:
        super().__init__()
        self._file, self._frames = file, frames
        self._rest = b""
        self.end = HEAD.size if frames else 0
        "Where the last frame ends that could be opened."
        self.rotten = rotten
        "Whether more follows than a torn append."
        self.length = 0
        "Of the lines so far."

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest and self._frames:
            frame, torn = self._frames.open(self._file, self.end)
            if frame is None:
                self.rotten, self._frames = not torn, None
                break
            self.end, self._rest = self._file.tell(), frame
            self.length += len(frame)
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def missing_library(error: ImportError) -> ArchiveError:
    """Say what has to be installed."""
    return ArchiveError(
        f"this archive is encrypted, which needs: pip install 'conversation-exporter[encryption]' ({error})"
    )
