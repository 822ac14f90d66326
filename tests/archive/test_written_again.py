"""Segments that an erasure wrote again: who has an old name, or an old catalog, finds what there is now."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive, _commits
from exporter.erase import Asked, choose, erase
from exporter.errors import ArchiveError, Damaged
from exporter.model import ThreadRef
from exporter.rebuild import rebuild
from tests.archive.making import THREAD, filled, numbers, page

pytestmark = pytest.mark.usefixtures("form")
OTHER = ThreadRef("assistants", "https://api.example/v1", "thread_2")
NOBODY = "segments/2026/11/000000009-0123456789ab.jsonl.zst"


def erased(path: Path) -> str:
    """Make an archive of two threads, erase one; the name of a segment that held both, which is written again now."""
    filled(path, [page(0, 2), page(0, 3, OTHER)], [page(2, 2)])
    with Archive.write(path) as archive:
        name = next(archive.catalog.segment_names())
        asked = [Asked("thread", THREAD.id)]
        erase(archive, choose(archive, asked).threads, asked)
    return name


def content(path: Path) -> list[tuple[Any, ...]]:
    """Every row of the catalog."""
    with Archive.open(path) as archive:
        return list(archive.catalog.content())


def test_an_old_name_of_a_segment_leads_to_what_it_has_become(tmp_path: Path) -> None:
    old = erased(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        new = next(archive.catalog.segment_names())
        found = [[frame.pages for frame in _commits.frames(name, archive.storage)] for name in (old, new)]

        assert old != new
        assert found[0] == found[1] != []
        with pytest.raises(Damaged, match=f"{NOBODY}: it is missing"):
            list(_commits.frames(NOBODY, archive.storage))


def test_who_knew_a_place_in_a_segment_that_is_gone_is_told_why(tmp_path: Path) -> None:
    old = erased(tmp_path / "a")
    with Archive.open(tmp_path / "a") as archive:
        told = pytest.raises(ArchiveError, match="wrote it again just now; run the command again")
        with told as again, _commits.opened(old, archive.storage):
            pass
        with (
            pytest.raises(Damaged, match=f"{NOBODY}: it is missing; restore"),
            _commits.opened(NOBODY, archive.storage),
        ):
            pass
        assert not isinstance(again.value, Damaged)


def test_a_catalog_of_before_takes_over_what_was_erased(tmp_path: Path) -> None:
    path = tmp_path / "a"
    filled(path, [page(0, 2), page(0, 3, OTHER)], [page(2, 2)])
    shutil.copy(path / "catalog.sqlite", tmp_path / "before")
    before = content(path)
    with Archive.write(path) as archive:
        asked = [Asked("thread", THREAD.id)]
        erase(archive, choose(archive, asked).threads, asked)
    now = content(path)
    shutil.copy(tmp_path / "before", path / "catalog.sqlite")
    Archive.write(path).close()

    assert content(path) == now != before
    assert (numbers(path), numbers(path, OTHER)) == ([], [0, 1, 2])
    rebuild(path)
    assert content(path) == now
