"""What the extra `sharing` brings."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from exporter.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

EXTRA = "pip install 'conversation-exporter[sharing]'"


@cache
def needed(name: str) -> ModuleType:
    """Return a module of the extra; `UsageError` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"pseudonyms need the extra `sharing`: {EXTRA}") from None
