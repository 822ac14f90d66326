"""`python -m exporter.cli.reference --write docs/cli.md`: the page about the command line, made from its help."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from exporter.cli import cli, names

WIDTH = 100
HEAD = """# The command line

Made from `--help` by `make docs WRITE=1`; change the commands, not this page.
Answers go to stdout, everything else to stderr; with `--json`, stdout has JSON lines only: each has a `message_type`,
and the last is the `summary`, or an `error`.
"""


def page() -> str:
    """Return the whole page."""
    sections = (_section(f"exporter {name}", help_of(name)) for name in names())
    return "\n".join([HEAD, _section("exporter", help_of()), *sections])


def help_of(name: str | None = None) -> str:
    """Return what `exporter NAME --help` prints on a terminal of 100 columns."""
    root = click.Context(cli, info_name="exporter", terminal_width=WIDTH, **cli.context_settings)
    command = cli.get_command(root, name) if name else None
    if command is None:
        return cli.get_help(root)
    return command.get_help(click.Context(command, root, name, terminal_width=WIDTH, max_content_width=WIDTH))


def _section(title: str, text: str) -> str:
    body = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{body}\n```\n"


def main(argv: list[str]) -> int:
    """Write the page, or tell whether it is current."""
    if len(argv) != 2 or argv[0] not in ("--write", "--check"):
        sys.stderr.write("usage: python -m exporter.cli.reference --write|--check docs/cli.md\n")
        return 2
    path = Path(argv[1])
    if argv[0] == "--write":
        path.write_text(page(), encoding="utf-8")
    elif not path.exists() or path.read_text("utf-8") != page():
        sys.stderr.write(f"{path} is not what --help says; run make docs WRITE=1 and commit it\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
