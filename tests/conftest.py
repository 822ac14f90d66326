"""What most tests need: a sandbox, a profile that reaches it, an archive folder, and one-line backups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from exporter import model
from exporter.archive import Archive
from exporter.crawl import Options, Report, backup
from exporter.endpoint import endpoint_of
from exporter.model import Kind, Outcome, Profile, Registration, Secret, ThreadRef
from exporter.registry import register
from exporter.sandbox import Clock, Running, State, running
from exporter.sources import source_of
from exporter.sources._probes import NOBODY

settings.register_profile("exporter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("exporter")
"How fast a machine is, is no law."

KEY = "sk-sandbox-one"


@dataclass
class Bench:
    """A sandbox and an archive of it."""

    url: str
    state: State
    path: Path
    key: str = KEY

    @property
    def profile(self) -> Profile:
        return Profile(base_url=self.url, key=Secret(self.key))

    def ref(self, thread: str) -> ThreadRef:
        return ThreadRef(source_of(thread) or "assistants", endpoint_of(self.url), thread)

    def register(self, threads: Iterable[str]) -> None:
        Archive.create(self.path)
        with Archive.write(self.path) as archive:
            register(archive, (Registration(self.ref(thread)) for thread in threads))

    def backup(self, *threads: str, **options: Any) -> Report:
        """Register these and visit everything; returns the report."""
        self.register(threads)
        self.outcomes: list[Outcome] = []
        with Archive.write(self.path) as archive:
            profiles = {"default": self.profile}
            options = {"everything": True, **options}
            plan = {"everything": options.pop("everything"), "only": [self.ref(id_) for id_ in options.pop("only", ())]}
            return backup(archive, profiles, Options(**options), **plan, on_outcome=self.outcomes.append)

    def lines(self, thread: str, kind: Kind = "message") -> list[bytes]:
        """The bodies of a thread as they stand in the archive."""
        with Archive.open(self.path) as archive:
            return [record.body for record in archive.records(self.ref(thread), kind)]

    def asked(self, ending: str = "") -> list[dict[str, str]]:
        """Parameters of the requests so far, in order, whose path has this ending, but for those of nobody's thread."""
        return [dict(r.params) for r in self.state.requests if r.path.endswith(ending) and NOBODY not in r.path]


@pytest.fixture
def sandbox() -> Iterator[Running]:
    with running(State()) as server:
        yield server


@pytest.fixture
def bench(sandbox: Running, tmp_path: Path) -> Bench:
    return Bench(sandbox.url, sandbox.state, tmp_path / "archive")


@pytest.fixture
def clock(sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The sandbox's clock, by which everything here goes as long as the test runs."""

    class Told(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(sandbox.state.clock.now(), tz)

    monkeypatch.setattr(model, "datetime", Told)
    return sandbox.state.clock


def loads(body: bytes) -> Any:
    """Read JSON with every number as it is written, so that 1e400 and 2**80 compare."""
    return json.loads(body, parse_int=str, parse_float=str)


def rows(path: Path, table: str = "messages") -> list[dict[str, Any]]:
    """Read a table."""
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = []
    for file in sorted((path / table).glob("*.parquet")):
        found += pq.read_table(file).to_pylist()
    return found
