"""`exporter export`: what was archived, in another form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.cli._sharing import Sharing
from exporter.cli._times import Time, in_order

if TYPE_CHECKING:
    from exporter.formats import Format
    from exporter.formats._job import Job

EXAMPLES = (
    "exporter export --format jsonl -o all.jsonl",
    "exporter export --format html --customer acme -o acme/",
    "exporter export thread_abc123 conv_abc123 | jq -c .body",
)


class FormatName(click.types.StringParamType):
    """The name of a format; the help shows those that there are."""

    name = "format"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """Show what can be said."""
        from exporter.formats import names

        return f"[{'|'.join(names())}]"


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--format", "format_", default="jsonl", show_default=True, type=FormatName(), help="What to write.")
@click.option("-o", "--output", metavar="PATH", help="The file, or with a / at its end the folder; default: stdout.")
@click.option("--per-thread", is_flag=True, help="A file per thread, in the folder that -o names.")
@click.option("--user", help="Only this user's threads.")
@click.option("--customer", help="Only this customer's.")
@click.option("--source", metavar="NAME", help="Only this source's.")
@click.option("--tag", metavar="TEXT", help="Only those with this tag.")
@click.option("--since", type=Time(), metavar="TIME", help="Only objects from this time on, such as 2026-11-21.")
@click.option("--until", type=Time(), metavar="TIME", help="Only objects before this time.")
@click.option("--no-deleted", is_flag=True, help="Without what the server has deleted: messages, and gone threads.")
@click.option("--pseudonymise", is_flag=True, help="Words that stand for people, ids, addresses, numbers, keys.")
@click.option(
    "--names", type=click.File(encoding="utf-8-sig"), help="With --pseudonymise: names to look for, one per line."
)
@click.option("--phone-region", metavar="CC", help="With --pseudonymise: whose phone numbers have no +, such as DE.")
@click.option("--bom", is_flag=True, help="csv: begin with the mark by which Excel knows UTF-8.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@archive_option
def command(
    archive: Path, ids: tuple[str, ...], format_: str, output: str | None, per_thread: bool, **asked: Any
) -> None:
    """Write threads in another format: all, or the ones named or asked for.

    jsonl: one line per object as it was sent. csv: one row per message, for spreadsheets. markdown, html: to be read;
    html is a folder with a page per thread and needs the extra `html`. sqlite: a database with full-text search.
    chat: one line per conversation, for fine-tuning and evaluations. docs/export.md says what is in each.

    A file gets its name when it is whole, or not at all. The last line says how much was written, and what was dropped
    because the format has no words for it. With --json that summary needs stdout for itself, so -o is needed too.

    --pseudonymise is for sharing: a user, an id, an address is the same word in every export with the same key, which
    EXPORTER_PSEUDONYM_KEY has or EXPORTER_PSEUDONYM_KEY_FILE names. docs/sharing.md says what it cannot find.
    """
    from exporter.archive import Archive
    from exporter.formats import load
    from exporter.formats._choosing import chosen, conversations
    from exporter.formats._folder import write_folder
    from exporter.formats._job import Job
    from exporter.formats._story import Wanted

    out, form = Output.of(), load(format_)
    in_order(asked["since"], asked["until"])
    sharing = Sharing(
        asked.pop("names"), pseudonymise=asked.pop("pseudonymise"), region=asked.pop("phone_region"), out=out
    )
    force, bom, deleted = asked.pop("force"), asked.pop("bom"), not asked.pop("no_deleted")
    path, into_folder = Path(output) if output else None, _into_folder(form, output, per_thread=per_thread)
    _check(out, path, into_folder=into_folder, force=force)
    base = path.resolve().parent if path else None
    job = Job(base=base or Path.cwd(), scratch=base if path and not _is_stream(path) else None, bom=bom)
    asks = Wanted(ids=ids, deleted=deleted, **asked)
    with Archive.open(archive) as reading, sharing.of(reading, asks) as (shelf, wanted):
        stories = (conversations if getattr(form, "CHAINS", False) else chosen)(shelf, wanted, job)
        if into_folder:
            assert path
            write_folder(form, stories, path, job, force=force)
        else:
            with _opened(path) if path else out.stdout() as file:
                form.write(stories, file, job)
    _report(out, job, format_, output, sharing)


def _into_folder(form: Format, output: str | None, *, per_thread: bool) -> bool:
    """Tell whether the result is a folder: it was asked for, it is one already, or that is how the format is."""
    if per_thread or output is None:
        return per_thread
    path = Path(output)
    if path.exists():
        return path.is_dir()
    return output.endswith("/") or (getattr(form, "FOLDER", False) and path.suffix != form.SUFFIX)


def _is_stream(path: Path) -> bool:
    """Tell whether what has this name takes bytes as they come: a pipe, a device."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _check(out: Output, output: Path | None, *, into_folder: bool, force: bool) -> None:
    """Refuse what cannot go well, before anything is written."""
    from exporter.errors import UsageError
    from exporter.formats._folder import free

    if output is None and into_folder:
        raise UsageError("--per-thread writes many files; name a folder for them with -o")
    if output is None and out.as_json:
        raise UsageError("--json answers on stdout; name a file for the export with -o")
    if output is not None and into_folder and output.exists() and not output.is_dir():
        raise UsageError(f"{output}: it is a file; name a folder with -o")
    if output is not None and not into_folder and not _is_stream(output):
        if not output.parent.is_dir():
            raise UsageError(f"{output.parent}: there is no such folder; make it, or name another with -o")
        free(output, force=force)


def _report(out: Output, job: Job, format_: str, output: str | None, sharing: Sharing) -> None:
    """Say what was written, and what was not."""
    counts = {"threads": job.threads, "messages": job.messages, "records": job.records, "empty": job.empty}
    dropped = dict(job.dropped.most_common())
    fields: dict[str, Any] = {**counts, "dropped": dropped, "format": format_, "output": output}
    sentence = f"complete: {job.threads:,} threads, {job.messages:,} messages"
    if job.records != job.messages:
        sentence += f", {job.records:,} {'lines' if format_ == 'chat' else 'objects'}"
    if job.empty:
        sentence += f"; {job.empty:,} threads have nothing of it"
    if dropped:
        sentence += f"; dropped: {', '.join(f'{count:,} {kind}' for kind, count in dropped.items())}"
    if sharing.counts is not None:
        fields["pseudonyms"] = sharing.counts
        told = ", ".join(f"{count:,} {kind}" for kind, count in sharing.counts.items())
        sentence += f"; pseudonyms stand for {told or 'nothing'}"
    from exporter.model import printable

    out.summary(fields, printable(sentence))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open what -o names: a file is replaced once all is written, a pipe or a device takes bytes as they come."""
    from exporter.files import replacing, translated

    if _is_stream(path):
        with translated(path), path.open("wb") as file:
            yield file
    else:
        with replacing(path.resolve()) as file:
            yield file
