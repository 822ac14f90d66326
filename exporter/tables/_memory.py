"""How memory is used while tables are made: given back late and looked through seldom, as all of it lives shortly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from exporter import heap

COLLECTED = (50_000, 50, 100)
"Objects made before Python looks for cycles among them, instead of 700."
KEPT_BYTES = 32 << 20
"What is kept of what was freed, for the next block of columns."


@contextmanager
def plain_memory() -> Iterator[None]:
    """Let Arrow ask the system for memory: its own pools keep what is freed, three times of what is needed."""
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    heap.keep(KEPT_BYTES)
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        heap.give_back()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for cycles seldom, and not in what is there already: rows live shortly and hold none."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTED)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
