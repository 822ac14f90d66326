"""Code in colours: words of a program as `span` elements whose classes our style sheet knows.

The idea: a lexer of a language that is written at the block, one of those below, looks at a text of bounded length;
everything else stays as it is. What a lexer makes is no more trusted than the text.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

LONGEST = 5_000
"Characters; some lexers take a second for ten thousand of hostile ones. A longer block is shown without colours."
LANGUAGES = (
    *(
        "bash",
        "c",
        "cpp",
        "csharp",
        "css",
        "dart",
        "diff",
        "docker",
        "dockerfile",
        "elixir",
        "go",
        "graphql",
        "haskell",
    ),
    *(
        "html",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "jsx",
        "kotlin",
        "lua",
        "makefile",
        "perl",
        "php",
        "powershell",
    ),
    *("py", "python", "r", "rb", "ruby", "rust", "scala", "sh", "shell", "sql", "swift", "terraform", "toml", "ts"),
    *("tsx", "typescript", "xml", "yaml", "yml", "zsh", "console", "text", "markdown"),
)


def coloured(code: str, language: str, _: str) -> str:
    """Return a block of code as HTML, for Markdown; empty where it is to stay as it is."""
    name = language.strip().lower()
    if name not in LANGUAGES:
        return ""
    lexer = _lexer(name) if len(code) <= LONGEST else None
    if lexer is None:
        made = escape(code, quote=False)
    else:
        from pygments import highlight

        made = highlight(code, lexer, _formatter())
    return f'<pre data-lang="{name}"><code>{made}</code></pre>'


@lru_cache(1)
def classes() -> frozenset[str]:
    """Name all classes that such elements have."""
    from pygments.token import STANDARD_TYPES

    return frozenset(STANDARD_TYPES.values()) - {""}


@lru_cache(len(LANGUAGES))
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(1)
def _formatter() -> Any:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True)
