"""Every error this package raises on purpose.

    ExporterError                      1   something is wrong and we can say what
    ├── UsageError                     2   the call itself is off: an option, an id, a file of ids
    ├── ArchiveError                   1   about the folder we keep
    │   ├── NoArchive                 10   not an archive, or written by a newer version
    │   ├── NoKey                     12   the archive is encrypted, and its key is missing, unreadable or another one
    │   ├── Locked                    11   another process is writing
    │   ├── DiskFull                   1   the disk refused a write
    │   └── Damaged                    5   bytes differ from what was committed
    ├── SourceError                    1   about a whole source: it stops, other sources go on
    │   ├── CredentialsRefused        12   key unknown, expired, or without the scope
    │   │   └── MissingScope          12   the key is good, but lacks the scope that is named
    │   ├── ProfileUnusable            2   its address or key cannot be used as they are written
    │   ├── SourceGone                13   the API is not there, or too much vanished at once
    │   ├── CannotList                 3   the server does not tell which threads there are
    │   └── SourceUnwell              75   thread after thread met a server or network that is unwell
    ├── ThreadError                    3   about one thread: it is that thread's outcome, the others go on
    │   ├── NotFound                   3   the server names the thread and says it has none
    │   ├── BadAnswer                  3   an answer that is not what the API describes
    │   │   └── NoList                 3   the thread is there, and the server has no such list of it
    │   ├── Lie                        3   a list that cannot be walked to a proven end
    │   └── Temporary                  3   the server is unwell; try again later (75 when nothing else went wrong)
    ├── BudgetReached                 14   --max-requests or --max-duration; run again to go on
    └── Interrupted              130/143   Ctrl-C or SIGTERM; what was fetched is saved

A message has three parts: what happened, about which thread or file, and what to do now.
The number is the exit code of a command that ends with that error.
"""

from __future__ import annotations


class ExporterError(Exception):
    """Something is wrong and we can say what."""

    exit_code = 1


class UsageError(ExporterError):
    """The call itself is off: an option, an id, a file of ids."""

    exit_code = 2


class ArchiveError(ExporterError):
    """About the folder we keep."""


class NoArchive(ArchiveError):
    """The folder is not an archive, or a newer version wrote it."""

    exit_code = 10


class NoKey(ArchiveError):
    """The archive is encrypted, and its key is `missing`, unreadable, or another one. Nothing is damaged."""

    exit_code = 12

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class Locked(ArchiveError):
    """Another process is writing to this archive."""

    exit_code = 11


class DiskFull(ArchiveError):
    """The disk refused a write; what was reported archived is safe."""


class Damaged(ArchiveError):
    """Bytes on disk differ from what was committed."""

    exit_code = 5


class SourceError(ExporterError):
    """About a whole source: it stops, nothing is marked, other sources go on."""


class CredentialsRefused(SourceError):
    """The key is unknown, expired, of another region, or lacks a scope."""

    exit_code = 12


class MissingScope(CredentialsRefused):
    """The key is good, but lacks the scope that is named."""


class ProfileUnusable(SourceError):
    """The profile's address or key cannot be used as they are written; no thread is to blame."""

    exit_code = 2


class SourceGone(SourceError):
    """The API is not there any more, or too many threads vanished at once (`whole_run`)."""

    exit_code = 13

    def __init__(self, message: str, *, whole_run: bool = False) -> None:
        super().__init__(message)
        self.whole_run = whole_run


class CannotList(SourceError):
    """The server has no list of all threads, or does not show it to this key; named threads can be had all the same."""

    exit_code = 3


class SourceUnwell(SourceError):
    """Thread after thread met a server or a network that is unwell; asking on would only wait."""

    exit_code = 75


class ThreadError(ExporterError):
    """About one thread: it becomes that thread's outcome, the others go on."""

    exit_code = 3
    code = "failed"


class NotFound(ThreadError):
    """The server names the thread and says that it has none."""

    code = "not_found"


class BadAnswer(ThreadError):
    """An answer that is not what the API describes: not JSON, no list, another thread's items."""

    code = "bad_answer"


class NoList(BadAnswer):
    """The thread is there, and the server has no such list of it."""

    code = "no_list"


class Lie(ThreadError):
    """A list that cannot be walked to a proven end: what came is kept, the rest is a gap.

    `code` names the lie in one word, the same in the `gaps` table.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Temporary(ThreadError):
    """The server or the network is unwell; the same call may work later."""

    code = "temporary"


class BudgetReached(ExporterError):
    """`--max-requests` or `--max-duration` is used up; run again to go on."""

    exit_code = 14


class Interrupted(ExporterError):
    """Ctrl-C (130) or SIGTERM (143); what was fetched so far is committed."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code
