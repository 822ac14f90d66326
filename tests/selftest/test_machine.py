"""Any order of writing, editing, deleting, backing up, dying, erasing and making again, against a plain model."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from exporter.archive import TABLES, Archive
from exporter.model import ThreadRef
from exporter.rebuild import rebuild
from exporter.selftest._bench import FIRST, Bench, bench
from exporter.selftest._disk import Fault, How, Kind
from exporter.selftest._proof import rows
from tests.grepping import holding

DEATHS = st.sampled_from((None, "kill", "power"))
HOWS: tuple[How, ...] = ("kill", "torn", "power", "full", "io")
KINDS: tuple[Kind, ...] = ("journal", "segment", "manifest", "table", "catalog", "other")
ERASING: tuple[Kind, ...] = ("segment", "manifest", "catalog", "table", "other")
WORD = b"a-text-that-is-nowhere-else"
SEEDS = st.integers(0, 2**16)


class Machine(RuleBasedStateMachine):
    """The server is the model of what is there, `edits` of what was there before."""

    place: Bench

    @initialize(count=st.integers(1, 110))
    def begin(self, count: int) -> None:
        self.lent = self.place.threads(count)
        self.kept = self.lent.__enter__()
        self.archived = False
        self.seen: dict[str, set[bytes]] = {}
        "Every body that a complete backup has seen, by thread."
        self.secret = ThreadRef("assistants", self.kept.refs[0].endpoint, f"thread_secret{self.kept.name}")
        "A thread that may be erased; its text is like no other's."
        self.erased = False
        self.kept.server.state.add_thread(self.secret.id)
        text = [{"type": "text", "text": {"value": WORD.decode(), "annotations": []}}]
        for n in range(3):
            body = {"id": f"msg_{self.secret.id}x{n}", "role": "user", "created_at": FIRST + n, "content": text}
            self.kept.server.state.add_message(self.secret.id, body)
        self.kept.more = (self.secret,)

    def teardown(self) -> None:
        if hasattr(self, "lent"):
            self.lent.__exit__(None, None, None)

    @rule(count=st.sampled_from((1, 7, 101)))
    def write(self, count: int) -> None:
        self.kept.write(count)

    @rule(seed=SEEDS)
    def edit(self, seed: int) -> None:
        self.kept.edit(random.Random(seed))

    @precondition(lambda self: len(self.kept.served()[self.kept.thread]) > 2)
    @rule(seed=SEEDS)
    def delete(self, seed: int) -> None:
        self.kept.delete(random.Random(seed))

    @rule()
    def back_up(self) -> None:
        assert self.kept.backup(full=True).exit_code == 0
        assert list(self.kept.differences()) == []
        self.archived = True
        for thread, bodies in self.kept.served().items():
            self.seen.setdefault(thread, set()).update(bodies)

    @rule(how=st.sampled_from(HOWS), kind=st.sampled_from(KINDS), at=st.integers(1, 60), seed=SEEDS, full=st.booleans())
    def crash(self, how: How, kind: Kind, at: int, seed: int, *, full: bool) -> None:
        self.kept.backup(Fault(how, at, kind, seed=seed, lasts=seed % 2 == 0), full=full)
        assert list(self.kept.problems()) == []

    @precondition(lambda self: self.archived)
    @rule(
        how=st.sampled_from((None, "kill", "power")), kind=st.sampled_from(ERASING), at=st.integers(1, 30), seed=SEEDS
    )
    def erase(self, how: How | None, kind: Kind, at: int, seed: int) -> None:
        if how is not None:
            self.kept.erase(self.secret.id, Fault(how, at, kind, seed=seed))
            assert list(self.kept.problems()) == []
        done = self.kept.erase(self.secret.id)
        assert done.exit_code == 0, done.error
        assert list(self.kept.problems()) == []
        self.erased = True

    @precondition(lambda self: self.erased)
    @rule()
    def take_back(self) -> None:
        assert self.kept.backup(full=True, again=True).exit_code == 0
        self.erased = False

    @precondition(lambda self: self.archived)
    @rule()
    def lose_what_is_derived(self) -> None:
        for table in TABLES:
            shutil.rmtree(self.kept.path / table, ignore_errors=True)
        for file in self.kept.path.glob("catalog.sqlite*"):
            file.unlink()
        rebuild(self.kept.path)
        assert list(self.kept.problems()) == []

    @precondition(lambda self: self.archived)
    @rule(at=st.integers(1, 150), seed=SEEDS)
    def die_while_rebuilding(self, at: int, seed: int) -> None:
        self.kept.backup(Fault("kill", at, seed=seed), rebuild=True)
        rebuild(self.kept.path)

    @precondition(lambda self: self.archived)
    @invariant()
    def what_is_erased_is_nowhere_and_what_is_not_is_there(self) -> None:
        assert bool(holding(self.kept.path, WORD)) is not self.erased
        with Archive.open(self.kept.path) as archive:
            assert len(list(archive.records(self.secret))) == (0 if self.erased else 3)
        kept = [row for row in rows(self.kept.path) if row["thread_id"] == self.secret.id]
        assert len(kept) == (0 if self.erased else 3)

    @precondition(lambda self: self.archived)
    @invariant()
    def every_former_body_is_in_the_records(self) -> None:
        with Archive.open(self.kept.path) as archive:
            for ref in self.kept.refs:
                assert self.seen[ref.id] <= {record.body for record in archive.records(ref)}
        messages = [(row["thread_id"], row["message_id"]) for row in rows(self.kept.path)]
        assert len(messages) == len(set(messages))


@pytest.mark.timeout(600)
def test_no_order_of_events_loses_or_doubles_anything(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        Machine.place = place
        checks = (HealthCheck.too_slow, HealthCheck.data_too_large)
        bounds = settings(
            max_examples=5, stateful_step_count=8, deadline=None, derandomize=True, database=None,
            suppress_health_check=checks,
        )  # fmt: skip
        run_state_machine_as_test(Machine, settings=bounds)
