"""`exporter sandbox`: a server to play with."""

from __future__ import annotations

import json
import sys
from functools import partial

import click

from exporter.cli._command import makes_command
from exporter.cli._output import Output

EXAMPLES = (
    "exporter sandbox --port 8099 --threads 20 --messages 250",
    "exporter sandbox --switches '{\"rate\": 5}'        # answers 429 above five requests a second",
)

SHOWN = 3
"How many ids of each source are said."


@makes_command(EXAMPLES, exits=(0, 2))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; 0 takes a free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same number gives the same data.")
@click.option("--threads", type=click.IntRange(0), default=3, show_default=True, help="How many threads.")
@click.option("--messages", type=click.IntRange(0), default=10, show_default=True, help="In each thread.")
@click.option("--conversations", type=click.IntRange(0), default=3, show_default=True, help="How many conversations.")
@click.option("--items", type=click.IntRange(0), default=10, show_default=True, help="In each conversation.")
@click.option("--chatkit", type=click.IntRange(0), default=2, show_default=True, help="How many ChatKit threads.")
@click.option("--completions", type=click.IntRange(0), default=2, show_default=True, help="Stored chat completions.")
@click.option("--responses", type=click.IntRange(0), default=2, show_default=True, help="Chains of three responses.")
@click.option("--sessions", type=click.IntRange(0), default=2, show_default=True, help="Sessions of agents.")
@click.option(
    "--dialect", type=click.Choice(["live", "described"]), default="live", show_default=True, help="Whose manners."
)
@click.option("--switches", metavar="JSON", default="{}", help="What goes wrong; GET /_sandbox lists faults and lies.")
def command(port: int, host: str, switches: str, **data: int | str) -> None:
    """Serve the APIs that hold conversations on this machine, with made-up data, until Ctrl-C.

    Nothing of it leaves the machine. `live` answers like the real service, `described` like its public description.
    Azure's addresses are served too, below /openai/v1 and /api/projects/proj_one.
    """
    from exporter.errors import UsageError
    from exporter.sandbox import SOURCES, State, serve

    state = State.seed(**data)
    try:
        state.switches = state.switches.with_changes(json.loads(switches))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"--switches: {error}; write JSON like '{{\"rate\": 5}}'") from None
    ids = {source: state.ids(source) for source in SOURCES}
    serve(state, host, port, ready=partial(_announce, Output.of(), list(state.keys), ids))


def _announce(out: Output, keys: list[str], ids: dict[str, list[str]], url: str) -> None:
    whole = [name for names in ids.values() for name in names]
    out.item("sandbox", {"url": url, "keys": keys, "threads": whole, "ids": ids}, url)
    sys.stdout.flush()
    _tell(out, f"keys: {', '.join(keys)}")
    for source, names in ids.items():
        if names:
            out.say(f"{source}: {' '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}")
    some = " ".join(names[0] for names in ids.values() if names)
    _tell(out, f"\nexport OPENAI_BASE_URL={url} OPENAI_API_KEY={keys[0]}")
    out.say(f"exporter backup {some}\n\nCtrl-C ends it.")


def _tell(out: Output, line: str) -> None:
    """Say a line with keys in it as it is: these open nothing but this sandbox."""
    if out.verbosity >= 0:
        click.echo(line, err=True)
