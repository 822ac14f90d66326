"""Finds in a text what looks like an address, a number of somebody, a key or an id.

What telephones, bank accounts and keys look like is other people's knowledge, and theirs to keep up: `phonenumbers`
(Google's tables of all countries), `python-stdnum` (check digits), `detect-secrets` (keys of many services).
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

from exporter.pseudonyms._extra import needed
from exporter.pseudonyms._mails import mails
from exporter.pseudonyms._numbers import Span, numbers

URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,11}://[^\s<>\"'`|\\^{}]{1,4096}", re.IGNORECASE)
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL)
TOKEN = re.compile(r"\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?")
ID = re.compile(r"(?<![\w-])[a-z]{2,12}(?:_[a-z]{2,12})?[_-](?=[A-Za-z0-9]{0,200}\d)[A-Za-z0-9]{12,200}(?![\w-])")
UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE)
WORD = re.compile(r"(?<![\w+/=.-])[A-Za-z0-9+/=_-]{24,4096}(?![\w+/=-])")
SECRET = re.compile(
    r"""(?ix)(?<![\w.])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|bearer|kennwort|passwort)\b
    ["']? \s{0,3} (?:[:=]|\bis\b|\bist\b)? \s{0,3} ["']? ([^\s"'<>,;()\[\]{}]{6,200})"""
)
RANDOM = 3.5
"Bits per character from which a long word is no word: English words have some three."
NO_KEYS = frozenset({"ip_public", "basic_auth", "private_key", "jwt", "high_entropy_strings", "keyword", "base"})
"What detect-secrets looks for that is found otherwise here, or needs a quotation."


def spans(text: str, region: str | None) -> Iterator[Span]:
    """Yield what was found, the surest kinds first; they may overlap."""
    yield from _all(PEM, text, "key")
    yield from _all(TOKEN, text, "key")
    told = list(_urls(text)) if "://" in text else []
    yield from told
    yield from (one for one in mails(text) if not any(begin <= one[0] < end for begin, end, *_ in told))
    for pattern in _keys():
        yield from _all(pattern, text, "key")
    yield from ((found.start(1), found.end(1), "key", found[1]) for found in SECRET.finditer(text) if _mixed(found[1]))
    if any(one.isdigit() for one in text):
        yield from numbers(text, region)
    yield from _all(UUID, text, "id")
    yield from _all(ID, text, "id")
    yield from ((found.start(), found.end(), "key", found[0]) for found in WORD.finditer(text) if _is_random(found[0]))


def _all(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Span]:
    return ((found.start(), found.end(), kind, found[0]) for found in pattern.finditer(text))


def _urls(text: str) -> Iterator[Span]:
    """Yield what an address may say about somebody: who logs in, and what is asked for."""
    for found in URL.finditer(text):
        try:
            parts = urlsplit(found[0])
        except ValueError:
            yield found.start(), found.end(), "address", found[0]
            continue
        begin = found.start() + len(parts.scheme) + 3
        if "@" in parts.netloc:
            yield begin, begin + parts.netloc.rindex("@"), "login", parts.netloc.rpartition("@")[0]
        asked = min((at for at in (found[0].find("?"), found[0].find("#")) if at >= 0), default=-1)
        if 0 <= asked < len(found[0]) - 1:
            yield found.start() + asked + 1, found.end(), "query", found[0][asked + 1 :]


def is_data(text: str) -> bool:
    """Whether a text is nothing that anybody reads: a file in base64, or what only a server can open."""
    if text[:5].lower() == "data:":
        return True
    return len(text) >= 256 and re.fullmatch(r"[A-Za-z0-9+/_=-]+", text) is not None and _is_random(text[:4096])


def _mixed(word: str) -> bool:
    """Whether a word has a digit or a sign within: `password reset` is no password."""
    return any(not one.isalpha() for one in word.rstrip(".!?:)"))


def _is_random(word: str) -> bool:
    if not (any(one.isdigit() for one in word) and any(one.isalpha() for one in word)):
        return False
    counts, length = Counter(word), len(word)
    return -sum(n / length * math.log2(n / length) for n in counts.values()) >= RANDOM


@cache
def _keys() -> tuple[re.Pattern[str], ...]:
    """Return what keys of services look like."""
    plugins = needed("detect_secrets.plugins")
    found: list[re.Pattern[str]] = []
    for module in pkgutil.iter_modules(plugins.__path__):
        if module.name not in NO_KEYS:
            members = vars(importlib.import_module(f"{plugins.__name__}.{module.name}")).values()
            lists = (getattr(one, "denylist", None) for one in members if isinstance(one, type))
            found += [pattern for one in lists if isinstance(one, list | tuple) for pattern in one]
    return tuple(dict.fromkeys(found))
