"""Words to say."""

from __future__ import annotations

import random

WORDS = (
    "invoice",
    "order",
    "refund",
    "parcel",
    "Tuesday",
    "contract",
    "Übergabe",
    "naïve",
    "café",
    "東京",
    "größer",
    "please",
    "thanks",
    "because",
    "receipt",
    "delivery",
    "customer",
    "address",
    "window",
    "meeting",
    "spreadsheet",
    "column",
    "total",
    "tax",
    "account",
    "password",
    "reset",
    "link",
    "🙂",
)


def sentence(rng: random.Random) -> str:
    """Return a few words."""
    return " ".join(rng.choices(WORDS, k=rng.randint(3, 30)))
