"""`exporter view`: browse the archive in a browser on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output

if TYPE_CHECKING:
    from exporter.view import Viewer

EXAMPLES = ("exporter view", "exporter view conv_abc123 --no-open --port 8765")


@makes_command(EXAMPLES, exits=(0, 2, 5, 10))
@click.argument("thread_id", metavar="[ID]", required=False)
@click.option("--source", metavar="NAME", help="Which thread, where two sources use this id.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; 0 takes a free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address: 127.0.0.1 or ::1.")
@click.option("--open/--no-open", "opens", default=None, help="Open the browser; default: where people look on.")
@archive_option
def command(
    archive: Path, thread_id: str | None, source: str | None, *, host: str, port: int, opens: bool | None
) -> None:
    """Show the archive, or one conversation, as pages in the browser, until Ctrl-C.

    The printed address holds a token: who has it may read the whole archive, and nobody else. Only this machine can
    reach it, and nothing can be changed by it. It is safe while a backup runs; what that brings is there on reload.
    Needs the extra `view`. docs/view.md says what it shows, and what it does and does not protect from.
    """
    from exporter.archive import Archive
    from exporter.formats import found
    from exporter.view import serve

    out, path = Output.of(), ""
    with Archive.open(archive) as reading:
        if thread_id is not None:
            from exporter.view._names import doubled_in, path_of

            thread = found(reading, thread_id, source)
            path = path_of(thread, endpoint=doubled_in(reading, thread))
    if opens is None:
        opens = sys.stderr.isatty() and not out.as_json

    def ready(viewer: Viewer) -> None:
        url = viewer.url_of(path)
        out.item("view", {"url": url})
        sys.stdout.flush()
        out.say(url)
        out.say("Ctrl-C ends it.")
        if opens:
            _open(out, url)

    serve(archive, host, port, ready=ready)
    out.summary({}, "closed")


def _open(out: Output, url: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        out.say("no browser could be opened: open the address above yourself")
