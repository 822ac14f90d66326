"""Archives of all six sources, made once for a file of tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.crawl import Options, backup
from exporter.endpoint import endpoint_of
from exporter.formats import load
from exporter.formats._choosing import chosen, conversations
from exporter.formats._job import Job
from exporter.formats._story import Wanted
from exporter.model import Profile, Registration, Secret, ThreadRef
from exporter.registry import register
from exporter.sandbox import SOURCES, State, running
from tests.conftest import KEY
from tests.formats import hostile

ALL = Wanted()
COUNTS = {"threads": 2, "messages": 12, "conversations": 2, "items": 18, "chatkit": 2, "completions": 2}


@dataclass
class Library:
    """An archive, and what is wanted of it in a word."""

    path: Path

    def write(self, name: str, out: Path, wanted: Wanted = ALL, *, bom: bool = False) -> Job:
        """Write all that is wanted to one file."""
        form, job = load(name), Job(base=out.parent, bom=bom)
        choose = conversations if getattr(form, "CHAINS", False) else chosen
        with Archive.open(self.path) as archive, out.open("wb") as file:
            form.write(choose(archive, wanted, job), file, job)
        return job


def archived(state: State, path: Path) -> Library:
    """Back up everything in a sandbox."""
    with running(state) as server:
        endpoint = endpoint_of(server.url)
        refs = [ThreadRef(source, endpoint, one) for source in SOURCES for one in state.ids(source)]
        Archive.create(path)
        with Archive.write(path) as archive:
            register(archive, (Registration(one, user="ann", customer="acme", tags=("vip",)) for one in refs))
            backup(archive, {"default": Profile(base_url=server.url, key=Secret(KEY))}, Options(), everything=True)
    return Library(path)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    state = State.seed(**COUNTS, responses=2, sessions=2)
    return archived(state, tmp_path_factory.mktemp("library") / "archive")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Library:
    state = State()
    hostile.put(state)
    return archived(state, tmp_path_factory.mktemp("nasty") / "archive")
