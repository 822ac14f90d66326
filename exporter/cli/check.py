"""`exporter check`: prove that the archive is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.errors import Damaged
from exporter.model import now, printable

if TYPE_CHECKING:
    from exporter.archive._parts import Part

EXAMPLES = ("exporter check", "exporter check --rebuild --json", "exporter check --subset 3/30")


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> Part | None:
    """Read `3/30`, or say what is wrong."""
    from exporter.archive._parts import Part

    if value is None:
        return None
    number, _, of = value.partition("/")
    try:
        return Part(int(number), int(of))
    except ValueError:
        raise click.BadParameter(f"{value} is no part of anything; 3/30 is the third of thirty", ctx, param) from None


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.option("--rebuild", is_flag=True, help="Also make tables and catalog again, beside, and compare.")
@click.option(
    "--subset", metavar="K/N", callback=_part, help="Read only the K-th of N parts, as each backup does with one of 30."
)
@archive_option
def command(archive: Path, rebuild: bool, subset: Part | None) -> int:
    """Read every byte of the archive and compare it with what was committed.

    Finds changed, missing and alien files, broken pages, holes in the commit log, tables that differ from the
    records; names the file and what to do. Changes nothing, but notes in the catalog when all was whole.
    """
    import json

    from exporter.archive import note_hints
    from exporter.check import check

    if rebuild and subset:
        raise click.UsageError("--rebuild compares the whole archive; leave --subset out")
    out, damages, notes = Output.of(), 0, 0
    for finding in check(archive, rebuild=rebuild, subset=subset):
        damages += finding.severity == "damage"
        notes += finding.severity == "note"
        fields = {
            "code": finding.code,
            "severity": finding.severity,
            "where": finding.where,
            "what": finding.what,
            "help": finding.help,
        }
        out.item("finding", fields, printable(f"{finding.severity}: {finding.where}: {finding.what}; {finding.help}"))
    code = Damaged.exit_code if damages else 0
    if not damages and subset is None:
        note_hints(archive, {"last_check": json.dumps({"at": f"{now():%Y-%m-%dT%H:%M:%SZ}", "rebuild": rebuild})})
    counts = {"damage": damages, "notes": notes, "exit_code": code}
    good = f"{archive} is whole" if subset is None else f"part {subset.number} of {subset.of} of {archive} is whole"
    out.summary(counts, f"DAMAGE: {damages:,} found in {archive}" if damages else good)
    return code
