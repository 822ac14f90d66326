"""`exporter doctor`: what stands between you and a backup."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.model import printable

EXAMPLES = ("exporter doctor", "exporter doctor thread_abc123        # which profile sees it, and if none: why")


@makes_command(EXAMPLES, exits=(0, 3, 10, 12, 13, 75))
@click.argument("thread_id", required=False, metavar="[ID]")
@click.option("--source", metavar="NAME", help="What ID is, where its prefix does not tell.")
@click.option("--profile", metavar="NAME", help="Look at this profile only; else at all.")
@click.option("--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]")
@archive_option
def command(archive: Path, thread_id: str | None, source: str | None, profile: str | None, config: str | None) -> int:
    """Look at keys, addresses, APIs, clock, archive and disk, and say what to do; with an ID, look for that thread.

    Asks each server a few harmless questions and changes nothing.
    """
    from exporter import doctor
    from exporter.config import profiles

    known = profiles(config)
    chosen = [known.named(profile)] if profile else list(known.values())
    looks = doctor.thread(chosen, thread_id, source) if thread_id else doctor.everything(chosen, archive)
    out, code = Output.of(), 0
    for look in looks:
        fields = {"subject": look.subject, "state": look.state, "what": look.what, "help": look.help}
        hint = f"\n       -> {look.help}" if look.help else ""
        out.item(
            "look",
            {**fields, "exit_code": look.exit_code},
            f"{look.state:<6} {printable(look.subject)}: {printable(look.what)}{hint}",
        )
        code = code or look.exit_code
    out.summary({"exit_code": code}, "all is well" if not code else "see above for what to do")
    return code
