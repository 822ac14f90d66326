"""What a process of the command line does without: modules, authorities and looks for garbage that libraries ask for.

In a notebook or an application they are somebody else's, too; so they are left out only where the process is ours.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from ssl import SSLContext
    from types import ModuleType

SPARED = ("numpy", "pandas")
"""Arrow imports them where they are, and no command needs their half second and 50 MB. In a notebook it has to, or it
would not know the columns of whoever uses them."""
CONNECTOR = "aiohttp.connector"
"It reads this machine's authorities twice as it is imported, 50 ms each; connections of ours say whom they trust."
DOCUMENTS = "pyarrow.vendored.docscrape"
"""By it Arrow reads the documents of its options, to write those of 280 functions as it is imported: half of the time
that takes, and nobody reads them in a command."""
READS = "set_default_verify_paths"
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
    def find_spec(name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Find nothing, like any importer that does not know a module; two of which less is wanted, in our way."""
        if name in SPARED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name == DOCUMENTS:
            return _without_documents()
        return _without_authorities(path) if name == CONNECTOR else None


def _without_documents() -> ModuleSpec:
    """Return how to import what reads documents so that it finds nothing in them."""
    from collections import defaultdict
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

    class Finding(Loader):
        def exec_module(self, module: ModuleType) -> None:
            vars(module)["NumpyDocString"] = lambda _: defaultdict(tuple)

    return ModuleSpec(DOCUMENTS, Finding())


def _without_authorities(path: Sequence[str] | None) -> ModuleSpec | None:
    """Return how to import the connector so that its own contexts trust nobody; they still want a certificate."""
    import ssl
    import threading
    from importlib.machinery import PathFinder, SourceFileLoader

    class Loader(SourceFileLoader):
        def exec_module(self, module: ModuleType) -> None:
            read, here = getattr(ssl.SSLContext, READS), threading.get_ident()

            def unread(context: SSLContext) -> None:
                if threading.get_ident() != here:  # whoever connects meanwhile has authorities
                    read(context)

            setattr(ssl.SSLContext, READS, unread)
            try:
                super().exec_module(module)
            finally:
                setattr(ssl.SSLContext, READS, read)

    spec = PathFinder.find_spec(CONNECTOR, path)
    if spec is not None and spec.origin is not None and isinstance(spec.loader, SourceFileLoader):
        spec.loader = Loader(CONNECTOR, spec.origin)
    return spec
