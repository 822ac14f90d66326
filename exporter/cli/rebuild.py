"""`exporter rebuild`: make catalog and tables again from the segments."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output


@makes_command(("exporter rebuild -a ./archive",), exits=(0, 5, 10, 11))
@click.option("--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]")
@archive_option
def command(archive: Path, config: str | None) -> None:
    """Make the catalog and all tables again from the segments, which are the truth and stay as they are.

    For when `exporter check` says so, when the catalog is lost, or after an upgrade. Deadlines are worked
    out again from what is archived; they may come out sooner than they are, never later. Asks no server for anything.
    """
    from exporter.config import profiles
    from exporter.rebuild import rebuild

    rebuild(archive, profiles(config).policies)
    Output.of().summary({"archive": str(archive)}, f"rebuilt catalog and tables of {archive}")
