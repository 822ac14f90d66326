"""`exporter discover`: register every thread that the servers list."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import SourceName, archive_option, makes_command
from exporter.cli._numbers import many
from exporter.cli._output import Output, redacted
from exporter.cli.backup import Positive
from exporter.model import printable

if TYPE_CHECKING:
    from exporter.cli._counting import Counting
    from exporter.config import Profiles
    from exporter.crawl import Options
    from exporter.discovery import Discovered, Listed, Number, Taken

EXAMPLES = (
    "exporter discover; exporter backup         # every night: all that can be listed, then all that is due",
    "exporter discover --source chatkit --profile eu",
    "exporter discover --session --source conversations",
)


def _options(function: Any) -> Any:
    """Add what says where to look, and how."""
    config = "Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]"
    for option in reversed(
        (
            click.option("--source", "sources", type=SourceName(), multiple=True, help="Only this; may be repeated."),
            click.option(
                "--profile", "names", metavar="NAME", multiple=True, help="Only this one; may be repeated; else all."
            ),
            click.option("--session", is_flag=True, help="List with the profile's browser session; see above."),
            click.option("--full", is_flag=True, help="Walk every list from its beginning: finds changes."),
            click.option("--max-requests", type=click.IntRange(1), help="Stop after so many requests."),
            click.option("--rate", type=Positive(), help="Requests per second, at most."),
            click.option("--config", metavar="FILE", help=config),
        )
    ):
        function = option(function)
    return function


@makes_command(EXAMPLES, exits=(0, 1, 2, 3, 5, 10, 11, 12, 14, 75, 130))
@_options
@archive_option
def command(
    *,
    archive: Path,
    sources: tuple[str, ...],
    names: tuple[str, ...],
    session: bool,
    config: str | None,
    **tuning: Any,
) -> int:
    """Register every thread that the servers list: all sources of all profiles, unless some are named.

    Each listed thread is registered with the user, customer and title that its object or its metadata tells
    (user, user_id, customer, customer_id, title), and the object itself is archived. What you have registered
    yourself stays as it is. The next `exporter backup` visits the threads; the next discovery asks only for what is
    new. Ctrl-C loses nothing.

    Not every server lists every source: OpenAI's shows conversations and responses to no key. Then one line says
    where ids come from; it is a failure (exit code 3) if that source was named with --source, or if nothing could be
    listed at all.

    --session asks for the lists with a browser's session token, where a server shows them to nobody else. Name the
    token in exporter.toml: session_key_env, session_key_file or session_key_command. Such a token is short-lived,
    acts as you, and is your own responsibility; threads are still read with the profile's key.
    """
    from exporter.archive import Archive
    from exporter.config import Profiles, profiles
    from exporter.crawl import Options
    from exporter.transport import with_session

    known = profiles(config)
    chosen = {name: known.named(name) for name in names} or dict(known)
    if session and not names:
        chosen = {name: profile for name, profile in chosen.items() if profile.session} or chosen
    for profile in chosen.values() if session else ():
        with_session(profile)  # a mistake makes no archive
    Archive.create(archive)
    asked = Profiles(chosen)
    asked.policies = known.policies
    return _run(archive, asked, Options(**tuning), sources, session=session)


def _run(path: Path, profiles: Profiles, options: Options, sources: tuple[str, ...], *, session: bool) -> int:
    from exporter.archive import Archive
    from exporter.cli._counting import Counting
    from exporter.cli._signals import signals
    from exporter.crawl import Stop
    from exporter.discovery import discover

    out, stop = Output.of(), Stop()
    with Archive.write(path) as archive, signals(stop), Counting(out) as counting:
        teller = _Teller(out, counting, several=len(profiles) > 1)
        done = discover(
            archive,
            profiles,
            options,
            sources=sources,
            session=session,
            policies=profiles.policies,
            on_page=teller.page,
            on_list=teller.list,
            stop=stop,
        )
        total = sum(archive.catalog.count().values())
    with suppress(BrokenPipeError):  # the exit code is what counts
        _summary(out, done, total)
        sys.stdout.flush()
    return done.exit_code


class _Teller:
    """Says what comes, as it comes."""

    def __init__(self, out: Output, counting: Counting, *, several: bool) -> None:
        self._out, self._counting, self._several = out, counting, several
        self._said: set[str | None] = {None}
        "What is said once, however many lists it is true of."

    def page(self, taken: Taken) -> None:
        """A page of a list is archived: name the threads that are news."""
        self._counting.page(taken)
        with suppress(OSError):
            for news, threads in (("registered", taken.registered), ("changed", taken.changed)):
                for thread in threads:
                    named = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
                    self._out.item("thread", {**named, "profile": taken.profile, "news": news})
            sys.stdout.flush()

    def list(self, listed: Listed) -> None:
        """A list was walked: say what it brought, and what is wrong."""
        name = f"{listed.source} ({listed.profile})" if self._several else listed.source
        why = _why(listed) or ""
        with suppress(OSError), self._counting.aside():
            self._out.item("source", _fields(listed), _line(name, listed, told=listed.ids_from in self._said))
            self._said.add(listed.ids_from)
            sys.stdout.flush()
            if listed.state == "not_listed":
                self._out.say(why, level=1)
            elif why and listed.state != "stopped" and why not in self._said:
                self._said.add(why)
                self._out.complain(why)


def _why(listed: Listed) -> str | None:
    return redacted(printable(listed.why)) if listed.why else None


def _fields(listed: Listed) -> dict[str, Any]:
    return asdict(listed) | {"why": _why(listed)}


def _line(name: str, listed: Listed, *, told: bool) -> str:
    if listed.state == "not_listed":
        where = "" if told else f". {listed.ids_from}"
        return printable(f"{name}: this server does not list them{where}")
    if not listed.listed:
        return printable(f"{name}: nothing new" if listed.state == "complete" else f"{name}: nothing could be listed")
    parts = [f"{listed.registered:,} new", f"{listed.changed:,} changed", f"{listed.unchanged:,} as before"]
    parts += [f"{listed.nameless:,} without an id that can be asked for"] if listed.nameless else []
    return printable(f"{name}: {listed.listed:,} listed: {', '.join(parts)}")


def _summary(out: Output, done: Discovered, total: int) -> None:
    """End with the numbers, and one clear sentence."""
    if done.stopped:
        out.complain(f"exporter: {redacted(printable(str(done.stopped)))}")
    numbers: tuple[Number, ...] = ("registered", "changed", "unchanged", "nameless")
    fields: dict[str, int] = {number: done.total(number) for number in numbers}
    sources = [_fields(one) for one in done.lists]
    told = {"total": total, "requests": done.requests, "exit_code": done.exit_code, "sources": sources}
    verdict = "NOT COMPLETE: " if done.exit_code else ""
    news = f"{fields['registered']:,} new, {fields['changed']:,} changed, {fields['unchanged']:,} as before"
    out.summary(
        {**fields, **told},
        f"{verdict}{news}; {many(total, 'threads')} registered; exporter backup visits those that are due",
    )
