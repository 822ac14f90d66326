"""`exporter export`: what was archived, in another form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.model import Record, ThreadRef

EXAMPLES = ("exporter export --format jsonl -o all.jsonl", "exporter export thread_abc123 conv_abc123 | jq -c .body")


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--format", "format_", default="jsonl", show_default=True, metavar="NAME", help="What to write: jsonl.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; default: stdout."
)
@archive_option
def command(archive: Path, ids: tuple[str, ...], format_: str, output: Path | None) -> None:
    """Write threads in another format: all, or the ones named.

    jsonl: one line per object, the newest revision of each, thread by thread in the server's order; `body` is byte
    for byte what was archived. A file named with -o appears when it is complete, or not at all.
    With --json the summary needs stdout for itself, so -o is needed too.
    """
    from exporter.archive import Archive
    from exporter.errors import UsageError
    from exporter.formats import found, load

    out = Output.of()
    if out.as_json and not output:
        raise UsageError("--json answers on stdout; name a file for the export with -o")
    with Archive.open(archive) as reading:
        threads = [found(reading, one) for one in ids] if ids else (k.thread for k in reading.catalog.known())
        history = _History(reading, threads)
        with _opened(output) if output else out.stdout() as file:
            count = load(format_).write(history.records(), file)
    fields = {"threads": history.threads, "records": count, "format": format_, "output": output and str(output)}
    out.summary(fields, f"complete: {count:,} objects of {history.threads:,} threads")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open what -o names: a file is replaced once all is written, a pipe or a device takes bytes as they come."""
    from exporter.files import replacing, translated

    if path.exists() and not path.is_file():
        with translated(path), path.open("wb") as file:
            yield file
    else:
        with replacing(path.resolve()) as file:
            yield file


class _History:
    """Records of several threads, counting the threads."""

    def __init__(self, archive: Archive, threads: Iterable[ThreadRef]) -> None:
        self._archive, self._threads, self.threads = archive, threads, 0

    def records(self) -> Iterator[Record]:
        from exporter.formats import records

        for self.threads, thread in enumerate(self._threads, 1):  # noqa: B020 - counts as it goes
            yield from records(self._archive, thread)
