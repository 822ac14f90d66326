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
from exporter.errors import ExporterError

NO_COMMANDS = {"reference"}
ABOUT = {
    "backup": "Back up conversations.",
    "register": "Add threads to the registry.",
    "discover": "Register every thread that the servers list.",
    "threads": "List the registered threads.",
    "status": "Report the last run, how complete the archive is, and what is at risk.",
    "plan": "Tell what the next backup would do, without asking any server.",
    "touch": "Note that something happened in threads.",
    "show": "Print one conversation.",
    "search": "Find words in messages, calls of tools and what they gave, titles and names of files, in any language.",
    "view": "Show the archive, or one conversation, as pages in the browser, until Ctrl-C.",
    "export": "Write threads in another format.",
    "check": "Read every byte of the archive and compare it with what was committed.",
    "rebuild": "Make the catalog and all tables again from the segments, which are the truth and stay as they are.",
    "erase": "Erase threads from the archive.",
    "doctor": "Look at keys, addresses, APIs, clock, archive and disk, and say what to do; "
    "with an ID, look for that thread.",
    "schedule": "Print what runs a backup every night.",
    "sandbox": "Serve the APIs that hold conversations on this machine, with made-up data, until Ctrl-C.",
    "selftest": "Try what is promised, here and now.",
    "encrypt": "Make a new archive that is encrypted on the disk, or change the key of one that is.",
}
"""What `--help` says of each command, in the order of need: how its docstring begins, so that no command has to be
imported for it. A command that is not named here follows, and is asked itself."""


def names() -> list[str]:
    """Name all commands."""
    found = {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")} - NO_COMMANDS
    return [name for name in ABOUT if name in found] + sorted(found.difference(ABOUT))


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what is known of them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, ABOUT.get(name) or self._asked(ctx, name)) for name in self.list_commands(ctx)])

    def _asked(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command else ""

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
            from exporter.cli._output import Output

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
