"""Asking a person before something happens that cannot be undone."""

from __future__ import annotations

import sys

import click

from exporter.errors import UsageError


def confirm(count: int, what: str, *, first: str = "", nothing: str) -> None:
    """Let a person type the number of what it is about; `UsageError` where there is none, or another is typed.

    `first` says what to do before saying `--yes`, `nothing` what has not happened.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is here to say yes: {first}say --yes; {nothing}")
    said = click.prompt(f"This cannot be undone. Type {count} to {what}", default="", err=True)
    if said.strip() != str(count):
        raise UsageError(nothing)
