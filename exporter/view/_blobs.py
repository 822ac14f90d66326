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

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from exporter.formats._page import kind_of

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
CHUNK = 256 * 1024
SANDBOXED = "default-src 'none'; sandbox; frame-ancestors 'none'"


def content(archive: Path, sha256: str, *, body: bool = True) -> Response:
    """Answer with a content."""
    file = _opened(archive, sha256) if SHA256.fullmatch(sha256) else None
    if file is None:
        return PlainTextResponse("There is no such file in this archive.\n", 404)
    with suppress(OSError):
        begin = os.pread(file, 16, 0)
        kind = kind_of(begin)
        headers = {"Content-Length": str(os.fstat(file).st_size), "Content-Security-Policy": SANDBOXED}
        if kind is None:
            headers["Content-Disposition"] = "attachment"
        media = f"image/{kind}" if kind else "application/octet-stream"
        if not body:
            os.close(file)
            return Response(headers=headers, media_type=media)
        return StreamingResponse(_chunks(file), headers=headers, media_type=media)
    os.close(file)
    return PlainTextResponse("This file cannot be read; run `exporter check`.\n", 500)


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
    with os.fdopen(file, "rb") as source:
        while data := source.read(CHUNK):
            yield data
