"""Finds mail addresses in a text, as they are written, linked to, marked and put into others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from exporter.pseudonyms._names import LETTER, SPACELESS

AT = re.compile(r"@|%40|&#64;|&#x40;|&commat;|\\u0040|\uff20", re.IGNORECASE)
"What parts an address, as it is and as links, pages and JSON that was cut short have it."
_NO = r"\s@<>()\[\]{},;:\"'`|\\/=\u00ab\u00bb\u2010-\u203b\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
_FIRST = rf"[^{_NO}*_~.{SPACELESS}-]"  # what text is marked with is no part of it
_NEXT = rf"(?:[^{_NO}{SPACELESS}]|(?<=\w)['\u2019](?=\w))"
_LABEL = r"[^\W_][\w-]{0,62}\."
_TOP = rf"(?:xn--[a-z0-9-]{{2,59}}|[a-z]{{2,24}}(?!{LETTER})|[^\W\d_]{{2,24}}(?![^\W_]))"
_WHO = rf"(?:{_FIRST}{_NEXT}{{0,63}}?|[{SPACELESS}]{{1,64}}|\"[^\"\n@]{{1,64}}\")"
_WHERE = rf"(?:(?:{_LABEL}){{1,10}}{_TOP}|\[(?:IPv6:)?[0-9a-f.:]{{3,45}}\])"
MAIL = re.compile(rf"{_WHO}(?:{AT.pattern}){_WHERE}", re.IGNORECASE)
_BEFORE = re.compile(r"(?:[^\W_][\w.+-]{0,63}=)+$")
_FIELDS = re.compile(
    r"(?:.*[_.-])?(?:e?-?mail|address|user(?:name)?|login|account|name|to|from|cc|bcc|who)=", re.IGNORECASE
)
"What stands before `=` and is no part of an address, as `ann=bounce@example.com` has it."

_AROUND = re.compile(r"\s*(?:(?:mailto:)?@|[^@]*<(?:mailto:)?@>)\s*", re.IGNORECASE)


def mails(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield where an address stands, and what is the same for all ways of writing it."""
    if AT.search(text) is None:
        return
    for found in MAIL.finditer(text):
        begin = found.start()
        before = _BEFORE.search(text, max(0, begin - 64), begin)
        if before is not None and _FIELDS.fullmatch(before[0]) is None:
            begin = before.start()
        yield begin, found.end(), "mail", canonical(text[begin : found.end()])


def only(text: str) -> str | None:
    """Return the address that a text is, with a name before it or without, as `mails` has it; None: it is none."""
    found = list(mails(text))
    if len(found) != 1:
        return None
    begin, end, _, same = found[0]
    return same if _AROUND.fullmatch(f"{text[:begin]}@{text[end:]}") else None


def canonical(address: str) -> str:
    """Return an address as it is the same for all ways of writing it."""
    return unquote(unescape(address)).replace("\uff20", "@").replace("\\u0040", "@").casefold()
