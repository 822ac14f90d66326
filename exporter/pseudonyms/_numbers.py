"""Finds numbers that are somebody's: of accounts, cards, telephones and computers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from exporter.errors import UsageError
from exporter.pseudonyms._extra import needed

Span = tuple[int, int, str, str]
"Begin, end, kind, and what is the same for all ways of writing it."

IBAN = re.compile(r"(?<![^\W_])(?=([A-Z]{2}\d{2}(?:[ .-]?[A-Z0-9]){11,30}))", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+(?![^\W_])")
CARD = re.compile(r"(?<![^\W_])(?<![.-])\d(?:[ -]?\d){12,18}(?![^\W_]|-)")
GROUPS = re.compile(
    r"(?<![^\W_])(?<![.-])\d{4}(?:([._])(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{4,5}))(?![^\W_]|[._-]\d)", re.ASCII
)
"Cards in groups of four, or as Amex and Diners group them: 3.14 has no groups."
BEGIN = frozenset("23456")
"How numbers of cards begin; that of a time in microseconds does not."
IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w.:]))")
DIGITS = re.compile(r"\d(?:[\s().\u2010-\u2015/-]?\d){5}")
"What a text has to have for a number to be looked for."
ABROAD = re.compile(r"(?<![^\W_])(?<![.,+-])00(?=[1-9])")
"How a number of another country begins where no + is written."


def numbers(text: str, region: str | None) -> Iterator[Span]:
    """Yield where a number stands, of which kind it is, and what is the same for all ways of writing it."""
    yield from _ibans(text)
    yield from _cards(text)
    for found in IP.finditer(text):
        try:
            yield found.start(), found.end(), "ip", str(ip_address(found[0]))
        except ValueError:
            continue
    if DIGITS.search(text):
        yield from _phones(text, region)


def _ibans(text: str) -> Iterator[Span]:
    iban = needed("stdnum.iban")
    for found in IBAN.finditer(text):
        ends = [part.end() for part in WORD.finditer(text, found.start(), found.end(1) + 1)]
        for end in reversed([one for one in ends if one <= found.end(1)]):
            if iban.is_valid(text[found.start() : end]):
                yield found.start(), end, "iban", iban.compact(text[found.start() : end])
                break


def _cards(text: str) -> Iterator[Span]:
    needed("stdnum.luhn")  # that it is missing is said before a number of a card is met
    for pattern in (CARD, GROUPS):
        for found in pattern.finditer(text):
            begin, end, digits = found.start(), found.end(), re.sub(r"\D", "", found[0])
            marked = pattern is GROUPS or "_" in {text[begin - 1 : begin], text[end : end + 1]}
            if is_card(digits) and (digits[0] in BEGIN or not marked):
                yield begin, end, "card", digits


def _phones(text: str, region: str | None) -> Iterator[Span]:
    phonenumbers = needed("phonenumbers")
    told = ABROAD.sub(" +", text)  # as long as it was
    for number in phonenumbers.PhoneNumberMatcher(told, region):
        same = phonenumbers.format_number(number.number, phonenumbers.PhoneNumberFormat.E164)
        begin = number.start - (text[number.start] == "0" and told[number.start] == "+")
        yield begin, number.end, "phone", same


def phone(number: str, region: str | None) -> str:
    """Return a telephone as it is the same for all ways of writing it: digits, after + where the country is known."""
    phonenumbers = needed("phonenumbers")
    digits = re.sub(r"\D", "", number)
    tries = [(ABROAD.sub("+", number.strip()), region)]
    if digits and digits[0] != "0":
        tries.append((f"+{digits}", None))
    for text, country in tries:
        try:
            parsed = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return digits or number


def is_card(digits: str) -> bool:
    """Whether a number could be that of a card."""
    return 13 <= len(digits) <= 19 and bool(needed("stdnum.luhn").is_valid(digits))


def checked_region(region: str | None) -> str | None:
    """Return a country as `phonenumbers` knows it; `UsageError` where there is none of that name."""
    known = needed("phonenumbers").SUPPORTED_REGIONS
    if region is not None and region.upper() not in known:
        raise UsageError(f"{region!r} is no country of two letters, such as DE or US")
    return region and region.upper()
