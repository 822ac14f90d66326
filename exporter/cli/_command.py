"""What all commands share: some options, and a help that ends with an example and exit codes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

Function = Callable[..., Any]

AT_RISK = 4
EXITS = {
    0: "complete",
    1: "unexpected error",
    2: "wrong usage",
    3: "partial: some threads failed, their ids are in the summary",
    AT_RISK: "threads are at risk: something may be lost if they are not visited soon",
    5: "damage found",
    10: "no archive, or written by a newer version",
    11: "locked: another process is writing",
    12: "credentials refused or missing",
    13: "the source is gone, or too much vanished at once; nothing was marked gone",
    14: "a budget is used up, run again to go on",
    75: "the server is unwell, try again later",
    130: "interrupted (143: by SIGTERM); everything fetched is saved",
}


def makes_command(example: Sequence[str], exits: Sequence[int]) -> Callable[[Function], click.Command]:
    """Make a command of a function: its docstring is the help, its module's name the command's."""

    def make(function: Function) -> click.Command:
        name = function.__module__.rsplit(".", 1)[-1]
        as_json = click.option(
            "--json", is_flag=True, is_eager=True, expose_value=False, callback=_note_json, help="Answer in JSON lines."
        )
        about = re.split(r"[:.]", function.__doc__ or "", maxsplit=1)[0]
        return click.command(name=name, short_help=f"{about}.", epilog=_epilog(example, exits))(as_json(function))

    return make


class Folder(click.Path):
    """A folder that need not be there, of a name that may be given to one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Take a name that is short enough for its disk."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            os.lstat(path / "archive.json")
        except OSError as error:  # whether it is there, and may be read, is asked where it is needed
            if error.errno == errno.ENAMETOOLONG:
                self.fail(f"{path}: the name is too long for this disk; give it a shorter one", param, ctx)
        return path


def archive_option(function: Function) -> Function:
    """Add -a."""
    return click.option(
        "-a",
        "--archive",
        type=Folder(file_okay=False, path_type=Path),
        envvar="EXPORTER_ARCHIVE",
        default="./archive",
        show_default=True,
        show_envvar=True,
        help="The archive's folder.",
    )(function)


def profile_options(function: Function) -> Function:
    """Add --profile and --config."""
    function = click.option(
        "--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]"
    )(function)
    return click.option("--profile", default="default", metavar="NAME", help="Whose key and address to use.")(function)


class SourceName(click.types.StringParamType):
    """The name of a source; the help shows those that there are."""

    name = "source"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """Show what can be said."""
        from exporter.sources import names

        return f"[{'|'.join(names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take a name that there is."""
        from exporter.errors import UsageError
        from exporter.sources import load

        try:
            load(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def source_option(function: Function) -> Function:
    """Add --source."""
    return click.option("--source", type=SourceName(), help="What ids are whose prefix does not tell.")(function)


def _note_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["exporter.json"] = value


def _epilog(example: Sequence[str], exits: Sequence[int]) -> str:
    lines = [f"  {line}" for line in example]
    codes = [f"  {code:<4}{EXITS[code]}" for code in (*exits, *({1, 2} - set(exits)))]
    codes.sort(key=lambda line: int(line.split()[0]))
    return "\n".join(["\b", "Example:", *lines, "", "\b", "Exit codes:", *codes])
