"""Damage ends every command that reads the archive with 5, and their help says so."""

from __future__ import annotations

import click
import pytest

from exporter.cli import cli
from tests.cli.conftest import Shell

READS_IT = {
    "backup": (),
    "register": ("thread_1",),
    "discover": (),
    "threads": (),
    "status": (),
    "plan": (),
    "touch": ("thread_1",),
    "show": ("thread_1",),
    "search": ("word",),
    "view": ("--port", "0"),
    "export": ("-o", "messages.jsonl"),
    "check": (),
    "rebuild": (),
    "erase": ("thread_1",),
    "doctor": (),
    "encrypt": (),
}
MAKES_ITS_OWN = {"schedule", "selftest"}
"These take a folder, and do not look at the archive in it."


def test_every_command_is_here() -> None:
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    reads = {name for name, one in commands.items() if one and any("--archive" in param.opts for param in one.params)}

    assert reads - MAKES_ITS_OWN == READS_IT.keys()


@pytest.mark.parametrize("command", READS_IT)
def test_what_is_damaged_ends_with_five_as_the_help_says(shell: Shell, command: str) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    (shell.archive / "archive.json").unlink()
    found = shell.run(command, *READS_IT[command])

    assert found.exit_code == 5
    assert "archive.json: it is missing" in found.output
    assert "5   damage found" in shell.ok(command, "--help").output
