"""What makes a folder an archive: `archive.json`, written last of all that a new archive needs."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from exporter.archive import _keyfile
from exporter.archive._lines import FORMAT, dump, load, stamp
from exporter.archive._lock import Lock
from exporter.archive.catalog import Catalog
from exporter.errors import Damaged, NoArchive, UsageError
from exporter.files import FOLDER_MODE, make_folder, replacing, translated
from exporter.model import now, printable

BEGUN = (".exporter", "README.md", "catalog.sqlite", "keys.json", ".README.md.", ".archive.json.", ".keys.json.")
"How the names begin that a creation leaves when it is cut short."
_ENCRYPTED: dict[bool, dict[str, object]] = {False: {}, True: {"encrypted": True}}


def create(path: Path, *, encrypted: bool = False) -> None:
    """Make an empty archive; an existing one stays as it is.

    With `encrypted`, its key is the one that the environment names; `UsageError` for an existing one that is not.
    """
    refuse_lost(path)
    if (path / "archive.json").exists():
        if encrypted and not _keyfile.is_encrypted(path):
            raise UsageError(f"{path}: it is not encrypted; `exporter encrypt` says how it becomes so")
        return
    _refuse_other_files(path)
    with translated(path):
        make_folder(path).chmod(FOLDER_MODE)
    with Lock(path):
        if (path / "archive.json").exists():
            return
        _explain(path, encrypted=encrypted)
        Catalog(path / "catalog.sqlite", create=True).close()
        name = secrets.token_hex(16)
        if encrypted:
            _keyfile.create(path, name)
        else:
            (path / _keyfile.NAME).unlink(missing_ok=True)  # of a creation that was cut short
        _say(path, {"format": FORMAT, "archive": name, "created_at": stamp(now()), **_ENCRYPTED[encrypted]})


def encrypt(path: Path) -> None:
    """Make an empty archive an encrypted one; `UsageError` where something was archived already."""
    read_id(path)
    with Lock(path):
        if any(any((path / folder).glob("*")) for folder in ("segments", "manifests", "journal", "blobs")):
            raise UsageError(
                f"{path}: something was archived in it already, and that stays as it is. Make an encrypted archive "
                "beside, back up into it what the servers still have, and keep this one where you keep secrets"
            )
        about = load((path / "archive.json").read_bytes())
        _keyfile.create(path, about["archive"])
        _say(path, about | _ENCRYPTED[True])
        _explain(path, encrypted=True)


def rotate_keys(path: Path, *, new_data_key: bool) -> int:
    """Change the key of an encrypted archive while nobody writes to it; see `_keyfile.rotate`."""
    name = read_id(path)
    with Lock(path):
        return _keyfile.rotate(path, name, new_data_key=new_data_key)


def _explain(path: Path, *, encrypted: bool) -> None:
    name = "README.encrypted.md" if encrypted else "README.template.md"
    with replacing(path / "README.md") as file:
        file.write((Path(__file__).parent / name).read_bytes())


def _say(path: Path, about: dict[str, object]) -> None:
    with replacing(path / "archive.json") as file:
        file.write(dump(about) + b"\n")


def _refuse_other_files(path: Path) -> None:
    with translated(path):
        if path.exists() and any(not entry.name.startswith(BEGUN) for entry in path.iterdir()):
            raise NoArchive(f"{path}: the folder holds other files; name an empty or a new one with -a")


def refuse_lost(path: Path) -> None:
    """Raise `Damaged` where a folder has what was archived, and no `archive.json`."""
    file = path / "archive.json"
    with translated(file):
        if not file.exists() and _is_one(path):
            raise Damaged(f"{file}: it is missing; restore this file from a copy")


def _is_one(path: Path) -> bool:
    """Tell whether a folder plainly is an archive: both are made after `archive.json`, when something is archived."""
    return any((path / name).is_dir() for name in ("manifests", "segments"))


def read_id(path: Path) -> str:
    """The archive's id; `NoArchive` if the folder is none or its format is newer than this program.

    `Damaged` where it plainly is one, and `archive.json` is missing or cannot be read.
    """
    file = path / "archive.json"
    refuse_lost(path)
    try:
        with translated(file):
            about: Any = load(file.read_bytes()) if file.exists() else None
        if about is None and not _is_one(path):
            where = printable(str(path))
            raise NoArchive(f"{where}: no archive here; `exporter backup` makes one, -a names another")
        version, name = int(about["format"]), str(about["archive"])
    except (ValueError, KeyError, TypeError) as error:
        kind = Damaged if _is_one(path) else NoArchive
        raise kind(f"{file}: it cannot be read ({error}); restore this file from a copy") from error
    if version > FORMAT:
        raise NoArchive(f"{path}: format {version} is newer than this exporter reads ({FORMAT}); upgrade exporter")
    return name
