"""The `exporter` command as a process: private files, signals, and no traceback where a sentence does.

Errors of ours become a line and an exit code in `exporter.cli`; here is what is left: interruption, closed pipes, bugs.
Whatever takes time to import is imported late, so that Ctrl-C in that time ends with a sentence, too.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from exporter.sparing import spare

if TYPE_CHECKING:
    import click

    from exporter.cli._output import Output


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    spare()
    os.umask(0o077)
    _open_closed_streams()
    if not sys.warnoptions and not os.environ.get("EXPORTER_DEBUG"):
        warnings.simplefilter("ignore")  # what libraries tell their developers is nothing for users
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:] if argv is None else argv)
    gc.freeze()  # or Python would look through all that was imported again, and again, as it ends
    sys.exit(code)


def _open_closed_streams() -> None:
    """Give streams that the caller closed somewhere to go, before a file of ours gets their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def run(argv: list[str]) -> int:
    """Run the command line; return its exit code."""
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return _ended(argv, 130, "interrupted")
    except OSError as error:
        said = _refused(error)
        return _ended(argv, *said) if said else _unexpected(argv, error)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _unexpected(argv, error)


def _run(argv: list[str]) -> int:
    import click

    from exporter.cli import cli

    if not {"-h", "--help"}.intersection(argv):  # which answers at once, and logs nothing
        from exporter.cli._logging import guard_logs
        from exporter.cli._output import redacted

        guard_logs(redacted)
    try:
        code = cli.main(argv, prog_name="exporter", standalone_mode=False)
    except click.ClickException as error:
        _show(argv, error)
        _json_error(argv, error.exit_code, error.format_message())
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _refused(error: OSError) -> tuple[int, str] | None:
    """Return the exit code and the sentence for what a disk refuses and nobody told before; None for what is a bug."""
    from exporter.files import NO_SPACE

    if error.errno == errno.ENAMETOOLONG:
        return 2, f"{error.filename}: the name is too long for this disk; give it a shorter one"
    if error.errno in NO_SPACE:
        where = "where stdout goes, or temporary files (TMPDIR names their folder)"
        return 1, f"{error.strerror} {where}; free space there and run again. What was archived is safe"
    return None


def _unexpected(argv: list[str], error: Exception) -> int:
    import traceback

    from exporter.cli._output import redacted

    if os.environ.get("EXPORTER_DEBUG"):
        sys.stderr.write(redacted("".join(traceback.format_exception(error))))
    what = redacted(f"{type(error).__name__}: {error}")
    return _ended(argv, 1, f"unexpected {what}; EXPORTER_DEBUG=1 shows where. What was archived is safe")


def _ended(argv: list[str], code: int, message: str) -> int:
    try:
        _json_error(argv, code, message)
        sys.stdout.flush()
    except OSError:  # nobody can be answered there, and Python would try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _output(argv).complain(f"exporter: {message}", event="error", exit_code=code)
    return code


def _json_error(argv: list[str], code: int, message: str) -> None:
    from exporter.cli._output import redacted

    _output(argv).item("error", {"exit_code": code, "code": "Error", "error": redacted(message)})


def _show(argv: list[str], error: click.ClickException) -> None:
    from exporter.cli._output import redacted

    out = _output(argv)
    if out.style == "plain":
        shown = io.StringIO()
        error.show(shown)
        sys.stderr.write(redacted(shown.getvalue()))  # a key may have been given where an id belongs
    else:
        out.complain(f"exporter: {error.format_message()}", event="error", exit_code=error.exit_code)


def _output(argv: list[str]) -> Output:
    """How to answer when no command is there any more, or was never found."""
    from exporter.cli._logging import chosen_in, style_of
    from exporter.cli._output import Output

    return Output(as_json="--json" in argv, style=style_of(chosen_in(argv)))


def _terminated(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a signal handler's signature
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
