"""What `exporter backup` tells machines: options for it, and a watch over the command that tells however it ends."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from exporter.cli._command import EXITS
from exporter.cli._output import Output, redacted
from exporter.errors import ExporterError, UsageError
from exporter.model import now, printable

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.crawl import Report
    from exporter.monitoring import Channels

Function = Callable[..., Any]
KEPT = "exporter.watch"
DAYS = 7.0
"Threads that may lose something within so many days are at risk."


def tells_machines(function: Function) -> Function:
    """Add the options, and put a watch over the command; a dry run tells nobody."""

    @functools.wraps(function)
    def watched(*, metrics: Path | None, ping: str | None, webhook: str | None, **said: Any) -> Any:
        from exporter.config import key_variables
        from exporter.monitoring import Channels

        command = tuple(said.pop("on_failure"))
        # found at the beginning: the file may be what the night fails by
        channels = Channels(metrics, ping, webhook, command, key_variables(said["config"]) if command else frozenset())
        if said["dry_run"]:
            return function(**said)
        with Watch(said["archive"], channels) as watch:
            click.get_current_context().meta[KEPT] = watch
            watch.code = function(**said)
        return watch.code

    for option in (
        click.option(
            "--on-failure",
            metavar="COMMAND",
            envvar="EXPORTER_ON_FAILURE",
            callback=_words,
            show_envvar=True,
            help="Run it when a backup fails; it reads the summary as JSON.",
        ),
        click.option(
            "--webhook",
            metavar="URL",
            envvar="EXPORTER_WEBHOOK_URL",
            callback=_url,
            show_envvar=True,
            help="Send it the summary as JSON when a backup fails.",
        ),
        click.option(
            "--ping",
            metavar="URL",
            envvar="EXPORTER_PING_URL",
            callback=_url,
            show_envvar=True,
            help="Tell URL/start, and at the end URL or URL/EXITCODE.",
        ),
        click.option(
            "--metrics",
            metavar="FILE",
            envvar="EXPORTER_METRICS",
            type=click.Path(dir_okay=False, path_type=Path),
            show_envvar=True,
            help="Write metrics for node_exporter's textfile collector.",
        ),
    ):
        watched = option(watched)
    return watched


class Watch:
    """Sees how a command ends, by an error or not, and tells; nothing that cannot be told changes the end."""

    def __init__(self, archive: Path, channels: Channels) -> None:
        self.code = 0
        self.sentence = ""
        self._archive, self._channels = str(archive.absolute()), channels
        self._report: dict[str, Any] | None = None
        self._threads: dict[tuple[str, str], int] | None = None
        self._at_risk: int | None = None
        self._out, self._began = Output.of(), now()

    @classmethod
    def of(cls) -> Watch:
        """Return the watch over the running command."""
        watch = click.get_current_context().meta[KEPT]
        assert isinstance(watch, Watch)
        return watch

    def note(self, archive: Archive, report: Report) -> None:
        """Take what a run brought, and how the archive stands after it."""
        from exporter.monitoring import Channels
        from exporter.outlook import count_at_risk

        if self._channels == Channels():
            return
        self._report = _clean(report.to_json())
        try:
            self._threads = archive.catalog.census()
            self._at_risk = count_at_risk(archive.catalog, now(), DAYS)
        except ExporterError as error:  # what was archived is, and its exit code stands
            self._tell([f"threads were not counted: {error}"])

    def __enter__(self) -> Self:
        from exporter.monitoring import begin

        self._tell(begin(self._channels))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from importlib.metadata import version

        from exporter.monitoring import Ending, end

        code = self.code if error is None else _code(error)
        meaning = _meaning(code)
        ended = Ending(
            archive=printable(self._archive),
            version=version("conversation-exporter"),
            exit_code=code,
            meaning=meaning,
            sentence=redacted(printable(self.sentence or meaning)),
            started_at=self._began,
            finished_at=_not_before(self._began),
            report=self._report,
            threads=self._threads,
            at_risk=self._at_risk,
        )
        self._tell(end(self._channels, ended))

    def _tell(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self._out.complain(f"exporter: {redacted(printable(problem))}", "warning", event="not_told")


def _code(error: BaseException) -> int:
    if isinstance(error, ExporterError | click.ClickException):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    return 130 if isinstance(error, KeyboardInterrupt | click.Abort) else 1


def _meaning(code: int) -> str:
    return EXITS.get(130 if code == 143 else code, EXITS[1])


def _not_before(began: datetime) -> datetime:
    return max(began, now())  # a clock may have been set back


def _clean(value: Any) -> Any:
    """Return JSON without keys and control characters, wherever its texts have them."""
    if isinstance(value, str):
        return redacted(printable(value))
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value


def _url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Take an address; what is none is not repeated, as it may be a secret."""
    from exporter.endpoint import is_local, parsed

    if not value:
        return None
    none = click.BadParameter("it is no address; write https://...")
    try:
        parts, port = parsed(value.partition("#")[0])
    except UsageError:
        raise none from None
    if port == 0 or not value.isprintable() or " " in value:
        raise none
    secret = parts.username is not None or parts.password is not None
    if parts.scheme == "http" and secret and not is_local(parts.geturl()):
        raise click.BadParameter("its credentials are not sent over plain http to another machine; write https://...")
    return value


def _words(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    """Split a command as a shell does, of which nothing else happens."""
    try:
        return shlex.split(value or "")
    except ValueError as error:
        raise click.BadParameter(f"it cannot be split into words: {error}") from None
