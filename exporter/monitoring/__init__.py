"""What machines are told of a night: metrics, a ping, a webhook, a command. None of it can fail a backup.

What cannot be told is a sentence for people, which names no address beyond its host: the rest of it may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import ExporterError
from exporter.monitoring._ending import BUDGET, Ending


@dataclass(frozen=True, slots=True)
class Channels:
    """Who is told; None, or no words: nobody."""

    metrics: Path | None = None
    "A file for node_exporter's textfile collector."
    ping: str | None = None
    "An address that hears of each beginning and end."
    webhook: str | None = None
    "An address that hears of failures."
    on_failure: tuple[str, ...] = ()
    "A command that hears of failures."
    keys: frozenset[str] = frozenset()
    "Variables that have keys, whatever they are called: the command does not get them."


def begin(channels: Channels) -> Iterator[str]:
    """Tell that a night begins; yields what could not be told."""
    if channels.ping:
        from exporter.monitoring._web import ping

        url = channels.ping
        yield from _attempt("ping", lambda: ping(url, "start"))


def end(channels: Channels, ending: Ending) -> Iterator[str]:
    """Tell how a night ended; yields what could not be told."""
    if channels.metrics:
        from exporter.monitoring._metrics import write

        path = channels.metrics
        yield from _attempt("metrics", lambda: write(path, ending))
    if channels.ping:
        from exporter.monitoring._web import ping

        url = channels.ping
        yield from _attempt("ping", lambda: ping(url, "" if ending.good else str(ending.exit_code), ending.sentence))
    if ending.good:
        return
    if channels.webhook:
        from exporter.monitoring._web import post

        hook = channels.webhook
        yield from _attempt("webhook", lambda: post(hook, ending.told_to_strangers()))
    if channels.on_failure:
        from exporter.monitoring._command import run

        yield from _attempt("on-failure", lambda: run(channels.on_failure, ending, channels.keys))


def _attempt(name: str, tell: Callable[[], None]) -> Iterator[str]:
    try:
        tell()
    except ExporterError as error:
        yield f"--{name}: {error}"


__all__ = ["BUDGET", "Channels", "Ending", "begin", "end"]
