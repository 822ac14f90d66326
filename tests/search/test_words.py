"""What a word is, in any language, and where it stands."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import UsageError
from exporter.search import _words
from exporter.search._needles import needles
from exporter.search._snippets import _in, marked, snippet

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SCRIPTS = st.text(
    st.sampled_from("abcÀéß Øİı\t-_.9٣東京都の部署ｶﾞ゙パ가각ᄀไทยมี่किйُ́🚀👩‍💻ﬁ①𠮷ㄱㅏ"),
    max_size=40,
)


def lines(text: str) -> str:
    return f" {' '.join(_words.words(text).split())} "


@given(TEXTS | SCRIPTS)
def test_what_is_traced_is_what_is_indexed(text: str) -> None:
    assert [span.word for span in _words.spans(text)] == _words.words(text).split()


@given(TEXTS | SCRIPTS)
def test_spans_lie_in_the_text_in_order(text: str) -> None:
    found = _words.spans(text)

    assert all(0 <= span.begin < span.end <= len(text) and span.begin < span.first_end <= span.end for span in found)
    assert [span.begin for span in found] == sorted(span.begin for span in found)


@given(TEXTS | SCRIPTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_text_is_the_same_in_every_normal_form_of_what_people_write(text: str, form: str) -> None:
    letters = "".join(c for c in text if unicodedata.category(c) in ("Lu", "Ll", "Lo", "Zs") and ord(c) < 0x1100)
    other = unicodedata.normalize(form, letters)  # type: ignore[arg-type]

    assert _words.words(other).split() == _words.words(letters).split()


@pytest.mark.parametrize(
    ("asked", "text", "marks"),
    [
        ("cafe", "Ein Café!", ["Café"]),
        ("CAFÉ", "cafe\u0301s cafe\u0301", ["cafe\u0301"]),
        ("strasse", "Die STRAẞE, die Straße", ["STRAẞE", "Straße"]),
        ("istanbul", "İstanbul ISTANBUL", ["İstanbul", "ISTANBUL"]),
        ("file", "a ﬁle", ["ﬁle"]),
        ("東京", "私は東京都に住む", ["東京"]),
        ("京都", "東京都と京都", ["京都", "京都"]),
        ("東", "東京と東", ["東", "東"]),
        ("ガーデン", "ｶﾞｰﾃﾞﾝ", ["ｶﾞｰﾃﾞﾝ"]),
        ("が", "か\u3099ん", ["か\u3099"]),
        ("학교", "학교에서 공부", ["학교"]),
        ("가", unicodedata.normalize("NFD", "가방"), [unicodedata.normalize("NFD", "가")]),
        ("ไทย", "ภาษาไทยไม่มี", ["ไทย"]),
        ("🚀", "ship it 🚀🚀 now", ["🚀🚀"]),
        ("𠮷野", "名は𠮷野家", ["𠮷野"]),
        ("iPhone手机", "新iphone手机壳", ["iphone手机"]),
        ("手机abc", "用手机abc", ["手机abc"]),
        ("deploy*", "Deployed, deploy; redeploy", ["Deployed", "deploy"]),
        ('"roll dep*"', "roll deployments, deploy roll", ["roll deployments"]),
        ("v1.2.3", "on v1.2.3 not v1.2.4", ["v1.2.3"]),
        ("thread_abc", "see thread_abc, thread abcd", ["thread_abc"]),
        ("سلام", "سَلَام عليكم", ["سَلَام"]),
        ("елка", "Ёлка", ["Ёлка"]),
        ("123", "١٢٣", ["١٢٣"]),
        ("naive", "na\u00adïve", ["na\u00adïve"]),
    ],
)
def test_what_is_asked_for_is_marked_in_the_text_as_it_was_sent(asked: str, text: str, marks: list[str]) -> None:
    wanted = needles(asked)

    assert [text[begin:end] for begin, end in marked(text, wanted)] == marks
    assert all(needle.open or _in(needle, lines(text)) for needle in wanted)
    line, ranges = snippet(text, wanted)
    assert [line[begin:end] for begin, end in ranges] == marks


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("東京都", "京都東"),
        ("か", "が"),
        ("ไม", "มไ"),
        ('"lait au"', "au lait"),
        ("deploy", "deployed"),
        ("手机abc", "手abc"),
    ],
)
def test_what_is_not_there_is_not_marked(asked: str, text: str) -> None:
    assert marked(text, needles(asked)) == ()


@given(st.text(max_size=200))
def test_any_question_is_understood_or_refused_in_a_sentence(text: str) -> None:
    try:
        wanted = needles(text)
    except UsageError as error:
        wanted, said = (), str(error)
        assert said.isprintable()
    assert all(word and not set(word) & set(r".*+?()[]{}|\^$ ") for needle in wanted for word in needle.words)


@given(st.lists(SCRIPTS, max_size=200).map(" ".join), st.data())
def test_a_snippet_shows_what_was_asked_for_wherever_it_stands(text: str, data: st.DataObject) -> None:
    text = f"{text} " * data.draw(st.integers(1, 20))
    found = _words.spans(text)
    if not found:
        return
    span = data.draw(st.sampled_from(found))
    wanted = needles(f'"{text[span.begin : span.end]}"')
    cut = not all(_in(needle, lines(text)) for needle in wanted)  # before a mark that belongs to the next word
    line, ranges = snippet(text, wanted)

    assert len(line) < 1000
    assert bool(ranges) != cut
    assert all(marked(line[begin:end], wanted) for begin, end in ranges)


def test_a_huge_text_is_searched_without_tracing_all_of_it() -> None:
    text = "words and words " * 600_000 + "the needle here" + " 東京" * 10

    line, ranges = snippet(text, needles("needle"))
    assert [line[begin:end] for begin, end in ranges] == ["needle"]
    assert line.startswith("…")
