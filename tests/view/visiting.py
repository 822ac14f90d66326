"""A real browser that visits pages, and remembers what they did: words in the console, dialogs, requests to others.

Chromium of this machine, driven by Playwright. Every name and every other address leads to nowhere, so that nothing
leaves the machine; who was asked all the same is noted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.view._server import Viewer, listening, server_of
from tests.formats.browser import BINARY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

WAIT = 20_000
"Milliseconds until something that should happen counts as not happening."
STEP = 25
TOKEN = "of-a-test"
QUIET = (
    *("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
SIZE = {"width": 1280, "height": 900}
PHONE = {"viewport": {"width": 375, "height": 720}, "is_mobile": True, "has_touch": True}
OURS = ("data:", "about:", "blob:")


@dataclass
class Visit:
    """A page in a browser, and what it did."""

    page: Page
    root: str
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    "Addresses of this viewer, in order."

    def quiet(self) -> None:
        """Hold that nothing ran, nobody complained and nobody else was asked."""
        assert self.console == []
        assert self.dialogs == []
        assert self.outside == []
        assert self.page.evaluate("[window.pwned, document.title === 'owned']") == [None, False]

    def until(self, condition: str) -> None:
        """Wait until an expression is true; Playwright's own way needs `eval`, which our pages refuse."""
        for _ in range(WAIT // STEP):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(STEP)
        raise AssertionError(f"it never came: {condition}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser with a new profile of its own."""
    from playwright.sync_api import sync_playwright

    assert BINARY is not None
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BINARY, args=[*QUIET, *root], timeout=2 * WAIT)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, root: str, **options: Any) -> Iterator[Visit]:
    """Lend a new page of somebody who was never here."""
    context = browser.new_context(**{"viewport": SIZE, **options})
    try:
        context.set_default_timeout(WAIT)
        visit = Visit(context.new_page(), root)
        page = visit.page
        page.on("console", lambda one: visit.console.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda error: visit.console.append(f"error: {error}"))
        page.on("dialog", lambda one: _dismiss(visit, one))
        context.on("request", lambda one: _note(visit, one.url))
        context.on(
            "page", lambda other: visit.outside.append(f"another window: {other.url}") if other != page else None
        )
        yield visit
    finally:
        context.close()


def _dismiss(visit: Visit, dialog: Dialog) -> None:
    visit.dialogs.append(dialog.message)
    dialog.dismiss()


def _note(visit: Visit, url: str) -> None:
    if url.startswith(visit.root):
        visit.asked.append(url.removeprefix(visit.root))
    elif not url.startswith(OURS):
        visit.outside.append(url)


@contextmanager
def viewing(archive: Path) -> Iterator[Viewer]:
    """Run the viewer of an archive until the end of the block."""
    with listening("127.0.0.1", 0) as listener:
        viewer = Viewer(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)
        server = server_of(archive, viewer)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield viewer
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
