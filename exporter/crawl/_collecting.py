"""Garbage collection while a crawl goes on: it makes many objects and few cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000
"Objects that come to be before the youngest are looked through; Python's 700 are a handful of requests."


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Look for cycles seldom, and never among what was there before."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
