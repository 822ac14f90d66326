"""`exporter schedule`: the same command every night, by whatever starts commands at night."""

from __future__ import annotations

import os
import re
import shutil
import sys
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output, redacted

if TYPE_CHECKING:
    from exporter.schedule import Job, Unit

FORMS = ("systemd", "cron", "kubernetes")
EXAMPLES = (
    "exporter schedule systemd -a /backups/acme --key-file /etc/exporter/key --install",
    "exporter schedule cron --at 01:15 --jitter 10m",
    "exporter schedule kubernetes -- --max-duration 7200 --ping https://hc.example/uuid | kubectl apply -f -",
)
UNITS = {"s": 1, "m": 60, "h": 3600}
IN_CONTAINER = "/data/archive"


def _hour(_: click.Context, __: click.Parameter, value: str) -> time:
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value, re.ASCII):
        raise click.BadParameter(f"{value!r} is no time of day; write 02:30")
    hour, minute = value.split(":")
    return time(int(hour), int(minute))


def _seconds(_: click.Context, __: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([smh])", value, re.ASCII)
    if not match:
        raise click.BadParameter(f"{value!r} is no length of time; write 45s, 30m or 2h")
    return int(match[1]) * UNITS[match[2]]


@makes_command(EXAMPLES, exits=(0,))
@click.argument("form", type=click.Choice(FORMS), metavar="systemd|cron|kubernetes")
@click.argument("words", nargs=-1, metavar="[-- OPTION...]")
@click.option(
    "--at",
    callback=_hour,
    default="02:30",
    metavar="HH:MM",
    show_default=True,
    help="When; local time, on Kubernetes UTC.",
)
@click.option(
    "--jitter",
    callback=_seconds,
    default="30m",
    metavar="TIME",
    show_default=True,
    help="Begin up to so much later, at random.",
)
@click.option("--config", metavar="FILE", help="Profiles.  [default: the exporter.toml that is found now]")
@click.option("--key-file", type=click.Path(path_type=Path), help="The file that has the key; never the key itself.")
@click.option("--name", default="exporter-backup", show_default=True, help="Of the units; one for each archive.")
@click.option(
    "--user/--system", "own", default=None, help="Your own timer, or the machine's.  [default: by who you are]"
)
@click.option("--image", default=None, metavar="IMAGE", help="Of containers.  [default: conversation-exporter:VERSION]")
@click.option("--install", is_flag=True, help="Write the units and start the timer (systemd only).")
@archive_option
def command(*, form: str, words: tuple[str, ...], own: bool | None, install: bool, **said: Any) -> int:
    """Print what runs a backup every night: a systemd service and timer, a line for cron, or a CronJob.

    Options of `exporter backup` follow after --, such as --max-requests, --metrics or --ping. The units are hardened:
    the backup may write to its archive and to nothing else. They say where the key is, never what it is.
    """
    from exporter.schedule import units

    if install and form != "systemd":
        pipe = {"cron": "(crontab -l; exporter schedule cron) | crontab -", "kubernetes": "... | kubectl apply -f -"}
        raise click.UsageError(f"--install is for systemd; try: {pipe[form]}")
    own = os.geteuid() != 0 if own is None else own
    job = _in_container(words, **said) if form == "kubernetes" else _here(words, own=own, **said)
    made = units(form, job)
    out = Output.of()
    if install:
        return _install(out, job, made, own=own)
    for unit in made:
        out.item("unit", {"name": unit.name, "text": unit.text}, unit.text)
    out.summary({"units": [unit.name for unit in made]}, _next(form))
    return 0


def _here(words: tuple[str, ...], *, own: bool, archive: Path, config: str | None, **said: Any) -> Job:
    from exporter.config import file_of
    from exporter.schedule import Job

    metrics = _checked(words).get("metrics")
    archive, key = archive.absolute(), said["key_file"]
    found = file_of(config)
    return Job(
        command=_program(),
        archive=archive,
        at=said["at"],
        jitter=said["jitter"],
        words=words,
        config=found and found.absolute(),
        key_file=key and key.absolute(),
        name=said["name"],
        user=None if own else _owner(archive),
        writes=(Path(metrics).absolute().parent,) if metrics else (),
    )


def _in_container(words: tuple[str, ...], *, archive: Path, config: str | None, image: str | None, **said: Any) -> Job:
    from importlib.metadata import version

    from exporter.schedule import Job

    _checked(words)
    if said["key_file"]:
        raise click.UsageError("--key-file has no meaning here: the key is in the secret that the first line names")
    chosen = click.get_current_context().get_parameter_source("archive")
    return Job(
        command=("exporter",),
        archive=Path(IN_CONTAINER) if chosen is click.core.ParameterSource.DEFAULT else archive.absolute(),
        at=said["at"],
        jitter=said["jitter"],
        words=words,
        config=Path("/etc/exporter/exporter.toml") if config else None,
        name=said["name"],
        image=image or f"conversation-exporter:{version('conversation-exporter')}",
    )


def _checked(words: tuple[str, ...]) -> dict[str, Any]:
    """Return what `exporter backup` makes of the options that are passed on; wrong ones are refused here."""
    from exporter.cli.backup import command as backup

    if any(redacted(word) != word for word in words):
        raise click.UsageError("one of the words after -- is a key, or has one; units name where a key is")
    context = backup.make_context("backup", list(words), help_option_names=["-h", "--help"])
    for name in ("archive", "config"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} goes before the --")
    return context.params


def _program() -> tuple[str, ...]:
    """How this very installation is started, whatever the night's PATH is."""
    beside = Path(sys.executable).with_name("exporter")
    found = str(beside) if beside.exists() else shutil.which("exporter")
    return (found,) if found else (sys.executable, "-m", "exporter")


def _owner(archive: Path) -> str:
    """Who has to run it: whoever the archive belongs to; before there is one, whoever its place belongs to."""
    there = next(path for path in (archive, *archive.parents) if path.exists())
    try:
        return there.owner()
    except KeyError:  # a number without a name; systemd takes it as well
        return str(there.stat().st_uid)


def _install(out: Output, job: Job, made: list[Unit], *, own: bool) -> int:
    from exporter.cli._installing import install, start

    folder = Path("~/.config/systemd/user").expanduser() if own else Path("/etc/systemd/system")
    for path in install(folder, made):
        out.item("installed", {"path": str(path)}, str(path))
    problem = start(job.name, own=own)
    sentence = problem or f"{job.name}.timer is started; `systemctl list-timers` shows its next night"
    out.summary({"installed": len(made), "started": problem is None}, sentence)
    return 0 if problem is None else 1


def _next(form: str) -> str:
    return {
        "systemd": "install it with --install; docs/nightly.md has what to watch",
        "cron": "add it with: (crontab -l; exporter schedule cron ...) | crontab -; docs/nightly.md has what to watch",
        "kubernetes": "give it to: kubectl apply -f -; docs/nightly.md has the image and what to watch",
    }[form]
