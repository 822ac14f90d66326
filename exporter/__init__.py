"""Full-history exporter for server-side AI conversations.

    import os
    from pathlib import Path
    import exporter

    path = Path("archive")
    exporter.Archive.create(path)
    with exporter.Archive.write(path) as archive:
        thread = exporter.ThreadRef("conversations", "https://api.openai.com/v1", "conv_abc")
        exporter.register(archive, [exporter.Registration(thread, user="ann")])
        profiles = {"default": exporter.Profile(key=exporter.Secret(os.environ["OPENAI_API_KEY"]))}
        report = exporter.backup(archive, profiles, exporter.Options())

The names below are the public ones; each is imported when it is first used, so `import exporter` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.crawl import Options, Report, backup
    from exporter.discovery import discover
    from exporter.errors import ExporterError
    from exporter.model import Finding, Gap, Outcome, Page, Profile, Record, Registration, Secret, ThreadRef
    from exporter.notebook import open  # noqa: A004 - exporter.open
    from exporter.registry import register
    from exporter.touching import touch

__all__ = [
    "Archive",
    "ExporterError",
    "Finding",
    "Gap",
    "Options",
    "Outcome",
    "Page",
    "Profile",
    "Record",
    "Registration",
    "Report",
    "Secret",
    "ThreadRef",
    "backup",
    "discover",
    "open",
    "register",
    "touch",
]

_HOME = {
    "archive": ["Archive"],
    "crawl": ["Options", "Report", "backup"],
    "discovery": ["discover"],
    "errors": ["ExporterError"],
    "model": ["Finding", "Gap", "Outcome", "Page", "Profile", "Record", "Registration", "Secret", "ThreadRef"],
    "notebook": ["open"],
    "registry": ["register"],
    "touching": ["touch"],
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
