"""What an HTML page is made of: our templates, Markdown that was made harmless twice, and pictures of the archive.

The idea: no text of others is ever trusted. Markdown is rendered without HTML and without pictures, then `nh3` keeps a
few tags and attributes; and were all that wrong, the page's policy allows no script, no address and no style but ours.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from exporter.errors import UsageError
from exporter.formats._code import LANGUAGES, classes, coloured
from exporter.formats._harmless import visible

STYLES = ("style.css", "code.css")
LONGEST = 50_000
"Characters; a longer text is shown as it is, since hostile Markdown of this length takes two seconds already."
PICTURE_BYTES = 8 << 20
"A larger picture is named and not shown."
TAGS = (
    *("a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol"),
    *("p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
)
WEB = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
"How pictures begin that browsers draw without running anything; WebP is looked at apart."


def page(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a page piece by piece."""
    environment, style = _templates()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    from markupsafe import Markup

    shown = {"policy": policy, "style": Markup(style)}  # noqa: S704 - our own style sheet
    yield from environment.get_template(name).generate({**shown, **values})


def rendered(text: str) -> Any:
    """Return Markdown as harmless HTML."""
    from markupsafe import Markup, escape

    text = visible(text)
    if len(text) > LONGEST:
        return Markup('<div class="plain">{}</div>').format(escape(text))
    parser, nh3 = _markdown()
    made = parser.render(text)
    return Markup(  # noqa: S704 - this is what makes it harmless
        nh3.clean(
            made,
            tags={*TAGS, "span"},
            attributes={"*": set(), "a": {"href"}, "ol": {"start"}, "span": {"class"}, "pre": {"data-lang"}},
            attribute_filter=_kept,
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow",
            strip_comments=True,
        )
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """Keep addresses of the web and of mail; one that is relative would lead into the reader's own files."""
    if tag == "span":
        return value if value in classes() else None
    if tag == "pre":
        return value if value in LANGUAGES else None
    return value if (tag, name) != ("a", "href") or WEB.match(value) else None


def picture(path: Path) -> str | None:
    """Return a picture as the address that holds it; None for anything that is no picture, or too large."""
    try:
        if path.stat().st_size > PICTURE_BYTES:
            return None
        data = path.read_bytes()
    except OSError:  # `check` tells of what is missing
        return None
    kind = kind_of(data)
    return kind and f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def kind_of(begin: bytes) -> str | None:
    """Return what kind of picture begins like this; None where it is none that browsers draw without running it."""
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in PICTURES.items() if begin.startswith(start)), None)


@lru_cache(1)
def _templates() -> tuple[Any, str]:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise missing(error) from None
    loader = PackageLoader("exporter.formats", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = "".join(loader.get_source(environment, name)[0] for name in STYLES)
    return environment, style


@lru_cache(1)
def _markdown() -> tuple[Any, Any]:
    try:
        import nh3
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing(error) from None
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20, "highlight": coloured})
    return parser.enable(["table", "strikethrough"]).disable(["image", "html_inline", "html_block"]), nh3


def missing(error: ImportError) -> UsageError:
    """Say what to install."""
    return UsageError(f"{error.name} is not installed; pip install 'conversation-exporter[html]'")
