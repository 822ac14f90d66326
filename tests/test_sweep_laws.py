"""Walks from the beginning against a model: what changed is written, once, in the server's order, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.crawl._sweep import Sweep
from exporter.model import Item, Kind, Page, Position
from tests.archive.making import AT, THREAD, in_memory, made, page

LISTS: dict[str, tuple[Kind, str | None]] = {"messages": ("message", None), "steps:run_1": ("step", "run_1")}
ROUNDS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 15)),  # which are deleted
        st.sets(st.integers(0, 15)),  # which are edited
        st.integers(0, 5),  # how many are new
        st.integers(1, 6),  # how long a page is
    ),
    min_size=1,
    max_size=5,
)


@dataclass
class Object:
    name: str
    version: int = 0

    @property
    def item(self) -> Item:
        return Item(self.name, orjson.dumps({"id": self.name, "version": self.version}))


def served(objects: Sequence[Object], name: str, length: int) -> Iterator[Page]:
    """The list from its beginning, a page after the other; the last one may be empty."""
    kind, parent = LISTS[name]
    for first in range(0, len(objects) + 1, length):
        part = objects[first : first + length]
        more = first + length <= len(objects)
        cursor = part[-1].name if part else (objects[-1].name if objects else None)
        items = tuple(one.item for one in part)
        yield Page(THREAD, kind, items, cursor, more, AT, name, first, fresh=False, parent=parent)


def swept(path: Path, pages: Sequence[Page], doubtful: set[str] | None = None) -> list[Page]:
    """Walk once, as a visit does, and return what was written."""
    with Archive.write(path) as archive:
        sweep = Sweep(archive, THREAD, archive.catalog.positions(THREAD))
        written = [part for one in pages for part in sweep.news(one)]
        written += sweep.deletions(doubtful or set())
        archive.append(written)
        archive.seal()
    return written


def newest(path: Path, name: str) -> dict[str | None, tuple[int, bytes]]:
    """Of each object of a list, where it stands and what it is, as the archive has it."""
    kind, parent = LISTS[name]
    with Archive.open(path) as archive:
        return {one.id: (one.seq, one.body) for one in archive.records(THREAD, kind) if one.parent == parent}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROUNDS, st.sampled_from(sorted(LISTS)))
@example([(set(), set(), 3, 1), ({0}, set(), 2, 1), ({3}, {2}, 0, 2)], "messages")
def test_what_changed_is_written_once_in_the_order_of_the_server(
    rounds: list[tuple[set[int], set[int], int, int]], name: str
) -> None:
    objects, count, deleted = list[Object](), 0, set[str]()
    with in_memory() as folder:
        path = made(folder / "a")
        for gone, edited, new, length in rounds:
            lost = {one.name for n, one in enumerate(objects) if n in gone}
            objects = [one for one in objects if one.name not in lost]
            changed = {one.name for n, one in enumerate(objects) if n in edited}
            objects = [replace(one, version=one.version + (one.name in changed)) for one in objects]
            made_now = [Object(f"id_{count + n:03}") for n in range(new)]
            objects, count, deleted = [*objects, *made_now], count + new, deleted | lost

            written = swept(path, list(served(objects, name, length)))

            said = [(part.kind, item.id, item.body) for part in written for item in part.items]
            news = [one for one in objects if one.name in changed or one in made_now]
            reason = orjson.dumps({"kind": LISTS[name][0], "list": name, "reason": "deleted"})
            assert said == [
                *((LISTS[name][0], one.name, one.item.body) for one in news),
                *(("deletion", one, reason) for one in sorted(lost)),
            ]
            assert not any(part.fresh for part in written)
            assert {part.parent for part in written} <= {LISTS[name][1]}
            there = newest(path, name)
            assert there.keys() == {one.name for one in objects} | deleted
            assert [one.item.body for one in objects] == [there[one.name][1] for one in objects]
            places = [there[one.name][0] for one in objects]
            assert places == sorted(places)
            assert len({seq for seq, _ in there.values()}) == len(there), "no two at one position"
            assert swept(path, list(served(objects, name, length))) == [], "nothing is news twice"
        with Archive.open(path) as archive:
            numbers = [record.seq for record in archive.records(THREAD, "deletion")]
            position = archive.catalog.positions(THREAD).get(name)
        assert numbers == list(range(len(deleted)))
        assert position is None or position.seq > max(seq for seq, _ in there.values())


def test_what_is_there_again_is_written_again_at_its_place_and_may_be_deleted_again(tmp_path: Path) -> None:
    path, one, two = made(tmp_path / "a"), Object("id_1"), Object("id_2")
    whole, without = list(served([one, two], "messages", 9)), list(served([one], "messages", 9))
    for pages, written in (
        (whole, [("message", "id_1", 0), ("message", "id_2", 1)]),
        (without, [("deletion", "id_2", 0)]),
        (without, []),
        (whole, [("message", "id_2", 1)]),
        (whole, []),
        (without, [("deletion", "id_2", 1)]),
        (without, []),
    ):
        assert [(part.kind, part.items[0].id, part.seq) for part in swept(path, pages)] == written


def test_nothing_is_called_deleted_where_that_is_not_certain(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    nameless = replace(page(0, 2), items=(Item(None, b"{}"), Item("id_1", b"{}")), list="other")
    swept(path, [page(0, 3), nameless])
    empty = replace(page(0, 0), items=(), cursor=None, more=False)

    (end,) = swept(path, [empty], doubtful={"messages"})
    assert (end.items, end.more) == ((), False), "the walk was cut short"
    assert swept(path, []) == [], "nobody walked it"
    (end,) = swept(path, [replace(empty, list="other")])
    assert (end.items, end.more) == ((), False), "which of them is missing, nobody can tell"
    assert [part.items[0].id for part in swept(path, [empty])] == ["msg_0", "msg_1", "msg_2"]


def test_objects_without_ids_are_told_apart_by_where_they_stand(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    bodies = [b'{"n":0}', b'{"n":0}', b'{"n":1}']
    pages = [replace(page(0), items=tuple(Item(None, body) for body in bodies), cursor=None, more=False)]
    changed = [replace(pages[0], items=(*pages[0].items[:2], Item(None, b'{"n":2}'), Item(None, b'{"n":3}')))]

    assert [part.seq for part in swept(path, pages)] == [0, 1, 2]
    assert swept(path, pages) == []
    assert [(part.seq, part.items[0].body) for part in swept(path, changed)] == [(2, b'{"n":2}'), (3, b'{"n":3}')]


@pytest.mark.parametrize("cut", range(7))
def test_a_walk_that_is_cut_short_goes_on_from_where_it_is_certain(tmp_path: Path, cut: int) -> None:
    """The cursor of a part that is not its page's last may not pass what is not written yet, nor move back."""
    path = made(tmp_path / "a")
    swept(path, [replace(page(0, 4), more=False)])
    objects = [*(Object(f"msg_{n}") for n in range(4)), *(Object(f"new_{n}") for n in range(6))]
    pages = list(served([replace(one, version=one.name == "msg_1") for one in objects], "messages", 5))
    with Archive.write(path) as archive:
        before = archive.catalog.positions(THREAD)["messages"]
        sweep = Sweep(archive, THREAD, {"messages": before})
        parts = [part for one in pages for part in sweep.news(one)]
        archive.append(parts[:cut])
        archive.seal()
        position = archive.catalog.positions(THREAD)["messages"]
    ids = [item.id for part in parts for item in part.items]

    assert before == Position("msg_3", 4, more=False)
    assert ids == ["msg_0", "msg_1", "msg_2", "msg_3", *(f"new_{n}" for n in range(6))][: len(ids)]
    written = set(ids[:cut])
    passed = [one.name for one in objects[4 : position.seq]]
    assert set(passed) <= written, "what the cursor passed is archived"
    assert position.seq > 4 or position == before
    assert position.cursor == objects[position.seq - 1].name


def test_that_a_list_ended_is_written_where_nothing_of_it_is_news(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    swept(path, [page(0, 4)])
    objects = [Object(f"msg_{n}") for n in range(4)]
    (whole,) = served([replace(one) for one in objects], "messages", 9)
    items = page(0, 4).items

    (end,) = swept(path, [replace(whole, items=items[:2], more=True), replace(whole, items=items[2:], seq=2)])
    assert (end.items, end.position, end.fresh) == ((), Position("msg_3", 4, more=False), False)
    assert swept(path, [replace(whole, items=items)]) == []
