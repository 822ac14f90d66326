"""A promise that nothing could break would be none: each finds out a program that fails, does nothing, or crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.selftest import _bench, promises, run
from exporter.selftest._child import Done, Job
from exporter.selftest._disk import Fault

SLOW = "servers.a_long_message"
"Its server takes its time to make the message."
PROGRAMS = {
    "fails": Done(died=False, exit_code=1, error="it broke"),
    "does nothing": Done(died=False),
    "crashes": Done(died=False, exit_code=1, error="Traceback (most recent call last):\nKeyError: 1"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_keeps_no_promise_is_found_out_by_each(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(_job: Job, _fault: Fault) -> Done:
        return PROGRAMS[program]

    monkeypatch.setattr(_bench, "run", ran)
    results = list(run(tmp_path, [one for one in promises().values() if one.name != SLOW], quick=True))

    assert {result.promise.name for result in results} == {*promises()} - {SLOW}
    assert [result.promise.name for result in results if result.broken is None] == []
    assert list(tmp_path.iterdir()) == [], "nothing is left of what was tried"
