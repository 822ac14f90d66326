"""`keys.json`: the data keys of an encrypted archive, wrapped by the user's key. Replaced whole, so never half a key.

What is written is sealed with random data keys, one a generation. The user's key only wraps these, so it is changed
without writing anything else again. Nothing in this file opens anything without the user's key.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.archive._lines import dump, load, stamp
from exporter.errors import ArchiveError, CredentialsRefused, Damaged, NoArchive, NoKey, UsageError
from exporter.files import replacing, translated
from exporter.keys import Place, looked_up, place_in
from exporter.model import now, printable, remember

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher

NAME = "keys.json"
VARIABLE = "EXPORTER_ARCHIVE_KEY"
NEW = "EXPORTER_ARCHIVE_NEW_KEY"
FORMAT = 1
SCRYPT = {"n": 2**17, "r": 8, "p": 1}
"What a passphrase costs to try: 128 MiB and some tenths of a second."
MOST = {"n": 2**20, "r": 16, "p": 8}
"A file that asks for more means harm."
SHORTEST = 12
"Characters of a passphrase."
ZEROS, FIELD = b"0" * 64, b'"sha256":"'


def is_encrypted(path: Path) -> bool:
    """Tell whether an archive is encrypted: it says so, or it has keys."""
    if (path / NAME).exists():
        return True
    try:
        about = load((path / "archive.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and bool(about.get("encrypted"))


def unlock(path: Path, archive: str, environ: Mapping[str, str] | None = None) -> Cipher | None:
    """Return what opens an archive's files, None where they are plain.

    `NoKey` where no key is named, it cannot be had, or it is another one; `Damaged` where keys.json is.
    """
    if not is_encrypted(path):
        return None
    file = _read(path, archive)
    place = place_in(os.environ if environ is None else environ, VARIABLE)
    if not place:
        raise NoKey(
            f"{path}: it is encrypted, and no key is named; {VARIABLE}_FILE names a file that has it "
            f"({VARIABLE}, {VARIABLE}_COMMAND and {VARIABLE}_KEYRING are other ways)",
            missing=True,
        )
    return _opened(path, file, _user_key(place, environ, VARIABLE), str(place))


def create(path: Path, archive: str, environ: Mapping[str, str] | None = None) -> None:
    """Write the first keys of a new archive, before it says that it is encrypted."""
    key = _named(VARIABLE, environ)
    _write(path, archive, 1, key, {1: (secrets.token_bytes(32), stamp(now()))})


def rotate(path: Path, archive: str, *, new_data_key: bool, environ: Mapping[str, str] | None = None) -> int:
    """Wrap the data keys by the user's new key, where one is named; return the generation that is written with now.

    The old key opens nothing any more. With `new_data_key`, what is written from now on gets a new one.
    """
    cipher = unlock(path, archive, environ)
    if cipher is None:
        raise UsageError(f"{path}: it is not encrypted, so it has no key")
    file = _read(path, archive)
    changed = place_in(os.environ if environ is None else environ, NEW)
    if not changed and not new_data_key:
        raise UsageError(f"no new key is named; {NEW}_FILE names a file that has it, or see --new-data-key")
    key = _named(NEW if changed else VARIABLE, environ)
    created = {int(one["generation"]): str(one["created_at"]) for one in file["data_keys"]}
    held = {number: (data, created[number]) for number, data in cipher.keys.items()}
    if new_data_key:
        held[max(held) + 1] = (secrets.token_bytes(32), stamp(now()))
    _write(path, archive, int(file["version"]) + 1, key, held)
    if unlock_with(path, archive, key).keys.keys() != held.keys():
        raise ArchiveError(f"{path / NAME}: it does not read as it was written; do not throw the old key away")
    return max(held)


def unlock_with(path: Path, archive: str, key: str) -> Cipher:
    """Open with this key, whatever the environment names."""
    return _opened(path, _read(path, archive), key, "what was given")


def _opened(path: Path, file: dict[str, Any], key: str, place: str) -> Cipher:
    from exporter.archive._cipher import Cipher, missing_library

    try:
        from cryptography.exceptions import InvalidTag
    except ImportError as error:
        raise missing_library(error) from None
    try:
        aead = _wrapping(key, file["user_key"], file["archive"])
        keys = {
            one["generation"]: aead.decrypt(_bytes(one["nonce"]), _bytes(one["sealed"]), _bound(file, one))
            for one in file["data_keys"]
        }
    except InvalidTag:
        raise NoKey(
            f"{path}: the key in {printable(place)} does not open it: it is another one's, or from before the key was "
            f"changed on {file['written_at'][:10]}. Nothing is damaged; without its key nobody can read this archive"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from None
    return Cipher(file["archive"], keys, max(keys))


def _write(path: Path, archive: str, version: int, key: str, held: Mapping[int, tuple[bytes, str]]) -> None:
    kind: dict[str, Any] = {"kind": "key", "salt": _text(secrets.token_bytes(32))}
    if _raw(key) is None:
        if len(key) < SHORTEST:
            raise UsageError(
                "the key of an archive is 32 random bytes in base64 (`openssl rand -base64 32`) or hex, or words "
                f"of {SHORTEST} characters or more together; this is neither"
            )
        kind |= {"kind": "passphrase", "kdf": "scrypt", **SCRYPT}
    fields: dict[str, Any] = {"format": FORMAT, "archive": archive, "version": version, "written_at": stamp(now())}
    try:
        aead = _wrapping(key, kind, archive)
    except ImportError as error:
        from exporter.archive._cipher import missing_library

        raise missing_library(error) from None
    wrapped = []
    for generation, (data, created_at) in sorted(held.items()):
        nonce, one = secrets.token_bytes(12), {"generation": generation, "created_at": created_at}
        sealed = aead.encrypt(nonce, data, _bound(fields, one))
        wrapped.append({**one, "nonce": _text(nonce), "sealed": _text(sealed)})
    data = dump({**fields, "user_key": kind, "data_keys": wrapped})[:-1] + b"," + FIELD + ZEROS + b'"}\n'
    with replacing(path / NAME) as out:
        out.write(data.replace(FIELD + ZEROS, FIELD + hashlib.sha256(data).hexdigest().encode()))


def _read(path: Path, archive: str) -> dict[str, Any]:
    """Read keys.json; `Damaged` if any byte of it changed."""
    file = path / NAME
    try:
        with translated(file):
            data = file.read_bytes()
    except ArchiveError as error:
        if file.exists():
            raise
        raise Damaged(
            f"{NAME}: it is missing; restore this file from a copy: without it no key opens anything"
        ) from error
    at = data.rfind(FIELD) + len(FIELD)
    if hashlib.sha256(data[:at] + ZEROS + data[at + 64 :]).hexdigest().encode() != data[at : at + 64]:
        raise _damaged("its bytes are not those that were written")
    try:
        fields = load(data)
        version, whose = int(fields["format"]), fields["archive"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(error) from None
    if version > FORMAT:
        raise NoArchive(f"{path}: {NAME} is of a newer exporter; upgrade exporter")
    if whose != archive:
        raise Damaged(f"{NAME}: it is of another archive than archive.json says; restore this file from a copy")
    return dict(fields)


def _damaged(why: object) -> Damaged:
    return Damaged(f"{NAME}: {why}; restore this file from a copy")


def _named(variable: str, environ: Mapping[str, str] | None) -> str:
    place = place_in(os.environ if environ is None else environ, variable)
    if not place:
        raise NoKey(f"no key for the archive is named; {variable}_FILE names a file that has it", missing=True)
    return _user_key(place, environ, variable)


def _user_key(place: Place, environ: Mapping[str, str] | None, variable: str) -> str:
    try:
        key = looked_up(place, os.environ if environ is None else environ, variable).strip("\r\n")
    except CredentialsRefused as error:
        raise NoKey(f"{error}; look at how it is named and written. Nothing is damaged") from None
    if not key.strip():
        raise NoKey(f"{variable}: {printable(str(place))} is empty")
    remember(key)
    return key


def _wrapping(key: str, kind: Mapping[str, Any], archive: str) -> Any:
    """Return what wraps data keys with the user's key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from exporter.archive._cipher import derived

    salt, raw = _bytes(kind["salt"]), _raw(key) if kind["kind"] == "key" else None
    if kind["kind"] == "passphrase":
        cost = {name: int(kind[name]) for name in SCRYPT}
        if kind["kdf"] != "scrypt" or any(not 0 < cost[name] <= MOST[name] for name in cost):
            raise ValueError("its passphrase is stretched in a way that nobody asks for")
        raw = _stretched(key, salt, **cost)
    return AESGCM(derived(raw or hashlib.sha256(key.encode()).digest(), salt, f"{archive}/wrap"))


@functools.lru_cache(maxsize=4)
def _stretched(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt, 32, n, r, p).derive(passphrase.encode())


def _raw(key: str) -> bytes | None:
    """Return the 32 bytes that a key in hex or base64 stands for; None for a passphrase."""
    word = key.strip()
    try:
        data = (
            bytes.fromhex(word) if len(word) == 64 else base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
        )
    except (ValueError, binascii.Error):
        return None
    return data if len(data) == 32 else None


def _bound(fields: Mapping[str, Any], one: Mapping[str, Any]) -> bytes:
    return f"{fields['archive']}/{one['generation']}/{one['created_at']}".encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
