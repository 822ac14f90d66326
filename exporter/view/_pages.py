"""What answers: addresses to pages. Every request opens the archive anew, so it sees what a backup has brought since.

/                        the list, and a welcome
/list?after=             a piece of the list, for the script
/t/SOURCE/ID             a conversation; ?from= ?before= ?at= which part of it
/part/SOURCE/ID?from=    a part alone, for the script
/search?q=               full text search
/blob/SHA256             the content of a file
/static/NAME             our style sheet, script and icon
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.archive import Archive
from exporter.errors import Damaged, ExporterError, UsageError
from exporter.formats._harmless import line
from exporter.model import ThreadRef
from exporter.sources import names
from exporter.view import _sidebar
from exporter.view._blobs import content
from exporter.view._finding import Finding
from exporter.view._icons import icon
from exporter.view._previews import Previews
from exporter.view._sidebar import Asked
from exporter.view._thread import Shelf, thread_of

STATIC = {
    "style.css": ("text/css", ("formats/templates/style.css", "formats/templates/code.css", "view/static/view.css")),
    "view.js": ("text/javascript", ("view/static/view.js",)),
    "icon.svg": ("image/svg+xml", ("view/static/icon.svg",)),
}
"What is served of our own, and what it is made of."

THEME = "exporter-theme"
"The cookie in which the script keeps whether pages are light or dark."
Handler = Callable[[Request], Response]


def build(archive: Path) -> Starlette:
    """Return the application of one archive, without its guard."""
    site = Site(archive)
    routes = {
        "/": site.home,
        "/list": site.list,
        "/t/{source}/{name:path}": site.thread,
        "/part/{source}/{name:path}": site.part,
        "/search": site.search,
        "/blob/{sha256}": site.blob,
        "/static/{name}": site.static,
        "/{rest:path}": site.nowhere,
    }
    return Starlette(routes=[Route(path, site.careful(handler)) for path, handler in routes.items()])


class Site:
    """The pages of one archive."""

    def __init__(self, archive: Path) -> None:
        self._path = archive.resolve()
        self._shelf = Shelf(self._path)
        self._previews = Previews()
        self._finding = Finding(self._path, self._previews)
        loaders = [PackageLoader("exporter.view", "templates"), PackageLoader("exporter.formats", "templates")]
        self._templates = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(icon=icon, sources=names())
        self._static: dict[str, bytes] = {}

    def careful(self, handler: Handler) -> Handler:
        """Make a page of whatever goes wrong: people see a sentence, never a traceback."""

        def answer(request: Request) -> Response:
            try:
                return handler(request)
            except UsageError as error:
                return self._wrong(request, 404, "This is not here", str(error))
            except Damaged as error:
                return self._wrong(request, 500, "The archive is damaged", str(error))
            except (ExporterError, OSError) as error:
                return self._wrong(request, 500, "This could not be read", str(error))
            except Exception as error:  # noqa: BLE001 - the last resort: a browser gets no traceback
                what = f"Something unexpected happened ({type(error).__name__}); please report it."
                return self._wrong(request, 500, "This could not be shown", what)

        answer.__name__ = handler.__name__
        return answer

    def home(self, request: Request) -> Response:
        """Show the list, and what there is."""
        with self._opened() as archive:
            counts = archive.catalog.count()
            shown = {"counts": counts, "threads": sum(counts.values()), "path": line(str(self._path))}
            return self._page("home.html", request, archive, None, shown)

    def list(self, request: Request) -> Response:
        """Show a piece of the list."""
        with self._opened() as archive:
            return self._answer("list.html", self._list(request, archive, None))

    def thread(self, request: Request) -> Response:
        """Show a conversation."""
        with self._opened() as archive:
            thread = thread_of(archive, **_named(request))
            with self._shelf.reading(archive, thread) as reading:
                shown = reading.shown(request.query_params)
            known = archive.catalog.find(thread)
            words = self._previews.of(archive, [known] if known else [])
            return self._page(
                "thread.html", request, archive, thread, {**shown, "title": words.get(thread, shown["title"])}
            )

    def part(self, request: Request) -> Response:
        """Show a part of a conversation."""
        with self._opened() as archive:
            thread = thread_of(archive, **_named(request))
            with self._shelf.reading(archive, thread) as reading:
                shown = reading.shown(request.query_params)
            return self._answer("part.html", shown)

    def search(self, request: Request) -> Response:
        """Show what was found."""
        with self._opened() as archive:
            shown = self._finding.shown(archive, request.query_params)
            answer = self._page("search.html", request, archive, None, shown)
            if shown["again"]:
                answer.headers["Refresh"] = "2"
            return answer

    def blob(self, request: Request) -> Response:
        """Answer with the content of a file."""
        return content(self._path, request.path_params["sha256"], body=request.method != "HEAD")

    def static(self, request: Request) -> Response:
        """Answer with something of ours."""
        name = request.path_params["name"]
        if name not in STATIC:
            return PlainTextResponse("There is no such file.\n", 404)
        media, parts = STATIC[name]
        if name not in self._static:
            self._static[name] = b"\n".join(files("exporter").joinpath(part).read_bytes() for part in parts)
        return Response(self._static[name], media_type=media)

    def nowhere(self, request: Request) -> Response:
        """Say that there is no such page."""
        return self._wrong(request, 404, "This is not here", "There is no such page.")

    @contextmanager
    def _opened(self) -> Iterator[Archive]:
        with Archive.open(self._path) as archive:
            yield archive

    def _list(self, request: Request, archive: Archive, current: ThreadRef | None) -> dict[str, Any]:
        asked, now = Asked.of(request.query_params), datetime.now().astimezone()
        listed = _sidebar.listed(
            archive, asked, request.query_params.get("after"), current, now, previews=self._previews
        )
        return {"list": listed, "asked": asked, "states": _sidebar.STATES}

    def _page(
        self, name: str, request: Request, archive: Archive, current: ThreadRef | None, shown: dict[str, Any]
    ) -> Response:
        return self._answer(name, {**self._list(request, archive, current), **_theme(request), **shown})

    def _answer(self, name: str, values: dict[str, Any], status: int = 200) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(values), status)

    def _wrong(self, request: Request, status: int, title: str, what: str) -> Response:
        return self._answer("wrong.html", {"title": title, "what": line(what), **_theme(request)}, status)


def _theme(request: Request) -> dict[str, str]:
    """Return what the switch was set to; empty: as the system is."""
    said = request.cookies.get(THEME, "")
    return {"theme": said if said in ("light", "dark") else ""}


def _named(request: Request) -> dict[str, Any]:
    params, query = request.path_params, request.query_params
    return {"source": params["source"], "name": params["name"] or query.get("id", ""), "mark": query.get("endpoint")}
