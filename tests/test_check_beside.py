"""Beside whatever writes, check never cries wolf: a few of the checks that `python -m tests.torture_check` makes."""

from __future__ import annotations

import os
import shutil

import pytest

from exporter.archive import Archive
from exporter.check import check
from tests.archive.making import in_memory
from tests.archive.publishing import messages, published
from tests.archive.test_reading import as_nobody
from tests.checking_beside import torture


def test_no_check_beside_a_writer_that_dies_again_and_again_finds_damage() -> None:
    score = torture(checks=100, seconds=15, seed=15)

    assert score.errors == []
    assert score.alarms == []
    assert score.checks.total() >= 5
    assert score.kills >= 3


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("writing", [False, True])
def test_an_archive_in_a_folder_that_cannot_be_written_is_checked(writing: bool) -> None:
    with in_memory() as folder:
        path, shown = published(folder / "a"), folder / "shown"
        with Archive.write(path) as archive:
            if writing:
                archive.append([messages(5, 2)])
                archive.seal()
                archive.append([messages(7, 1)])
            shutil.copytree(path, shown)
        for one in [folder, shown, *shown.rglob("*")]:
            one.chmod(0o555 if one.is_dir() else 0o444)

        assert as_nobody(lambda: [one for one in check(shown, rebuild=True) if one.severity == "damage"]) == "[]"
        for one in [folder, shown, *(p for p in shown.rglob("*") if p.is_dir())]:
            one.chmod(0o700)
