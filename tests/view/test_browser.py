"""The viewer in Chromium: what people do with it, from the printed address on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.archive import Archive
from exporter.model import Item, Page
from exporter.view import Viewer
from tests.view import library
from tests.view.conftest import MANY
from tests.view.visiting import PHONE, Visit, viewing, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

STORY = f"/t/conversations/{library.LONG.id}"
SHOWN = "#transcript article"
PLACES = "found => found.map(one => Number(one.dataset.place.slice(1)))"
TWO_PARTS = "document.querySelectorAll('#transcript > .part').length > 1"
READ = (
    f"""[...document.querySelectorAll('{SHOWN}')].find(one => one.getBoundingClientRect().bottom > 100).dataset.place"""
)
LAST = f"Number([...document.querySelectorAll('{SHOWN}')].pop().dataset.place.slice(1))"
LOOK = "one => ['backgroundColor', 'outlineStyle', 'boxShadow'].map(name => getComputedStyle(one)[name]).join()"
IN_SIGHT = """one => {
    const box = one.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.height > 0;
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def visit(browser: Browser, long: Viewer) -> Iterator[Visit]:
    with visiting(browser, long.root) as found:
        found.page.goto(long.url)
        yield found
        found.quiet()


def places(visit: Visit) -> list[int]:
    """The positions of the messages that the page holds."""
    found: list[int] = visit.page.eval_on_selector_all(SHOWN, PLACES)
    return found


def test_the_printed_address_opens_the_archive_and_forgets_the_token(visit: Visit, long: Viewer) -> None:
    page = visit.page

    assert page.url == f"{long.root}/"
    titles = page.locator("#list .title").all_inner_texts()
    assert sorted(titles) == ["A long story", "Short one", "Short two"]
    page.get_by_text("Short one").click()
    page.wait_for_url("**/conv_one")
    assert "only one" in page.locator(SHOWN).inner_text()
    assert page.locator("#list [aria-current=page] .title").inner_text() == "Short one"
    page.go_back()
    page.wait_for_url(f"{long.root}/")
    assert all("token" not in url for url in visit.asked[1:])


def test_who_has_no_token_sees_nothing(browser: Browser, long: Viewer) -> None:
    with visiting(browser, long.root) as visit:
        for url in (long.root, f"{long.root}{STORY}", f"{long.root}/?token=guessed", f"{long.root}/list"):
            answer = visit.page.goto(url)
            assert answer is not None
            assert answer.status == 403
            assert "long" not in visit.page.content().lower()


def test_ten_thousand_messages_are_seen_once_each_and_few_at_a_time(visit: Visit, long: Viewer) -> None:
    page, seen, most = visit.page, list[int](), 0
    page.goto(f"{long.root}{STORY}")
    for _ in range(3 * MANY // 100):
        held = places(visit)
        assert held == list(range(held[0], held[-1] + 1)), "a gap, or a message twice"
        seen += [place for place in held if not seen or place > seen[-1]]
        most = max(most, page.evaluate("document.querySelectorAll('*').length"))
        if seen[-1] == MANY - 1:
            break
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        visit.until(f"Number([...document.querySelectorAll('{SHOWN}')].pop().dataset.place.slice(1)) > {seen[-1]}")

    assert seen == list(range(MANY))
    assert most < 20_000
    parts = [url for url in visit.asked if url.startswith("/part/")]
    assert len(parts) == len(set(parts)) <= MANY / 100

    # and back: what has left the page comes again, where it was
    first = places(visit)[0]
    page.evaluate("scrollTo(0, 0)")
    visit.until(f"Number(document.querySelector('{SHOWN}').dataset.place.slice(1)) < {first}")
    held = places(visit)
    assert held == list(range(held[0], held[-1] + 1))
    assert len(held) <= 1000


def test_what_is_read_does_not_jump_when_more_is_put_before_it(visit: Visit, long: Viewer) -> None:
    visit.page.goto(f"{long.root}{STORY}?from=5000")
    visit.until(TWO_PARTS)
    visit.page.wait_for_timeout(200)  # whatever is to move has moved

    assert places(visit)[0] == 4900
    assert visit.page.locator("[data-place='#5000']").evaluate(IN_SIGHT)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_deep_link_lands_on_its_message(browser: Browser, long: Viewer, javascript: bool) -> None:
    with visiting(browser, long.root) as visit:
        visit.page.goto(long.url)
        visit.page.goto(f"{long.root}{STORY}?from=7000")
        href = visit.page.locator("[data-place='#7042'] a.when").get_attribute("href") or ""
    path, _, mark = href.partition("#")
    with visiting(browser, long.root, java_script_enabled=javascript) as visit:
        visit.page.goto(f"{long.url_of(path)}#{mark}")
        one, other = (visit.page.locator(f"[data-place='#{place}']") for place in (7042, 7043))
        one.wait_for()

        assert "message number 7042" in one.inner_text()
        if javascript:  # without it a browser scrolls, too, but nobody can ask the page
            visit.until(f"({IN_SIGHT})(document.getElementById('{mark}'))")
            assert _look(one) != _look(other)
            visit.quiet()


def _look(one: Any) -> str:
    found: str = one.evaluate(LOOK)
    return found


def _dark(visit: Visit) -> bool:
    colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    numbers = [int(float(part)) for part in re.findall(r"[\d.]+", colour)[:3]]
    return sum(numbers) < 3 * 128


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_is_as_the_system_is_or_as_chosen_and_stays(browser: Browser, long: Viewer, scheme: str) -> None:
    with visiting(browser, long.root, color_scheme=scheme) as visit:
        visit.page.goto(long.url_of(STORY))
        assert _dark(visit) is (scheme == "dark")
        visit.page.keyboard.press("t")
        assert _dark(visit) is (scheme == "light")
        visit.page.reload()
        assert _dark(visit) is (scheme == "light")
        visit.quiet()


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("j")
    page.wait_for_url("**/t/**")
    first = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: "/t/" in url and url != first)
    page.keyboard.press("k")
    page.wait_for_url(first)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("f")
    page.keyboard.type("long jkt?")
    assert page.locator("#filter input[name=text]").input_value() == "long jkt?"
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.wait_for_url("**/search**")
    assert page.evaluate("document.activeElement.name") == "q"


def test_messages_are_walked_by_keys(visit: Visit, long: Viewer) -> None:
    page = visit.page
    page.goto(f"{long.root}{STORY}?from=100")
    visit.until(TWO_PARTS)
    page.keyboard.press("n")
    page.wait_for_timeout(200)  # the first one may only bring to the top what is there
    walked = []
    for key in "nnpp":
        before = page.evaluate(READ)
        page.keyboard.press(key)
        visit.until(f"{READ} !== '{before}'")
        walked.append(int(page.evaluate(READ)[1:]) - int(before[1:]))
    assert walked == [1, 1, -1, -1]


@pytest.mark.parametrize("path", ["/", STORY, "/search?q=message", f"{STORY}?from=9000"])
def test_a_phone_scrolls_in_one_direction_only(browser: Browser, long: Viewer, path: str) -> None:
    with visiting(browser, long.root, **PHONE) as visit:
        visit.page.goto(long.url_of(path))
        assert visit.page.locator("a:visible").count() > 0
        assert visit.page.evaluate(WIDER) == 0
        visit.quiet()


def test_everything_is_there_without_script(browser: Browser, long: Viewer) -> None:
    with visiting(browser, long.root, java_script_enabled=False) as visit:
        page = visit.page
        page.goto(long.url)
        page.get_by_text("A long story").first.click()
        assert page.locator(SHOWN).count() == 100
        page.get_by_text("Later", exact=True).click()
        assert page.locator(SHOWN).first.get_attribute("data-place") == "#100"
        page.get_by_text("To the end").click()
        assert page.locator(SHOWN).last.get_attribute("data-place") == f"#{MANY - 1}"
        first = places(visit)[0]
        page.get_by_text("Earlier", exact=True).click()
        assert places(visit)[-1] == first - 1
        page.goto(f"{long.root}/search?q=message")
        assert page.locator("#search input").input_value() == "message"
        assert visit.outside == []


def test_paper_has_the_conversation_and_nothing_else(visit: Visit, long: Viewer) -> None:
    page = visit.page
    page.goto(f"{long.root}{STORY}")
    page.emulate_media(media="print", color_scheme="dark")

    assert not page.locator("#side").is_visible()
    assert page.get_by_text("message number 42", exact=True).is_visible()
    assert not _dark(visit)
    assert page.evaluate(WIDER) == 0
    assert page.pdf().startswith(b"%PDF")


def test_paper_has_what_was_said_before_a_change(browser: Browser, tmp_path: Path) -> None:
    archive = library.long(tmp_path / "archive", 2)
    with Archive.write(archive) as writing:
        item = Item("msg_1", json.dumps(library.said(1, "changed my mind")).encode())
        changed = Page(library.LONG, "message", (item,), None, False, library.AT, "messages", 1, fresh=False)
        writing.append([changed])
        writing.seal()
    with viewing(archive) as viewer, visiting(browser, viewer.root) as visit:
        visit.page.goto(viewer.url_of(STORY))
        assert visit.page.get_by_text("edited · before, as archived").is_visible()
        assert not visit.page.get_by_text("message number 1", exact=True).is_visible()
        visit.page.emulate_media(media="print")
        assert visit.page.get_by_text("edited · before, as archived").is_visible()
        assert visit.page.get_by_text("message number 1", exact=True).is_visible()
        visit.quiet()


def test_a_search_leads_to_the_message(visit: Visit, long: Viewer) -> None:
    page = visit.page
    page.goto(f"{long.root}/search")
    page.locator("#search input").fill('"message number 6543"')
    page.keyboard.press("Enter")
    hit = page.locator("#results article")
    hit.first.wait_for()
    assert hit.count() == 1
    assert "6543" in " ".join(hit.locator("mark").all_inner_texts())
    hit.locator("a").first.click()
    one = page.locator("[data-place='#6543']")
    one.wait_for()
    visit.until(f"({IN_SIGHT})(document.querySelector(\"[data-place='#6543']\"))")
    assert _look(one) != _look(page.locator("[data-place='#6544']"))
