"""The list: pages put together are all threads, each once, newest first, whatever is asked for and comes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from exporter.archive import Archive, _recent
from exporter.archive._recent import Filter, Key, recent
from exporter.archive.catalog import Catalog, Known, stamp
from exporter.errors import UsageError
from exporter.model import Registration, ThreadRef
from exporter.registry import register
from exporter.view._sidebar import group_of
from tests.view import library
from tests.view.asking import client, link, threads

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
USERS = ("ann", "bob", "İlker", "50%_\\")


@contextmanager
def looking(rows: int) -> Iterator[None]:
    """Look at so few rows for a page."""
    with mock.patch.object(_recent, "LOOKED", rows):
        yield


def ref(number: int, endpoint: str = library.ENDPOINT) -> ThreadRef:
    return ThreadRef("conversations", endpoint, f"conv_{number}")


def fill(path: Path, count: int, ages: list[int | None]) -> Path:
    """Register threads; each has an age in hours, or was never active."""
    Archive.create(path)
    with Archive.write(path) as archive:
        people = [USERS[number % len(USERS)] for number in range(count)]
        told = (Registration(ref(n), user=user, customer=f"c{n % 3}", title=f"T {n}") for n, user in enumerate(people))
        register(archive, told)
        archive.seal()
        hints = {
            ref(number): {"active_at": stamp(NOW - timedelta(hours=age))}
            for number, age in enumerate(ages[:count])
            if age is not None
        }
        archive.catalog.note_hints(hints)
    return path


def walked(catalog: Catalog, wanted: Filter, limit: int) -> list[Known]:
    found: list[Known] = []
    after: Key | None = None
    for _ in range(10_000):
        page = recent(catalog, wanted, after, limit)
        assert len(page.threads) <= limit
        found += page.threads
        if page.next is None:
            return found
        assert page.next != after
        after = Key.read(str(page.next))
    raise AssertionError("it does not end")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ages = [None if number % 7 == 0 else (number * 37) % 50 for number in range(120)]
    return fill(tmp_path_factory.mktemp("many") / "archive", 120, ages)


def takes(one: Known, wanted: Filter) -> bool:
    told = {"user": one.user, "customer": one.customer, "source": one.thread.source, "state": one.state}
    texts = (one.title, one.thread.id, one.user, one.customer)
    has = wanted.text is None or any(wanted.text.lower() in (text or "").lower() for text in texts)
    return has and all(told[name] == value for name, value in wanted.equal.items())


FILTERS = st.builds(
    Filter,
    text=st.sampled_from([None, "T 1", "t 11", "CONV_2", "ann", "İ", "50%_", "%", "_", "\\", "nobody", "c1"]),
    user=st.sampled_from([None, *USERS, "nobody"]),
    customer=st.sampled_from([None, "c0", "c2", "x"]),
    source=st.sampled_from([None, "conversations", "agents"]),
    state=st.sampled_from([None, "new", "gone"]),
)


@settings(deadline=None, max_examples=150)
@given(wanted=FILTERS, limit=st.integers(1, 130), rows=st.integers(1, 200))
def test_pages_put_together_are_all_threads_once(many: Path, wanted: Filter, limit: int, rows: int) -> None:
    with Archive.open(many) as archive, looking(rows):
        found = walked(archive.catalog, wanted, limit)
        every = list(archive.catalog.known())

    assert [one.thread for one in found] == [one.thread for one in sorted(every, key=_order) if takes(one, wanted)]


def _order(one: Known) -> tuple[bool, float, int]:
    active = datetime.fromisoformat(one.active_at).timestamp() if one.active_at else 0
    return not one.active_at, -active, -int(one.thread.id.removeprefix("conv_"))


@settings(deadline=None, max_examples=10)
@given(
    ages=st.lists(st.none() | st.integers(0, 5), min_size=12, max_size=12),
    news=st.lists(st.none() | st.integers(0, 5), max_size=8),
    limit=st.integers(1, 5),
)
def test_who_comes_meanwhile_neither_hides_nor_doubles_anybody(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int | None], news: list[int | None], limit: int
) -> None:
    path = fill(tmp_path_factory.mktemp("news") / "archive", len(ages), ages)
    seen: list[ThreadRef] = []
    after: Key | None = None
    coming = list(enumerate(news, len(ages)))
    while True:
        with Archive.open(path) as archive:
            page = recent(archive.catalog, Filter(), after, limit)
        seen += [one.thread for one in page.threads]
        if page.next is None:
            break
        after = page.next
        if coming:
            number, age = coming.pop()
            with Archive.write(path) as archive:
                register(archive, [Registration(ref(number))])
                archive.seal()
                if age is not None:
                    archive.catalog.note_hints({ref(number): {"active_at": stamp(NOW - timedelta(hours=age))}})

    assert len(set(seen)) == len(seen)
    assert set(seen) >= {ref(number) for number in range(len(ages))}


def test_a_page_is_found_by_an_index(many: Path) -> None:
    asked: list[Any] = []

    with Archive.open(many) as archive:
        rows = archive.catalog.rows

        def noted(query: Any) -> Any:
            asked.append(query)
            return rows(query)

        with mock.patch.object(archive.catalog, "rows", noted):
            for wanted in (Filter(), Filter(user="ann"), Filter(text="x")):
                for after in (None, Key(int(NOW.timestamp()), 7), Key(None, 7)):
                    recent(archive.catalog, wanted, after)
        for query in asked:
            text = str(query.compile(compile_kwargs={"literal_binds": True}))
            with archive.catalog._db() as db:
                plan = " ".join(str(row[-1]) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert "USING INDEX threads_" in plan or "USING COVERING INDEX threads_" in plan, (text, plan)
            assert "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize("text", ["", "-", "x", "1", "1-", "-x", "1-2-3", "9" * 40, "\u0661-1"])
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(UsageError):
        Key.read(text)


@pytest.mark.parametrize(
    ("days", "name"),
    [(0, "Today"), (1, "Yesterday"), (2, "Last 7 days"), (6, "Last 7 days"), (7, "Last 30 days"), (40, "October 2026")],
)
def test_days_have_names(days: int, name: str) -> None:
    assert group_of(NOW - timedelta(days=days), NOW) == name
    assert group_of(None, NOW) == "Without a date"


@pytest.fixture(scope="module")
def site(many: Path) -> TestClient:
    return client(many)


def test_links_lead_through_the_whole_list(site: TestClient, many: Path) -> None:
    for fragment in (False, True):
        found: list[str] = []
        text = site.get("/").text
        while True:
            found += threads(text)
            more = link(text, 'class="more"')
            if more is None:
                break
            text = site.get(more.replace("/?", "/list?") if fragment else more).text
        assert len(found) == len(set(found)) == 120


def test_a_filter_stays_while_people_read_on(site: TestClient) -> None:
    text = site.get("/?user=ann&text=T").text
    shown = threads(text)
    assert len(shown) == 30
    opened = site.get(link(text, f'data-thread="{shown[4]}"') or "").text

    assert threads(opened) == shown
    assert opened.count('aria-current="page"') == 1
    assert f'data-thread="{shown[4]}" data-state="new" aria-current="page"' in opened
    assert "Nothing fits" in site.get("/?user=nobody").text


def test_an_id_finds_its_thread_at_once(site: TestClient) -> None:
    assert threads(site.get("/?text=conv_77").text) == ["conversations/conv_77"]


def test_one_id_at_two_endpoints_is_two_conversations(tmp_path: Path) -> None:
    Archive.create(tmp_path / "archive")
    with Archive.write(tmp_path / "archive") as archive:
        for place in ("a", "b"):
            library.put(archive, ref(1, f"https://{place}.example"), [library.said(0, f"I am {place}")], title=place)
        archive.seal()
    site = client(tmp_path / "archive")
    home = site.get("/").text

    for place in ("a", "b"):
        address = link(home, f'data-thread="conversations/conv_1"[^>]*><span class="title"><bdi>{place}')
        assert address
        text = site.get(address).text
        assert f"I am {place}" in text
        assert text.count('aria-current="page"') == 1
    assert site.get("/t/conversations/conv_1").status_code == 404


def test_a_catalog_of_before_gets_its_indexes(tmp_path: Path) -> None:
    path = fill(tmp_path / "archive", 3, [1, 2, None])
    with Archive.write(path) as archive, archive.catalog._db() as db:
        db.exec_driver_sql("DROP INDEX threads_active")
        db.exec_driver_sql("DROP INDEX threads_user")
    with Archive.open(path) as archive:
        assert len(walked(archive.catalog, Filter(), 2)) == 3
    with Archive.write(path) as archive, archive.catalog._db() as db:
        names = {row[0] for row in db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'")}

    assert {"threads_active", "threads_user"} <= names


def test_what_is_open_is_in_the_list_however_old_it_is(site: TestClient) -> None:
    text = site.get("/t/conversations/conv_0").text

    assert "<h2>Open now</h2>" in text
    assert threads(text)[0] == "conversations/conv_0"
    assert text.count('aria-current="page"') == 1
