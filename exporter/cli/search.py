"""`exporter search`: full text over the archive."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.cli._painting import When, color_option, colored, paint
from exporter.cli._times import Time, in_order
from exporter.errors import Damaged

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.search import Hit, Index, Results

EXAMPLES = (
    "exporter search refund invoice",
    "exporter search '\"rate limit\" deploy*' --customer acme --since 2026-11-01",
    "exporter search 東京 --json | jq -r .thread",
)
MARK = "**"
"Around what matches, where there are no colours."


@makes_command(EXAMPLES, exits=(0, 2, 5, 10, 11))
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--user", help="Only in this user's threads.")
@click.option("--customer", help="Only in this customer's.")
@click.option("--source", metavar="NAME", help="Only in this source's.")
@click.option("--role", metavar="NAME", help="Only what this role said: user, assistant, tool, ...")
@click.option("--thread", metavar="ID", help="Only in this thread.")
@click.option("--since", type=Time(), metavar="TIME", help="Only what is from this time on, such as 2026-11-21.")
@click.option("--until", type=Time(), metavar="TIME", help="Only what is before this time.")
@click.option("--no-deleted", is_flag=True, help="Without what the server has deleted: messages, and gone threads.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="How many, the best first.")
@click.option("--offset", default=0, type=click.IntRange(min=0), help="Leave out so many of the best.")
@click.option("--index", "folder", type=click.Path(path_type=Path), metavar="PATH", help="Keep the index elsewhere.")
@click.option("--no-refresh", is_flag=True, help="Search the index as it is, without reading what is new.")
@color_option
@archive_option
def command(
    *,
    archive: Path,
    words: tuple[str, ...],
    folder: Path | None,
    no_refresh: bool,
    no_deleted: bool,
    color: When,
    **asked: Any,
) -> int:
    """Find words in messages, calls of tools and what they gave, titles and names of files, in any language.

    All words have to be there, in any order. "Words in quotes" follow each other, deploy* is the beginning of a word;
    case and accents do not count. In Chinese, Japanese, Korean and Thai any part of a sentence is found, and only as it
    is written. The best come first (BM25), with what matches in bold, or between ** in a pipe.

    The first search makes an index in the archive, later ones add what is new; it may be deleted at any time, and a
    backup that is running is not disturbed. Needs the extra `search`; docs/search.md has figures.
    """
    from exporter.archive import Archive
    from exporter.cli._indexing import indexing
    from exporter.search import Index, Query

    out = Output.of()
    in_order(asked["since"], asked["until"])
    query = Query(" ".join(words), deleted=not no_deleted, **asked)
    with Archive.open(archive) as reading:
        with indexing(out) as told:
            index = Index.open(reading, refresh=not no_refresh, on_progress=told, path=folder)
        with index:
            results = index.search(query)
            for hit in results.hits:
                out.item("hit", _fields(hit), None if out.as_json else _text(reading, hit, bold=colored(color)))
            _report(out, index, results, query.offset)
    return Damaged.exit_code if any(hit.damage for hit in results.hits) else 0


def _fields(hit: Hit) -> dict[str, Any]:
    thread = {"thread": hit.thread.id, "source": hit.thread.source, "endpoint": hit.thread.endpoint}
    said = {name: value for name, value in asdict(hit).items() if name != "thread"}
    return {**thread, **said, "ts": hit.ts.isoformat() if hit.ts else None}


def _text(archive: Archive, hit: Hit, *, bold: bool) -> str:
    """Say where it is, who said it, what matches, and how to read on."""
    from exporter.formats._harmless import line

    def dim(text: str) -> str:
        return paint(text, "about") if bold else text

    owner = (f"{name} {line(value)}" for name, value in (("user", hit.user), ("customer", hit.customer)) if value)
    title = line(hit.title or hit.thread.id)
    when = f"{hit.ts:%Y-%m-%d %H:%M} UTC" if hit.ts else ""
    what = {"message": hit.role or hit.type or "", "thread": "title", "file": "file"}[hit.kind]
    gone = "deleted" if hit.deleted else ""
    about = " · ".join(filter(None, (paint(title, "title") if bold else title, *owner, when, line(what), gone)))
    said = f"(its text cannot be read: {line(hit.damage)})" if hit.damage else _marked(hit, bold=bold)
    return f"{about}\n  {said}\n  {dim(_hint(archive, hit))}\n"


def _marked(hit: Hit, *, bold: bool) -> str:
    from exporter.formats._harmless import visible

    parts, at = [], 0
    for begin, end in hit.marks:
        match = visible(hit.snippet[begin:end])
        parts += [visible(hit.snippet[at:begin]), paint(match, "title") if bold else f"{MARK}{match}{MARK}"]
        at = end
    return "".join([*parts, visible(hit.snippet[at:])])


def _hint(archive: Archive, hit: Hit) -> str:
    """Return the command that shows the whole conversation."""
    from exporter.model import printable

    named = archive.catalog.named(hit.thread.id)
    options = ["--source", hit.thread.source] if len({one.thread.source for one in named}) > 1 else []
    if click.get_current_context().get_parameter_source("archive") is click.core.ParameterSource.COMMANDLINE:
        options += ["-a", str(archive.path)]
    return shlex.join(["exporter", "show", printable(hit.thread.id), *options])


def _report(out: Output, index: Index, results: Results, offset: int) -> None:
    total, shown = results.total, len(results.hits)
    newest = index.archive.manifest()
    fields = {"total": total, "shown": shown, "offset": offset, "stale": results.stale, "manifest": index.manifest}
    if results.stale:
        behind = f"the index holds manifest {index.manifest:,} of {newest:,}: what was archived later is not found"
        out.say(f"{index.note}; {behind}" if index.note else behind, severity="warning")
    damaged = sum(hit.damage is not None for hit in results.hits)
    if damaged:
        out.say(f"the texts of {damaged:,} of these cannot be read; run `exporter check`", severity="warning")
    sentence = f"{total:,} found" if shown == total else f"{total:,} found, {shown:,} shown from {offset + 1:,}"
    out.summary({**fields, "newest": newest, "note": index.note}, sentence)
