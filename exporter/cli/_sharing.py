"""What an export shows of an archive: all of it, or pseudonyms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.cli._output import Output
    from exporter.formats._pages import Shelf
    from exporter.formats._story import Wanted
    from exporter.pseudonyms import Pseudonyms

FOR_ONCE = "nothing names a key, so another export will have other pseudonyms; EXPORTER_PSEUDONYM_KEY keeps them"

TOO_SHORT = "too short to be looked for in a sentence (two characters, one of Chinese, Japanese, Korean, Thai)"
SAID = 10
"Lines of a file of names that are said."


class Sharing:
    """What was asked for: pseudonyms or not."""

    def __init__(self, names: TextIO | None, *, pseudonymise: bool, region: str | None, out: Output) -> None:
        """Raise `UsageError` for a country that is none, a key that can be guessed, and where the extra is missing."""
        from exporter.errors import UsageError

        self._names: Pseudonyms | None = None
        if (region or names) and not pseudonymise:
            raise UsageError("--phone-region and --names go with --pseudonymise")
        lines = [line.strip() for line in names or ()]
        self._more = [line for line in lines if line]
        if pseudonymise:
            from exporter.pseudonyms import Pseudonyms, any_key, key_of
            from exporter.pseudonyms._names import is_sought
            from exporter.pseudonyms._numbers import checked_region

            self._region = checked_region(region)
            short = [number for number, line in enumerate(lines, 1) if line and not is_sought(line)]
            if short:
                told = ", ".join(map(str, short[:SAID])) + (" ..." if len(short) > SAID else "")
                out.say(f"--names: {len(short):,} {TOO_SHORT}: see line {told}", severity="warning")
            key = key_of()
            if key is None:
                out.say(FOR_ONCE, severity="warning")
            self._names = Pseudonyms(key or any_key())

    @contextmanager
    def of(self, archive: Archive, wanted: Wanted) -> Iterator[tuple[Shelf, Wanted]]:
        """Lend an archive as others may see it, and say what is wanted in its words."""
        if self._names is None:
            yield archive, wanted
            return
        from exporter.formats._pseudonymous import Pseudonymous

        with Pseudonymous(archive, self._names, self._region, self._more) as hidden:
            yield hidden, hidden.wanted(wanted)

    @property
    def counts(self) -> dict[str, int] | None:
        """How many of each kind were replaced; None without pseudonyms."""
        return None if self._names is None else dict(self._names.counts.most_common())
