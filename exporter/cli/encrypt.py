"""`exporter encrypt`: make an encrypted archive, change its key, begin a new data key."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.errors import UsageError

EXAMPLES = (
    "EXPORTER_ARCHIVE_KEY_FILE=/etc/exporter/archive-key exporter encrypt -a /backups/acme",
    "EXPORTER_ARCHIVE_KEY_FILE=old EXPORTER_ARCHIVE_NEW_KEY_FILE=new exporter encrypt --rotate",
    "exporter encrypt --rotate --new-data-key",
)


@makes_command(EXAMPLES, exits=(0, 5, 10, 11, 12))
@click.option("--rotate", is_flag=True, help="Change the key of an encrypted archive to EXPORTER_ARCHIVE_NEW_KEY.")
@click.option("--new-data-key", is_flag=True, help="With --rotate: seal what is written from now on with a fresh key.")
@archive_option
def command(archive: Path, rotate: bool, new_data_key: bool) -> None:
    """Make a new archive that is encrypted on the disk, or change the key of one that is.

    The key is 32 random bytes in base64 or hex, or a passphrase, in EXPORTER_ARCHIVE_KEY, or where
    EXPORTER_ARCHIVE_KEY_FILE, _COMMAND or _KEYRING lead to it; the same variables name it to every other command. An
    archive in which something was archived already stays plain. --rotate writes nothing but keys.json again, at once
    and whole: the old key opens it no more. Without its key nobody can read an archive: keep a copy of it elsewhere.
    """
    from exporter.archive import Archive, encrypt, is_encrypted, rotate_keys

    out = Output.of()
    if rotate:
        generation = rotate_keys(archive, new_data_key=new_data_key)
        fields = {"archive": str(archive), "data_key": generation}
        said = f"data key {generation} seals what is written from now on" if new_data_key else "its key is the new one"
        out.summary(fields, f"{archive}: {said}")
        return
    if new_data_key:
        raise click.UsageError("--new-data-key goes with --rotate")
    if is_encrypted(archive) and (archive / "archive.json").exists():
        raise UsageError(f"{archive}: it is encrypted already; --rotate changes its key")
    if (archive / "archive.json").exists():
        encrypt(archive)
    else:
        Archive.create(archive, encrypted=True)
    out.summary({"archive": str(archive)}, f"{archive} is empty and encrypted; keep a copy of its key elsewhere")
