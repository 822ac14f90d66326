"""What a command says: answers on stdout, everything else on stderr; with `--json`, stdout has JSON lines only.

Every line of JSON has its `message_type`, and the last of a command is its `summary`, or an `error`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from exporter.cli._logging import Severity, Style, as_style, lines
from exporter.errors import ExporterError
from exporter.model import printable, scrubbed

KEY = re.compile(r"\b(?:sk|sess|ek)-[A-Za-z0-9_-]{6,}|(?<=Bearer )\S+|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_.-]+")
SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
SHORTEST = 8
"A shorter value of a variable is no secret, but may well be a word of the text."


class Output:
    """How the command that is running answers."""

    def __init__(self, *, as_json: bool = False, verbosity: int = 0, style: Style = "plain") -> None:
        self.as_json = as_json
        self.verbosity = verbosity
        self.style = style

    @classmethod
    def of(cls, ctx: click.Context | None = None) -> Output:
        """Return what the options of the running command ask for."""
        meta = (ctx or click.get_current_context()).meta
        return cls(
            as_json=meta.get("exporter.json", False),
            verbosity=meta.get("exporter.verbosity", 0),
            style=as_style(meta.get("exporter.style")),
        )

    def item(self, message_type: str, fields: Mapping[str, Any], text: str | None = None) -> None:
        """Answer one thing: as a line of JSON, or as text if it has one."""
        if self.as_json:
            self.raw(dump({"message_type": message_type, **fields}) + b"\n")
        elif text is not None:
            self.text(text)

    def text(self, text: str) -> None:
        """Answer a line of text."""
        sys.stdout.write(f"{text}\n")

    def raw(self, line: bytes) -> None:
        """Answer bytes as they are."""
        sys.stdout.buffer.write(line)

    def summary(self, fields: Mapping[str, Any], sentence: str) -> None:
        """End: the facts as JSON, and a sentence for people."""
        self.item("summary", fields)
        self.say(sentence)

    def say(self, text: str, level: int = 0, severity: Severity = "info", **fields: Any) -> None:
        """Tell people something on stderr, unless they asked for quiet; `fields` are for logs in JSON."""
        if self.verbosity >= level:
            self.complain(text, "debug" if level else severity, **fields)

    def log(self, text: str, **fields: Any) -> None:
        """Tell a log something that people see without."""
        if self.style != "plain":
            self.say(text, **fields)

    def complain(self, text: str, severity: Severity = "error", **fields: Any) -> None:
        """Tell people about a failure on stderr, always."""
        sys.stdout.flush()
        click.echo(redacted(lines(self.style, severity, redacted(text), fields)), err=True)

    def error(self, error: ExporterError) -> None:
        """End with an error: one line."""
        message = redacted(printable(str(error)))
        self.item("error", {"exit_code": error.exit_code, "code": type(error).__name__, "error": message})
        self.complain(f"exporter: {message}", event="error", exit_code=error.exit_code, code=type(error).__name__)

    @contextmanager
    def stdout(self) -> Iterator[BinaryIO]:
        """Lend stdout to who writes bytes."""
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


def dump(fields: Mapping[str, Any]) -> bytes:
    """Make JSON of our own values; lone surrogates become escapes."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(fields, separators=(",", ":"), default=str).encode()


def redacted(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a text without any key that was revealed, that is in the environment, or that looks like one."""
    text = scrubbed(text)
    for name, value in environ.items():
        if len(value) >= SHORTEST and _has_a_secret(name.upper(), value):
            text = text.replace(value, "***")
    return KEY.sub("***", text)


def _has_a_secret(name: str, value: str) -> bool:
    """Whether a variable has a secret, not the place of one; a command may have one among its words."""
    # who takes NAME_FILE for NAME has a key in it
    place = name.endswith("_KEYRING") or (name.endswith("_FILE") and value.startswith(("/", "~", ".")))
    return not place and any(word in name for word in SECRET_NAMES)
