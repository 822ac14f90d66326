"""Contents of files, by their hash: nothing else of the disk can be asked for, and a browser runs none of them.

The idea: what begins like a picture that browsers only draw is shown as that picture; everything else is a download of
unknown bytes. Names come from nobody: the hash is all there is.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from exporter.archive import Archive, blob_name, is_encrypted
from exporter.errors import ArchiveError
from exporter.formats._page import kind_of

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
CHUNK = 256 * 1024
SANDBOXED = "default-src 'none'; sandbox; frame-ancestors 'none'"


def content(archive: Path, sha256: str, *, body: bool = True) -> Response:
    """Answer with a content."""
    if is_encrypted(archive):
        return _sealed(archive, sha256, body=body)
    file = _opened(archive, sha256) if SHA256.fullmatch(sha256) else None
    if file is None:
        return PlainTextResponse("There is no such file in this archive.\n", 404)
    with suppress(OSError):
        headers, media = _described(os.pread(file, 16, 0), os.fstat(file).st_size)
        if not body:
            os.close(file)
            return Response(headers=headers, media_type=media)
        return StreamingResponse(_chunks(file), headers=headers, media_type=media)
    os.close(file)
    return PlainTextResponse("This file cannot be read; run `exporter check`.\n", 500)


def _described(begin: bytes, size: int) -> tuple[dict[str, str], str]:
    """Return the headers of a content, and its type."""
    kind = kind_of(begin)
    headers = {"Content-Length": str(size), "Content-Security-Policy": SANDBOXED}
    if kind is None:
        headers["Content-Disposition"] = "attachment"
    return headers, f"image/{kind}" if kind else "application/octet-stream"


def _sealed(path: Path, sha256: str, *, body: bool) -> Response:
    """Answer with a content of an encrypted archive."""
    try:
        with Archive.open(path) as archive:
            file = archive.storage.open(blob_name(sha256)) if SHA256.fullmatch(sha256) else None
    except FileNotFoundError:
        file = None
    except (ArchiveError, OSError):
        return PlainTextResponse("This file cannot be read; run `exporter check`.\n", 500)
    if file is None:
        return PlainTextResponse("There is no such file in this archive.\n", 404)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    headers, media = _described(file.read(16), size)
    file.seek(0)
    if not body:
        file.close()
        return Response(headers=headers, media_type=media)
    return StreamingResponse(_read(file), headers=headers, media_type=media)


def _opened(archive: Path, sha256: str) -> int | None:
    """Open a regular file below the folder of contents, through no link."""
    folder = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = -1
    try:
        at = os.open(archive, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in ("blobs", "sha256", sha256[:2]):
            before, at = at, os.open(name, folder, dir_fd=at)
            os.close(before)
        file = os.open(sha256, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except OSError:
        return None
    finally:
        if at >= 0:
            os.close(at)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def _chunks(file: int) -> Iterator[bytes]:
    yield from _read(os.fdopen(file, "rb"))


def _read(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while data := file.read(CHUNK):
            yield data
