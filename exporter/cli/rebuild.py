"""`exporter rebuild`: make catalog and tables again from the segments."""

from __future__ import annotations

from pathlib import Path

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output


@makes_command(("exporter rebuild -a ./archive",), exits=(0, 5, 10, 11))
@archive_option
def command(archive: Path) -> None:
    """Make the catalog and all tables again from the segments, which are the truth and stay as they are.

    For when `exporter check` says so, when the catalog is lost, or after an upgrade. Asks no server for anything.
    """
    from exporter.rebuild import rebuild

    rebuild(archive)
    Output.of().summary({"archive": str(archive)}, f"rebuilt catalog and tables of {archive}")
