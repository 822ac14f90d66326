"""`exporter check`: prove that the archive is whole."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.errors import Damaged
from exporter.model import now, printable

EXAMPLES = ("exporter check", "exporter check --rebuild --json")


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.option("--rebuild", is_flag=True, help="Also make tables and catalog again, beside, and compare.")
@archive_option
def command(archive: Path, rebuild: bool) -> int:
    """Read every byte of the archive and compare it with what was committed.

    Finds changed, missing and alien files, broken pages, holes in the commit log, tables that differ from the
    records; names the file and what to do. Changes nothing, but notes in the catalog when all was whole.
    """
    import json

    from exporter.archive import note_hints
    from exporter.check import check

    out, damages, notes = Output.of(), 0, 0
    for finding in check(archive, rebuild=rebuild):
        damages += finding.severity == "damage"
        notes += finding.severity == "note"
        fields = {"severity": finding.severity, "where": finding.where, "what": finding.what, "help": finding.help}
        out.item("finding", fields, printable(f"{finding.severity}: {finding.where}: {finding.what}; {finding.help}"))
    code = Damaged.exit_code if damages else 0
    if not damages:
        note_hints(archive, {"last_check": json.dumps({"at": f"{now():%Y-%m-%dT%H:%M:%SZ}", "rebuild": rebuild})})
    counts = {"damage": damages, "notes": notes, "exit_code": code}
    out.summary(counts, f"DAMAGE: {damages:,} found in {archive}" if damages else f"{archive} is whole")
    return code
