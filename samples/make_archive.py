"""Make an archive worth plotting: eleven weeks of a made-up company, archived night by night from a sandbox.

    python samples/make_archive.py demo-archive

Nothing is written by hand: threads are registered and discovered, and each night is a backup as `exporter backup` runs
it, by the sandbox's clock. Some nights fail, the server forgets and lies: what became of that is in the archive.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from unittest import mock

import stamina
from office import DAY, HOUR, LIED_TO, TROUBLED, Named, Office

import exporter
from exporter import model
from exporter.errors import UsageError
from exporter.retention import Policies, Policy
from exporter.sandbox import SOURCES as SHELVES
from exporter.sandbox import Retention, Running, State, running

KEY, OTHER = "sk-sandbox-one", "sk-sandbox-rotated"
PORT = 8791
"Where the sandbox answers if that is free: then two archives are alike to the last byte that tells something."
BEGIN = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
FIRST = datetime(2026, 10, 20, 3, 15, tzinfo=UTC).timestamp()
"The first night; what happened before is fetched then."
LAST = datetime(2026, 11, 20, 3, 15, tzinfo=UTC).timestamp()
ROTATED = ("2026-11-06", "2026-11-07")
"Nights whose key is refused."
OFF = ("2026-10-25", "2026-10-26")
"Nights on which the machine was off."
FORGETS = {
    "threads": Retention(21 * DAY),
    "sessions": Retention(10 * DAY),
    "responses": Retention(30 * DAY, "created"),
    "completions": Retention(30 * DAY, "created"),
}
SAID = "exporter.toml says so"
POLICIES = Policies(
    {
        ("default", "assistants"): Policy(SAID, ttl=timedelta(days=21), anchor="activity", confidence="configured"),
        ("default", "agents"): Policy(SAID, ttl=timedelta(days=10), anchor="activity", confidence="configured"),
    }
)
"What the operator knows of it, as in exporter.toml."
BREAKS = datetime(2026, 11, 3, tzinfo=UTC).timestamp()
"From here on some threads cannot be read any more."
LIES = (("2026-10-24", "empty_page_has_more"), ("2026-11-12", ""), ("2027-01-01", "has_more_forever"))
"How the server ends some lists, and until when."
SOURCES = ("agents", "chatkit", "completions")
"What this server lists."
WRONG = [Named(f"thread_of_another_project_{number}", "ann", "Alder Logistics", "An old test") for number in range(2)]


def main(path: Path) -> None:
    if path.exists() and any(path.iterdir()):
        raise SystemExit(f"{path}: the folder is not empty; name a new one")
    state = State(start=BEGIN)
    state.retention |= FORGETS
    office = Office(state, BEGIN, LAST + DAY)
    with ExitStack() as stack:
        sandbox = stack.enter_context(_somewhere(state))
        # nothing is encrypted here, and to read every night whom this machine believes would take a third of the time
        stack.enter_context(mock.patch.dict(os.environ, SSL_CERT_DIR=str(Path(__file__).parent)))
        stack.enter_context(stamina.set_testing(True, attempts=2))
        stack.enter_context(mock.patch.object(model, "datetime", _telling(state)))
        exporter.Archive.create(path)
        named = [one for one in office.until(FIRST - 1) if state.holder(_shelf(one), one.id)] + WRONG
        time = FIRST
        while time <= LAST:
            named += office.until(time)
            if f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}" not in OFF:
                _night(path, sandbox, named)
                named = []
            time += DAY
        named += office.until(LAST + 15 * HOUR)
        with exporter.Archive.write(path) as archive:
            _join(archive, sandbox, named)


def _night(path: Path, sandbox: Running, named: list[Named]) -> None:
    """Register what is new, list what can be listed, back up what is due."""
    state, today = sandbox.state, f"{model.now():%Y-%m-%d}"
    lie = next(name for until, name in LIES if today < until)
    fault = "malformed_json" if state.clock.now() > BREAKS else ""
    said = {"lies": lie, "lies_only": LIED_TO, "fault": fault, "only": TROUBLED}
    state.switches = state.switches.with_changes(said)
    with exporter.Archive.write(path) as archive:
        profiles = _join(archive, sandbox, named, OTHER if today in ROTATED else KEY)
        exporter.backup(archive, profiles, exporter.Options(accept_gone=True), policies=POLICIES)


def _join(
    archive: exporter.Archive, sandbox: Running, named: list[Named], key: str = KEY
) -> dict[str, exporter.Profile]:
    """Add what the application noted and what the server lists; return the profiles of this night."""
    profile = exporter.Profile(base_url=sandbox.url, key=exporter.Secret(key))
    exporter.register(archive, [_registration(one, sandbox.url) for one in named])
    exporter.discover(archive, {"default": profile}, exporter.Options(), sources=SOURCES, policies=POLICIES)
    return {"default": profile}


def _registration(one: Named, url: str) -> exporter.Registration:
    source = next(source for source, shelf in SHELVES.items() if shelf == _shelf(one))
    thread = exporter.ThreadRef(source, url, one.id)
    return exporter.Registration(thread, user=one.user, customer=one.customer, title=one.title)


def _shelf(one: Named) -> str:
    return {"thread": "threads", "conv": "conversations", "resp": "responses"}[one.id.split("_", 1)[0]]


@contextmanager
def _somewhere(state: State) -> Iterator[Running]:
    """Run the sandbox, on its usual port where that is free."""
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(running(state, port=PORT))
        except UsageError:
            sandbox = stack.enter_context(running(state))
        yield sandbox


def _telling(state: State) -> type[datetime]:
    """Return a clock for the backup: the sandbox's."""

    class Told(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(state.clock.now(), tz)

    return Told


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-archive"))
