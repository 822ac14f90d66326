"""Segments: journals sealed into immutable zstd files whose frames hold whole pages.

`seal` and `frames` are mirror images; where each frame begins is told to whoever indexes it.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from exporter.archive._blocks import Block, joined, proven
from exporter.archive._journal import header, length, pages_until_torn, reading, writer_of
from exporter.archive._lines import MARK, is_whole
from exporter.errors import Damaged
from exporter.files import writing
from exporter.model import Segment

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME = 256 * 1024
LEVEL = 3
MAGIC = b"\x28\xb5\x2f\xfd"
"How each frame begins (RFC 8878, section 3.1.1)."
LEFT = "-left"
"Ends the name of a segment that is what was left of a damaged one."
OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
    zstd.CompressionParameter.content_size_flag: 1,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Some whole pages of a segment and where they stand in its file."""

    offset: int
    length: int
    text: bytes
    "Its lines, decompressed, without the header of the first."
    raw: int
    "Length once decompressed."
    writer: str = ""
    "Of the first frame: the journal this was."

    @property
    def pages(self) -> tuple[list[bytes], ...]:
        """The lines of each page, its mark last."""
        return tuple(pages_until_torn(io.BytesIO(self.text)))


def seal(
    journal: Path, number: int, sealed_at: datetime, tmp: Path, cipher: Cipher | None = None
) -> tuple[Segment, Path]:
    """Compress a journal of whole pages into a durable file in `tmp`; return what it is and where it lies.

    Raises `Damaged` if the journal's bytes are not what its marks say.
    """
    path = tmp / f"{number:09d}.jsonl.zst"
    with reading(journal, cipher) as source:
        packed = _packed(proven(source, FRAME, str(journal)), path, number, cipher)
        if packed.raw_bytes != length(source, journal):
            raise Damaged(f"{journal}: it does not end with a whole page; open the archive again to cut what follows")
    name = f"segments/{sealed_at:%Y/%m}/{_file_name(number, packed, cipher)}"
    return replace(packed, name=name, journal=writer_of(journal)), path


def rewrite(
    one: Segment, file: BinaryIO, keeps: Callable[[list[bytes]], bool], tmp: Path, cipher: Cipher | None = None
) -> tuple[Segment, Path]:
    """Write a segment again, durably, in `tmp`, with those pages that are to be kept, byte for byte.

    It has the number, the month and the journal that it had, and is a remainder if it was one. Raises `Damaged` if its
    pages are not what they were.
    """
    head, _, _ = _frame(file.read(FRAME), file, one.name)
    file.seek(0)
    pages = (lines for frame in frames(file, one.name) for lines in checked(frame.pages, one.name) if keeps(lines))
    mark = LEFT if is_remainder(one.name) else ""
    return pack(head[: head.index(b"\n") + 1], pages, one, tmp, cipher, mark=mark)


def pack(
    head: bytes,
    pages: Iterable[list[bytes]],
    one: Segment,
    tmp: Path,
    cipher: Cipher | None = None,
    *,
    mark: str = "",
) -> tuple[Segment, Path]:
    """Write a header and whole pages, durably, in `tmp`, as what takes the place of a segment: see `rewrite`."""
    path = tmp / f"{one.number:09d}.jsonl.zst"
    packed = _packed(joined(head, pages, FRAME), path, one.number, cipher)
    name = f"{one.name.rsplit('/', 1)[0]}/{_file_name(one.number, packed, cipher, mark)}"
    return replace(packed, name=name, journal=one.journal), path


def is_named(name: str, number: int, sha256: str) -> bool:
    """Tell whether a segment's name is that of its bytes."""
    begin = f"{number:09d}-{sha256[:12]}.jsonl.zst"
    return PurePosixPath(name).name in (begin, f"{begin}.enc")


def is_remainder(name: str) -> bool:
    """Tell whether a segment is what was left of another: then positions do not go on in it without a gap."""
    return f"{LEFT}." in name


def _file_name(number: int, packed: Segment, cipher: Cipher | None, mark: str = "") -> str:
    return f"{number:09d}-{packed.sha256[:12]}{mark}.jsonl.zst{'.enc' if cipher else ''}"


class _Kept:
    """A file that is hashed and measured while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
        self.size += len(data)

    def sha256(self) -> str:
        return self._digest.hexdigest()


def _packed(blocks: Iterable[Block], path: Path, number: int, cipher: Cipher | None) -> Segment:
    """Compress a header and whole pages into a durable file; return what it is, but for its name and its journal."""
    raw, count, records = 0, 0, 0
    compressor = zstd.ZstdCompressor(options=OPTIONS)
    with writing(path) as file:
        kept = _Kept(file)
        sealing = cipher.writer(cast("BinaryIO", kept), "segments") if cipher else None
        write = sealing.write if sealing else kept.write
        for block in blocks:
            write(compressor.compress(block.text, mode=compressor.FLUSH_FRAME))
            raw, count, records = raw + len(block.text), count + block.pages, records + block.records
        if sealing:
            sealing.finish(f"{number:09d}")
    return Segment("", kept.sha256(), records, count, kept.size, raw, "")


def checked(pages: Iterable[list[bytes]], where: str) -> Iterator[list[bytes]]:
    """Pass pages on, raising `Damaged` at the first that is not what its mark says."""
    for lines in pages:
        try:
            whole = is_whole(lines[:-1], lines[-1])
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise Damaged(f"{where}: a page differs from its mark; run `exporter check`")
        yield lines


def frames(file: BinaryIO, where: str) -> Iterator[Frame]:
    """Read a segment frame by frame; `Damaged` where a frame does not decompress to whole pages."""
    offset, pending = 0, b""
    while data := pending or file.read(FRAME):
        text, length, pending = _frame(data, file, where)
        lines, first = io.BytesIO(text), offset == 0
        fields = header(lines) if first else {}
        if first and not fields:
            raise Damaged(f"{where}: it does not begin with a header; restore this file from a copy")
        pages = text[lines.tell() :]
        if not _ends_whole(pages) and (pages or not first):
            raise Damaged(f"{where}: the frame at byte {offset} ends inside a page; restore this file from a copy")
        yield Frame(offset, length, pages, len(text), str(fields.get("writer", "")))
        offset += length


def _ends_whole(pages: bytes) -> bool:
    """Whether a frame ends with a page's mark."""
    return pages.endswith(b"\n") and pages.startswith(MARK, pages.rfind(b"\n", 0, -1) + 1)


def _frame(data: bytes, file: BinaryIO, where: str) -> tuple[bytes, int, bytes]:
    """Decompress one frame that begins with `data`: its text, its length, and what was read beyond it."""
    decompressor, parts, length = zstd.ZstdDecompressor(), [], 0
    try:
        while not decompressor.eof:
            if not data:
                raise Damaged(f"{where}: it ends inside a frame; restore this file from a copy")
            parts.append(decompressor.decompress(data))
            length += len(data)
            data = b"" if decompressor.eof else file.read(FRAME)
    except zstd.ZstdError as error:
        raise Damaged(f"{where}: {error}; restore this file from a copy") from error
    rest = decompressor.unused_data
    return b"".join(parts), length - len(rest), rest


def frame_at(data: bytes, at: int, where: str) -> tuple[bytes, int]:
    """Return the text of the frame that begins there, and its length; `Damaged` where none does."""
    file = io.BytesIO(data)
    file.seek(at)
    text, length, _ = _frame(file.read(FRAME), file, where)
    return text, length


def read_header(file: BinaryIO, where: str) -> dict[str, object]:
    """Read the header line of a segment, without its pages."""
    text, _, _ = _frame(file.read(FRAME), file, where)
    return header(io.BytesIO(text))


def read_at(file: BinaryIO, offset: int, wanted: tuple[bytes, ...], where: str) -> Iterator[list[bytes]]:
    """Read the pages of the frame at `offset` whose mark line begins with what is wanted."""
    file.seek(offset)
    text, _, _ = _frame(file.read(FRAME), file, where)
    lines = io.BytesIO(text)
    if offset == 0:
        lines.readline()
    yield from (page for page in pages_until_torn(lines) if page[-1].startswith(wanted))


def describe(name: str, sha256: str, file: BinaryIO, see: Callable[[list[bytes]], None] | None = None) -> Segment:
    """Read a segment from its beginning and say what it is; `Damaged` if it does not hold whole pages.

    Each page is shown to `see`.
    """
    size, pages, records, raw, writer = 0, 0, 0, 0, ""
    for frame in frames(file, name):
        size, raw, writer = size + frame.length, raw + frame.raw, writer or frame.writer
        for lines in checked(frame.pages, name):
            pages, records = pages + 1, records + len(lines) - 1
            if see:
                see(lines)
    return Segment(name, sha256, records, pages, size, raw, writer)
