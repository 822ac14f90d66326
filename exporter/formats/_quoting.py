r"""Text of others inside a Markdown document: it keeps its own Markdown, and cannot get out of its place.

The idea: it stands in a quotation, so its headings are quoted ones; code in fences is fenced anew, by us; elsewhere
`<` is no tag, `![` no picture, and only addresses of the web and of mail are links. What readers of Markdown disagree
about is decided here for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.formats._harmless import line, visible

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+#.-]{0,20})[^`]*$")
_PUNCTUATION = re.compile(r"([\\`*_\[\]#|!&~{}$^>])")
"What means something in the middle of a line, to one reader of Markdown or another."
_SAFE = r"(?:https?://|mailto:)"
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(rf"\]\((?!{_SAFE})", re.IGNORECASE)
_TICKS = re.compile(r"`{3,}")


def inline(text: str) -> str:
    """Return one line that is read as it is: no character of it means anything to Markdown."""
    return _PUNCTUATION.sub(r"\\\1", line(text)).replace("<", "&lt;")


def fenced(text: str, language: str = "") -> str:
    """Return text as a block of code that no line of it can end."""
    text = visible(text)
    ticks = "`" * max(3, 1 + max((len(run[0]) for run in _TICKS.finditer(text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def quoted(text: str) -> str:
    """Return text as a quotation."""
    return "\n".join(f"> {row}" if row else ">" for part in _parts(visible(text)) for row in part.split("\n"))


def _parts(text: str) -> Iterator[str]:
    """Yield the text, with its code fenced anew and the rest made harmless."""
    fence, language, held = "", "", list[str]()
    for row in text.split("\n"):
        found = _FENCE.match(row)
        if fence:
            if found and found[1].startswith(fence) and not row.strip(" \t`~"):
                yield fenced("\n".join(held), language)
                fence = ""
            else:
                held.append(row)
        elif found:
            fence, language, held = found[1], found[2], []
        else:
            yield _defused(row)
    if fence:
        yield fenced("\n".join(held), language)


def _defused(row: str) -> str:
    row = _TAG.sub("&lt;", row).replace("![", "!\\[").replace("]:", "]\\:")
    return _LINK.sub("]\\(", row)
