"""`exporter selftest`: try, on this disk, what is promised."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.errors import Damaged
from exporter.model import printable

if TYPE_CHECKING:
    from exporter.selftest import Promise, Result

EXAMPLES = (
    "exporter selftest --quick",
    "exporter selftest --folder /backups",
    "exporter selftest --only crashes.while_journaling --json",
)


@makes_command(EXAMPLES, exits=(0, 5))
@click.option("--quick", is_flag=True, help="Look at fewer situations: a part of the time.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="On the disk that is to be tried; default: beside the archive.",
)
@click.option("--only", multiple=True, metavar="PROMISE", help="Look at this one; can be given more than once.")
@archive_option
def command(archive: Path, folder: Path | None, quick: bool, only: tuple[str, ...]) -> int:
    """Try what is promised, here and now: against a server that lies, and with crashes at every kind of write.

    Runs backups of a local server into a temporary folder on your disk. They are lied to, cut off, killed while they
    write; the disk is full, fails, loses its power, the clock jumps. Nothing leaves the machine, and no archive of
    yours is touched. Prints for each promise whether it was kept.
    """
    from exporter.selftest import chosen, run

    out, wanted = Output.of(), chosen(quick=quick, only=only)
    place = folder or _beside(archive)
    broken = cases = 0
    with (
        _Bar(out, len(wanted)) as bar,
        tempfile.TemporaryDirectory(prefix=".exporter-selftest-", dir=place) as temporary,
    ):
        for result in run(Path(temporary), wanted, quick=quick, on_case=bar.case):
            broken += result.broken is not None
            cases += result.cases
            bar.result(result)
    code = Damaged.exit_code if broken else 0
    counts = {"promises": len(wanted), "broken": broken, "cases": cases, "exit_code": code}
    good = f"all {len(wanted)} promises were kept, in {cases} situations"
    out.summary(counts, f"BROKEN: {broken} of {len(wanted)} promises" if broken else good)
    return code


def _beside(archive: Path) -> Path:
    """Return the folder that holds the archive, or will hold it."""
    return next(folder for folder in archive.absolute().parents if folder.is_dir())


class _Bar:
    """Shows what is being tried, on a terminal, and says how each promise fared."""

    def __init__(self, out: Output, promises: int) -> None:
        self._out, self._promises = out, promises
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self._out.verbosity >= 0:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("selftest", total=self._promises, told="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def case(self, promise: Promise, cases: int) -> None:
        """A situation is tried."""
        if self._bar is not None:
            self._bar.update(self._task, told=f"{promise.name}, {cases}")

    def result(self, result: Result) -> None:
        """A promise was looked at."""
        if self._bar is not None:
            self._bar.advance(self._task)
        promise = result.promise
        fields = {"promise": promise.name, "sentence": promise.sentence, "kept": result.broken is None}
        fields |= {"broken": result.broken, "cases": result.cases, "seconds": round(result.seconds, 2)}
        text = f"{'BROKEN' if result.broken else 'kept  '} {promise.name}: {promise.sentence}"
        if result.broken:
            text += f"\n       {printable(result.broken.splitlines()[0])}"
        self._out.item("promise", fields, text)
        sys.stdout.flush()
