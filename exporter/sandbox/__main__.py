"""`python -m exporter.sandbox`: a sandbox in a process of its own; the first line it prints is its URL."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from exporter.errors import ExporterError
from exporter.sandbox.persist import load, save
from exporter.sandbox.server import serve
from exporter.sandbox.state import State

OTHERS = ("chatkit", "completions", "responses", "sessions")
"""What is seeded only when asked for."""


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exporter.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--conversations", type=int, default=3)
    parser.add_argument("--items", type=int, default=10)
    for name in OTHERS:
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument(
        "--generated", action="append", default=[], metavar="ID=COUNT", help="a thread of COUNT objects"
    )
    parser.add_argument(
        "--crowd", action="append", default=[], metavar="SHELF=COUNT", help="COUNT threads of three objects each"
    )
    parser.add_argument("--recorded", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--state", type=Path, metavar="FILE", help="start from this file if it is there; keep it")
    parser.add_argument("--sdk-fixture", action="store_true", help="the objects that the SDK's own tests ask for")
    parser.add_argument("--dialect", choices=("live", "described"), default="live")
    parser.add_argument("--switches", type=json.loads, default={}, metavar="JSON", help="""like '{"rate": 5}'""")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as for Ctrl-C, so that the state is kept
    try:
        state = _state(options)
        state.switches = state.switches.with_changes(options.switches)
        try:
            serve(state, options.host, options.port, ready=_announce)
        finally:
            if options.state:
                save(state, options.state)
    except ExporterError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def _state(options: argparse.Namespace) -> State:
    if options.state and options.state.exists():
        return load(options.state)
    if options.sdk_fixture:
        return State.sdk_fixture()
    if options.recorded:
        return State.recorded(*options.recorded, dialect=options.dialect)
    names = ("threads", "messages", "conversations", "items", "seed", *OTHERS)
    counts = {name: getattr(options, name) for name in names}
    state = State.seed(**counts, dialect=options.dialect)
    for thread, _, count in (given.partition("=") for given in options.generated):
        state.add_generated(thread, int(count))
    for shelf, _, count in (given.partition("=") for given in options.crowd):
        state.add_crowd(shelf, int(count))
    return state


if __name__ == "__main__":
    sys.exit(main())
