"""What a process of the command line does without: modules and looks for garbage that libraries ask for.

In a notebook or an application they are somebody else's, too; so they are left out only where the process is ours.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

SPARED = ("numpy", "pandas")
"""Arrow imports them where they are, and no command needs their half second and 50 MB. In a notebook it has to, or it
would not know the columns of whoever uses them."""
POOL = ("ARROW_DEFAULT_MEMORY_POOL", "system")
"""Whom Arrow's writer asks for memory: its own allocators keep what is freed, 40 MB while tables are written."""
COLLECTED = (50_000, 10, 10)
"Objects made before Python looks for cycles, instead of 700: what is imported stays, and is looked through 170 times."


def spare() -> None:
    """Have what is imported later do without what a process of our own has no need of."""
    sys.meta_path.insert(0, _Spared)
    os.environ.setdefault(*POOL)
    gc.set_threshold(*COLLECTED)


class _Spared:
    """An importer for whom some modules are not there.

    None in `sys.modules` is not enough: Arrow, when it reads times, takes that for the module.
    """

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        """Find nothing, like any importer that does not know a module."""
        if name in SPARED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
