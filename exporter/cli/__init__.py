"""The command line: one file per command, found by its name and imported when it is used.

A command reads options, makes one call and prints what came back. Nothing here imports anything heavy:
`exporter --help` has to answer at once.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Any, cast

import click

from exporter.cli._logging import FORMATS, VARIABLE, style_of
from exporter.cli._output import Output
from exporter.errors import ExporterError

NO_COMMANDS = {"reference"}
ORDER = (
    "backup",
    "register",
    "discover",
    "threads",
    "status",
    "plan",
    "touch",
    "show",
    "search",
    "view",
    "export",
    "check",
    "rebuild",
    "erase",
    "doctor",
    "schedule",
    "sandbox",
    "selftest",
)
"How `--help` lists them: by need; whatever is not named here follows."


def names() -> list[str]:
    """Name all commands."""
    found = {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")} - NO_COMMANDS
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


class Commands(click.Group):
    """Commands by the names of their files; our errors become one line and an exit code here."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands for the help."""
        return names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command that is used."""
        if cmd_name not in names():
            return None
        return cast("click.Command", importlib.import_module(f"{__name__}.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the right name for a wrong one."""
        if args and not args[0].startswith("-") and args[0] not in names():
            import difflib

            close = difflib.get_close_matches(args[0], names(), 1, 0.5)
            hint = f"did you mean {close[0]!r}?" if close else "`exporter --help` lists them"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its exit code is what it returns, or the error's."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except ExporterError as error:
            Output.of(ctx).error(error)
            code = error.exit_code
        except BrokenPipeError:
            # whoever read us has enough; Python would complain again when it flushes
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        ctx.exit(code if isinstance(code, int) else 0)


EXAMPLE = """\b
Example:
  OPENAI_API_KEY=... exporter backup thread_abc123 conv_abc123"""


@click.group(
    cls=Commands,
    epilog=EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="conversation-exporter", prog_name="exporter")
@click.option("-v", "--verbose", count=True, help="Say more; twice for every page.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    envvar=VARIABLE,
    show_envvar=True,
    help="Lines on stderr for logs: with the time in UTC, or as JSON.",
)
@click.pass_context
def cli(ctx: click.Context, verbose: int, quiet: bool, log_format: str | None) -> None:
    """Keep the whole history of conversations that live on a server.

    Commands end with 0 when all is well; the help of each lists its exit codes.
    """
    ctx.meta["exporter.verbosity"] = -1 if quiet else verbose
    ctx.meta["exporter.style"] = style_of(log_format)
