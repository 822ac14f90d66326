"""What the name of a field says of what stands in it, however it is written: `customer_name`, `customerName`."""

from __future__ import annotations

import re
from functools import lru_cache

REFERS = frozenset({"message", "container", "conversation", "session", "thread", "after", "before", "cursor"})
"Fields that may be an id, where they are one word."
OWN = frozenset({"metadata", "arguments", "input", "output", "parameters", "state_variables"})
"Fields below which a user's own names of fields begin."
KEPT = frozenset({"type", "object", "role", "status", "model", "kind", "mime_type", "finish_reason", "purpose"})
"Fields of which the API says what may stand in them."
OURS = frozenset({"profile", "reference"})
"Fields of our own records that somebody chose the words of."
PLACES = frozenset({"list", "after"})
"Fields of our own records in which an id stands, that their sentences repeat."
ALWAYS = frozenset({"file", "id", "user"})
"What a field says wherever it is; anything else in metadata and arguments only."
SURE = frozenset({"email", "username"})
"Fields that say it everywhere all the same."
COUNTED = re.compile(r"(?:.*_)?(?:token|input)_ids?", re.DOTALL)
"Fields of numbers that are nobody's."
LONGEST = 100
"Characters of a name that are looked at, from its end."

WHO = (
    "user|customer|client|contact|account|company|organi[sz]ation|tenant|employee|patient|person|guest|member|owner"
    "|author|sender|recipient|caller|requester|assignee|creator|buyer|seller|subscriber|holder"
)
NAME = rf"name|(?:.*_)?(?:{WHO}|first|last|full|middle|given|family|display|maiden|legal|preferred)_?name"
ADDRESS = r"(?:.*_)?(?:address|street)(?:_line)?(?:_?\d)?"
ITS_ID = "(?:ids?|no|nr|number)"
_KINDS = [
    ("file", r"file_?name"),
    ("person", r"(?:.*_)?account_?(?:no|nr|number)"),
    ("customer", rf"customer|(?:.*_)?(?:customer|client)_?{ITS_ID}"),
    ("user", rf"user|(?:.*_)?(?:{WHO}|login)_?{ITS_ID}|u_?id|safety_identifier|prompt_cache_key"),
    ("id", r"(?:.*_)?ids?|[ug]uid"),
    ("mail", r"(?:.*_)?e?_?mail(?:_address)?"),
    ("phone", r"(?:.*_)?(?:(?:cell|mobile)?_?phone|mobile|telephone|tel|fax|msisdn|whatsapp)(?:_?(?:number|no|nr))?"),
    ("person", rf"{WHO}|username|surname|nickname|login|ip|{NAME}|{ADDRESS}"),
]
_PATTERNS = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _KINDS]
_IN_PARTS = re.compile(rf"{NAME}|{ADDRESS}", re.DOTALL)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=4096)
def plain(field: str) -> str:
    """Return the name of a field in small letters, with `_` between its words."""
    humps = _HUMP.sub("_", field[-LONGEST:].replace("IDs", "Ids"))
    return re.sub(r"\W+", "_", humps).lower().strip("_")


def kind_of(field: str, *, own: bool) -> str | None:
    """Return of which kind a field is, `person` for whatever names one; `own`: the user chose the field's name."""
    name = plain(field)
    kind = _kind(name)
    sure = own or kind in ALWAYS or name in SURE or (kind == "customer" and name != kind)
    return kind if sure else None


@lru_cache(maxsize=4096)
def _kind(name: str) -> str | None:
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(name)), None)


def is_in_parts(field: str) -> bool:
    """Whether an object in this field is a name or an address in parts: `{"first": "Ann"}`."""
    return _IN_PARTS.fullmatch(plain(field)) is not None


def of_one(field: str) -> str:
    """Return what a field of several would be called for one of them: `name` for `names`."""
    return field if _kind(plain(field)) else re.sub(r"(?<=ss)es$|s$", "", field, flags=re.IGNORECASE)


def is_id(field: str) -> bool:
    """Whether what stands in a field is no name of anything else, so that it may be looked for in texts."""
    return kind_of(field, own=False) in {"id", "user", "customer"} and plain(field).endswith(("id", "ids"))


def counts(field: str) -> bool:
    """Whether numbers in a field are of a model's words, and nobody's ids."""
    return COUNTED.fullmatch(plain(field)) is not None
