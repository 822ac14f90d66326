"""How memory is used while tables are made: given back late and looked through seldom, as all of it lives shortly."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

COLLECTED = (50_000, 50, 100)
"Objects made before Python looks for cycles among them, instead of 700."
KEPT_BYTES = 32 << 20
"What malloc keeps of what was freed: less, and the system is asked anew for each block of columns, and clears it."
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"As glibc's `malloc.h` has them."


@contextmanager
def plain_memory() -> Iterator[None]:
    """Let Arrow ask the system for memory: its own pools keep what is freed, three times of what is needed."""
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        if libc is not None:
            libc.malloc_trim(0)


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


def _glibc() -> Any:
    """Return the C library where it is glibc, else None: others have no such settings."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None
