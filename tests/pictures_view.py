"""Pictures of the viewer and of `exporter show`: the sample archive, and a conversation that has a bit of everything.

Browser and terminal are this machine's Chromium; without it there are no pictures.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from exporter.archive import Archive
from exporter.model import Item, Page, Registration, ThreadRef
from exporter.registry import register
from exporter.search import Index
from tests.cli.terminal import on_a_terminal
from tests.view.library import keep
from tests.view.visiting import PHONE, Visit, chromium, viewing, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHOWN = ThreadRef("assistants", "https://api.example/v1", "thread_showroom")
BEGIN = datetime(2026, 11, 19, 8, 12, tzinfo=UTC)
WIDE = {"viewport": {"width": 1240, "height": 800}, "device_scale_factor": 2}
SMALL = PHONE | {"device_scale_factor": 2}
COLUMNS = 100
PANE = {"viewport": {"width": 9 * COLUMNS, "height": 200}, "device_scale_factor": 2}

ANSWER = """Order **4711** was split, so the invoice lists two deliveries【4:0†source】:

| delivery | date | parcels | amount |
|---|---|---|---|
| A-1 | 3 November | 2 | 418.00 EUR |
| A-2 | 9 November | 1 | 96.50 EUR |

Nothing is charged twice. To check it yourself:

```python
total = sum(row.amount for row in deliveries("4711"))
assert total == invoice("2026-1184").net  # 514.50
```
"""


def viewer(archive: Path, images: Path) -> None:
    """A conversation light, dark and on a phone, and a search."""
    path = f"/t/{SHOWN.source}/{SHOWN.id}?text=alder"
    with _showroom(archive) as copy, viewing(copy) as view, chromium() as browser:
        for scheme in ("light", "dark"):
            with visiting(browser, view.root, color_scheme=scheme, **WIDE) as visit:
                _taken(visit, view.url_of(path), images / f"view-{scheme}.png")
        with visiting(browser, view.root, **SMALL) as visit:
            _taken(visit, view.url_of(path), images / "view-phone.png")
        with visiting(browser, view.root, **WIDE) as visit:
            _taken(visit, view.url_of("/search?q=delivery+invoice"), images / "view-search.png", "#results article")


def terminal(archive: Path, images: Path) -> None:
    """The same conversation as `exporter show` prints it."""
    with _showroom(archive) as copy, chromium() as browser:
        words = ("show", SHOWN.id, "-a", copy.name)
        text = on_a_terminal(*words, cwd=copy.parent, environ={"TERM": "xterm"}, columns=COLUMNS)
        _drawn(browser, f"$ exporter show {SHOWN.id}", text, images / "show.png")


def _taken(visit: Visit, url: str, image: Path, shows: str = "#transcript article") -> None:
    visit.page.goto(url)
    visit.page.locator(shows).first.wait_for()
    visit.page.wait_for_load_state("networkidle")
    visit.page.evaluate("scrollTo(0, 0)")
    visit.page.wait_for_timeout(300)
    visit.page.screenshot(path=image)
    visit.quiet()


def _drawn(browser: Browser, command: str, text: str, image: Path) -> None:
    """Draw what a terminal shows."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is no file
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text(command, "bold"), Text.from_ansi(text), sep="\n")
        made = console.export_html(theme=MONOKAI, inline_styles=True, code_format="<pre>{code}</pre>")
    style = "body{margin:0;background:#161821}pre{margin:0;padding:22px 26px;font:14px/1.45 monospace;color:#d7d9e0}"
    with visiting(browser, "about:", **PANE) as visit:
        visit.page.set_content(f"<!DOCTYPE html><title>{escape(command)}</title><style>{style}</style>{made}")
        visit.page.screenshot(path=image, full_page=True)


@contextmanager
def _showroom(archive: Path) -> Iterator[Path]:
    """Lend a copy of an archive with one conversation more."""
    with TemporaryDirectory() as home:
        copy = Path(home) / "archive"
        shutil.copytree(archive, copy)
        blob = keep(copy, _picture())
        with Archive.write(copy) as writing:
            title = "Two deliveries on one invoice?"
            register(writing, [Registration(SHOWN, user="hana", customer="Alder Logistics", title=title)])
            writing.append(list(_pages(blob)))
            writing.seal()
        with Archive.open(copy) as reading, Index.open(reading):
            pass  # a search waits for nothing
        yield copy


def _pages(blob: str) -> Iterator[Page]:
    file = {"type": "file", "message": "msg_1", "name": "invoice-2026-1184.png", "mime_type": "image/png"}
    kept = file | {"sha256": blob, "bytes": 4321, "form": "bytes"}
    listed = {"type": "file", "message": None, "name": "deliveries.csv", "reason": "expired"}
    items = (Item("file-invoice", json.dumps(kept).encode()), Item("file-deliveries", json.dumps(listed).encode()))
    yield _page("file", "files", items)
    yield _page("thread", "thread", (_item({"id": SHOWN.id, "object": "thread", "created_at": _at(0)}),))
    call = {"name": "find_deliveries", "arguments": '{"order":"4711"}', "output": '[{"id":"A-1"},{"id":"A-2"}]'}
    calls = [{"id": "call_1", "type": "function", "function": call}]
    step = {"id": "step_1", "run_id": "run_1", "type": "tool_calls", "created_at": _at(1)}
    yield _page("step", "steps", (_item(step | {"step_details": {"type": "tool_calls", "tool_calls": calls}}),))
    notes = [{"type": "file_citation", "text": "【4:0†source】", "file_citation": {"file_id": "file-deliveries"}}]
    said: list[dict[str, Any]] = [
        _said(1, "user", "Why does our November invoice show **two** deliveries? We ordered once."),
        _said(2, "assistant", ANSWER, run_id="run_1", notes=notes),
        _said(3, "user", "Ah, the split order. Can I get a copy with both on one page? 🙂"),
        _said(4, "assistant", "Yes: it is on its way to your inbox."),
        _said(5, "user", "my password is hunter2, please log in for me"),
        _said(6, "user", "Thanks, that is all!"),
    ]
    yield _page("message", "messages", tuple(map(_item, said)))
    later = BEGIN + timedelta(days=1)
    gone = Item("msg_5", b'{"kind":"message","list":"messages","reason":"deleted"}')
    yield _page("deletion", "deletions", (gone,), later, fresh=False)
    told: dict[str, Any] = {"state": "complete", "code": None, "error": None, "records": len(said), "gaps": []}
    yield _page("visit", "visit", (Item(None, json.dumps(told).encode()),), later)


def _page(kind: Any, name: str, items: tuple[Item, ...], at: datetime = BEGIN, *, fresh: bool = True) -> Page:
    return Page(SHOWN, kind, items, None, False, at, name, fresh=fresh)


def _item(body: dict[str, Any]) -> Item:
    return Item(body["id"], json.dumps(body).encode())


def _said(number: int, role: str, text: str, *, notes: Any = (), **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": list(notes)}}]
    return {"id": f"msg_{number}", "role": role, "created_at": _at(number), "content": content, **more}


def _at(minute: int) -> int:
    return int((BEGIN + timedelta(minutes=minute)).timestamp())


def _picture() -> bytes:
    """Draw what somebody sent."""
    page = """<!DOCTYPE html><style>body{margin:0;font:15px sans-serif;background:#fff;color:#223;padding:22px}
    h1{font-size:19px;margin:0 0 12px}td{padding:5px 22px 5px 0;border-top:1px solid #ccd}b{float:right}</style>
    <h1>Invoice 2026-1184 <b>514.50 EUR</b></h1><table><tr><td>A-1<td>3 November<td>418.00<tr><td>A-2<td>9 November
    <td>96.50</table>"""
    with chromium() as browser, visiting(browser, "about:", viewport={"width": 420, "height": 150}) as visit:
        visit.page.set_content(page)
        return visit.page.screenshot()
