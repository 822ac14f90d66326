"""Asking the viewer without a browser: a client that has the token, and what pages say."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from starlette.testclient import TestClient

from exporter.view import Viewer
from exporter.view._server import app_of

ROOT = "http://127.0.0.1:8000"
TOKEN = "of-a-test"


def client(archive: Path, *, known: bool = True) -> TestClient:
    """Return a client of an archive's pages; `known`: it has opened the printed address."""
    found = TestClient(app_of(archive, Viewer(ROOT, TOKEN)), base_url=ROOT, follow_redirects=False)
    if known:
        assert found.get(f"/?token={TOKEN}").status_code == 303
    return found


def places(text: str) -> list[str]:
    """The places of the entries on a page, in order."""
    return re.findall(r'<article [^>]*data-place="([^"]*)"', text)


def threads(text: str) -> list[str]:
    """The threads in the list of a page, in order."""
    return [unescape(one) for one in re.findall(r'<a href="[^"]*" data-thread="([^"]*)"', text)]


def link(text: str, pattern: str) -> str | None:
    """The address of the first link that has this in its tag, or from there on."""
    tags = re.finditer(r'<a [^>]*?href="([^"]*)"[^>]*>', text)
    wanted = re.compile(rf"<a [^>]*{pattern}")
    return next((unescape(tag[1]) for tag in tags if wanted.match(text, tag.start())), None)
