"""What glibc's malloc keeps of what was freed, and for how many threads apart.

Each setting stays for the process. Other C libraries have none of them; there nothing happens.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"As glibc's `malloc.h` has them."


def share() -> None:
    """Let all threads take memory from one heap: where each has its own, pieces of it stay unused."""
    _set(_ARENA_MAX, 1)


def keep(size: int) -> None:
    """Keep so many bytes of what was freed: less, and the system is asked anew for each large piece, and clears it."""
    _set(_TRIM_THRESHOLD, size)
    _set(_MMAP_THRESHOLD, size)


def give_back() -> None:
    """Let the system have what is free."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _set(name: int, value: int) -> None:
    libc = _glibc()
    if libc is not None:
        libc.mallopt(name, value)


def _glibc() -> Any:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None
