"""What makes a folder an archive: `archive.json`, written last of all that a new archive needs."""

from __future__ import annotations

import secrets
from pathlib import Path

from exporter.archive._lines import FORMAT, dump, load, stamp
from exporter.archive._lock import Lock
from exporter.archive.catalog import Catalog
from exporter.errors import NoArchive
from exporter.files import FOLDER_MODE, make_folder, replacing, translated
from exporter.model import now, printable

BEGUN = (".exporter", "README.md", "catalog.sqlite", ".README.md.", ".archive.json.")
"How the names begin that a creation leaves when it is cut short."


def create(path: Path) -> None:
    """Make an empty archive; an existing one stays as it is."""
    if (path / "archive.json").exists():
        return
    _refuse_other_files(path)
    with translated(path):
        make_folder(path).chmod(FOLDER_MODE)
    with Lock(path):
        if (path / "archive.json").exists():
            return
        with replacing(path / "README.md") as file:
            file.write((Path(__file__).parent / "README.template.md").read_bytes())
        Catalog(path / "catalog.sqlite", create=True).close()
        with replacing(path / "archive.json") as file:
            about = {"format": FORMAT, "archive": secrets.token_hex(16), "created_at": stamp(now())}
            file.write(dump(about) + b"\n")


def _refuse_other_files(path: Path) -> None:
    with translated(path):
        if path.exists() and any(not entry.name.startswith(BEGUN) for entry in path.iterdir()):
            raise NoArchive(f"{path}: the folder holds other files; name an empty or a new one with -a")


def read_id(path: Path) -> str:
    """The archive's id; `NoArchive` if the folder is none or its format is newer than this program."""
    file = path / "archive.json"
    try:
        with translated(file):
            about = load(file.read_bytes()) if file.exists() else None
        if about is None:
            where = printable(str(path))
            raise NoArchive(f"{where}: no archive here; `exporter backup` makes one, -a names another")
        version, name = int(about["format"]), str(about["archive"])
    except (ValueError, KeyError, TypeError) as error:
        raise NoArchive(f"{file}: it cannot be read ({error}); restore this file from a copy") from error
    if version > FORMAT:
        raise NoArchive(f"{path}: format {version} is newer than this exporter reads ({FORMAT}); upgrade exporter")
    return name
